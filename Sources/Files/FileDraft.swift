import Foundation

/// A file under construction. It has a name of its own, beside its place, until it is moved there; it is removed if it
/// never is.
///
/// Bytes may be written in any order. To write from the beginning to the end, ``writeAtomically(to:_:)`` is simpler.
public final class FileDraft {
    private let place: URL
    private let temporary: String
    private let descriptor: Int32
    private var isInPlace = false
    // Kept so that a caller who drops the error of one write can't have an incomplete file put in place.
    private var failure: FileWriteError?

    /// Makes the draft of a file.
    ///
    /// - Parameter url: where the file is to be; its folder must exist.
    /// - Throws: ``FileWriteError`` if no file can be made there, or if what is there is not a regular file.
    public init(for url: URL) throws(FileWriteError) {
        place = url
        try checkReplaceable(url)
        temporary = url.deletingLastPathComponent().appendingPathComponent(unfinishedName(suffix: ".tmp")).path
        let opened = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard opened >= 0 else { throw FileWriteError(path: url.path, reason: .system(errno)) }
        descriptor = opened
    }

    deinit {
        close(descriptor)
        if !isInPlace { unlink(temporary) }
    }

    /// Writes bytes from the byte `offset` of the file on.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileWriteError) {
        if let failure { throw failure }
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                let error = FileWriteError(path: place.path, reason: .system(count == 0 ? EIO : errno))
                failure = error
                throw error
            }
        }
    }

    /// Writes the memory of values, in the machine's byte order, from the byte `offset` of the file on.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public func write(_ elements: [some BitwiseCopyable], at offset: Int) throws(FileWriteError) {
        try elements.withUnsafeBufferPointer { (elements) throws(FileWriteError) in
            try write(UnsafeRawBufferPointer(elements), at: offset)
        }
    }

    /// Writes the first `count` bytes of another draft from the byte `offset` of the file on.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public func write(contentsOf other: FileDraft, count: Int, at offset: Int) throws(FileWriteError) {
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 20))
        var copied = 0
        while copied < count {
            let wanted = min(buffer.count, count - copied)
            let read = buffer.withUnsafeMutableBytes { pread(other.descriptor, $0.baseAddress, wanted, off_t(copied)) }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else {
                throw FileWriteError(path: place.path, reason: .system(read == 0 ? EIO : errno))
            }
            try write(Array(buffer[..<read]), at: offset + copied)
            copied += read
        }
    }

    /// Lends all that has been written so far to `body`.
    ///
    /// - Throws: ``FileWriteError`` if it can't be read back.
    public func withContents<Result>(_ body: (MappedFile) -> Result) throws(FileWriteError) -> Result {
        do {
            return body(try MappedFile(path: temporary))
        } catch {
            throw FileWriteError(path: place.path, reason: .system((error as? SystemError)?.code ?? EIO))
        }
    }

    /// Hands the file to the storage device and then moves it to its place in one step, replacing what is there.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write; what is in the place stays as it was then.
    public func moveIntoPlace() throws(FileWriteError) {
        if let failure { throw failure }
        guard fsync(descriptor) == 0, rename(temporary, place.path) == 0 else {
            throw FileWriteError(path: place.path, reason: .system(errno))
        }
        isInPlace = true
        flushFolder(place.deletingLastPathComponent().path)
    }
}

/// Refuses a path that no file can be renamed to, or that has something else than a regular file.
///
/// - Throws: ``FileWriteError``, as writing the file would.
public func checkReplaceable(_ url: URL) throws(FileWriteError) {
    var status = stat()
    if stat(url.path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileWriteError(path: url.path, reason: .notARegularFile)
        }
    } else if errno == ENAMETOOLONG {
        // The draft's own name is short.
        throw FileWriteError(path: url.path, reason: .system(ENAMETOOLONG))
    }
}

/// Finds out whether a file can be written, by making its draft and removing it again: for work that takes long and
/// whose result is to be written there.
///
/// - Throws: ``FileWriteError``, as writing the file would.
public func checkWritable(_ url: URL) throws(FileWriteError) {
    _ = try FileDraft(for: url)
}

/// Makes a folder and those above it, where they don't exist.
///
/// - Throws: ``FileWriteError`` with the folder's path.
public func makeFolder(_ url: URL) throws(FileWriteError) {
    func failure(_ code: Int32) -> FileWriteError { FileWriteError(path: url.path, reason: .system(code)) }
    func make(_ folder: URL) throws(FileWriteError) {
        var status = stat()
        if stat(folder.path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else { throw failure(ENOTDIR) }
            return
        }
        let parent = folder.deletingLastPathComponent()
        if parent.path != folder.path { try make(parent) }
        // Another process may have made it since.
        guard mkdir(folder.path, 0o777) == 0 || errno == EEXIST else { throw failure(errno) }
    }
    try make(url.absoluteURL.standardizedFileURL)
}

/// Makes a rename in the folder survive a loss of power, where the file system can.
func flushFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    // Some file systems refuse this; the new file is in place all the same.
    fsync(descriptor)
    close(descriptor)
}
