import Files
import Foundation

/// A file under construction: it has a name of its own beside its place until it is moved there, and is removed if it
/// never is.
final class TemporaryFile {
    private let destination: String
    private let path: String
    private let descriptor: Int32
    private var isInPlace = false

    /// Makes the directory of `destination` if need be.
    ///
    /// - Throws: `FeatureCacheError`.
    init(for destination: String) throws {
        self.destination = destination
        let directory = URL(fileURLWithPath: destination).deletingLastPathComponent().path
        do {
            try makeDirectory(directory)
        } catch let error as SystemError {
            throw FeatureCacheError(path: directory, reason: error.description)
        }
        path = "\(destination).\(UUID().uuidString).partial"
        let opened = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard opened >= 0 else {
            throw FeatureCacheError(path: directory, reason: SystemError.last.description)
        }
        descriptor = opened
    }

    deinit {
        close(descriptor)
        if !isInPlace { unlink(path) }
    }

    /// Writes all of `elements` from the byte `offset` on.
    ///
    /// - Throws: `FeatureCacheError`.
    func write(_ elements: [some BitwiseCopyable], at offset: Int) throws {
        try elements.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
                let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure() }
                written += count
            }
        }
    }

    /// Lends all that has been written to `body`.
    ///
    /// - Throws: `FeatureCacheError`.
    func withContents<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws -> Result {
        do {
            return try MappedFile(path: path).withBytes(body)
        } catch let error as SystemError {
            throw FeatureCacheError(path: destination, reason: error.description)
        }
    }

    /// Moves the file to its place in one step, replacing what is there.
    ///
    /// - Throws: `FeatureCacheError`.
    func moveIntoPlace() throws {
        guard fsync(descriptor) == 0, rename(path, destination) == 0 else { throw failure() }
        isInPlace = true
    }

    private func failure() -> FeatureCacheError {
        FeatureCacheError(path: destination, reason: SystemError.last.description)
    }
}

/// Makes a directory and those above it, where they don't exist.
///
/// - Throws: `SystemError`.
private func makeDirectory(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemError(code: ENOTDIR) }
        return
    }
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    if parent != path { try makeDirectory(parent) }
    // Another process may have made it since.
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw SystemError.last }
}
