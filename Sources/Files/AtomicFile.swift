import Foundation

/// A file that could not be written.
public struct FileWriteError: Error, Equatable, CustomStringConvertible {
    /// Why a file could not be written.
    public enum Reason: Equatable, Sendable {
        /// The system refused; its `errno`.
        case system(Int32)
        /// Something that is not a regular file, such as a folder or a device, has that path.
        case notARegularFile
    }

    /// The path of the file that was to be written.
    public let path: String
    /// Why it could not be.
    public let reason: Reason

    public var description: String {
        switch reason {
        case .notARegularFile:
            "\(path): not written: a folder or a device has this path; choose another."
        case .system(let code):
            "\(path): not written: \(String(cString: strerror(code)))\(Self.advice(for: code))."
        }
    }

    private static func advice(for code: Int32) -> String {
        switch code {
        case ENOSPC, EDQUOT: "; free some space, or choose another folder"
        case EACCES, EPERM, EROFS: "; make its folder writable, or choose another"
        case ENOENT, ENOTDIR: "; create its folder first, or check the path"
        case ENAMETOOLONG: "; choose a shorter name"
        default: ""
        }
    }
}

/// The file that ``writeAtomically(to:_:)`` is writing.
public struct FileSink: ~Copyable {
    private let descriptor: Int32
    private let path: String
    private var buffer: [UInt8] = []
    // Kept so that a caller who drops the error of one write can't have an incomplete file put in place.
    private var failure: FileWriteError?

    fileprivate init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Appends bytes to the file.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        let capacity = 1 << 16
        if buffer.count + bytes.count > capacity { try flush() }
        if bytes.count > capacity {
            try writeThrough(bytes)
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    /// Appends bytes to the file.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ bytes: some Collection<UInt8>) throws(FileWriteError) {
        try ContiguousArray(bytes).withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try write(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Appends text to the file, as UTF-8.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ text: String) throws(FileWriteError) {
        try write(text.utf8)
    }

    /// Hands all that was written to the storage device.
    fileprivate mutating func finish() throws(FileWriteError) {
        try flush()
        guard fsync(descriptor) == 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
    }

    private mutating func flush() throws(FileWriteError) {
        let pending = buffer
        buffer = []
        try pending.withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try writeThrough(UnsafeRawBufferPointer(bytes))
        }
    }

    private mutating func writeThrough(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        if let failure { throw failure }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                let error = FileWriteError(path: path, reason: .system(errno))
                failure = error
                throw error
            }
        }
    }
}

/// Writes a file such that its path names either what was there before or all of the new content, never a part.
///
/// The content goes to a new file in the same folder, which is flushed to the storage device and then renamed. On any
/// error that file is removed, and what was at `url` stays as it was. A symbolic link at `url` is replaced.
///
/// - Parameters:
///   - url: The file to write; its folder must exist.
///   - body: Writes the content.
/// - Throws: ``FileWriteError``, or what `body` throws.
public func writeAtomically(to url: URL, _ body: (inout FileSink) throws -> Void) throws {
    let path = url.path
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
        throw FileWriteError(path: path, reason: .notARegularFile)
    }
    let folder = url.deletingLastPathComponent()
    let unique = String(UInt64.random(in: 0 ... .max), radix: 16)
    let temporary = folder.appendingPathComponent(".camtl-\(unique).tmp").path
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
    do {
        defer { close(descriptor) }
        var sink = FileSink(descriptor: descriptor, path: path)
        try body(&sink)
        try sink.finish()
    } catch {
        unlink(temporary)
        throw error
    }
    guard rename(temporary, path) == 0 else {
        let code = errno
        unlink(temporary)
        throw FileWriteError(path: path, reason: .system(code))
    }
    flushFolder(folder.path)
}

/// Makes a rename in the folder survive a loss of power, where the file system can.
private func flushFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    // Some file systems refuse this; the new file is in place all the same.
    fsync(descriptor)
    close(descriptor)
}
