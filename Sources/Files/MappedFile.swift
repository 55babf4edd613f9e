import Foundation

/// A call of the operating system that failed.
public struct SystemError: Error, CustomStringConvertible {
    /// A value of `errno`.
    public let code: Int32
    public let description: String

    public init(code: Int32, description: String? = nil) {
        self.code = code
        self.description = description ?? String(cString: strerror(code))
    }

    /// The reason of the call that failed just before.
    public static var last: SystemError { SystemError(code: errno) }
}

/// A file's bytes, mapped read-only: they take memory only while they are looked at.
///
/// The file must not be shortened while it is mapped: the system ends a process that reads pages that are gone.
/// ``writeAtomically(to:_:)`` replaces a file without touching the old one's pages.
public final class MappedFile: Sendable {
    public let count: Int
    // Read-only pages that stay mapped until deinit: any thread may read them.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer?

    /// - Throws: `SystemError` if the file can't be opened or is not a plain file.
    public init(path: String) throws {
        // Without O_NONBLOCK opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemError.last }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError.last }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw status.st_mode & S_IFMT == S_IFDIR
                ? SystemError(code: EISDIR) : SystemError(code: EINVAL, description: "Not a plain file")
        }
        count = Int(status.st_size)
        guard count > 0 else {
            base = nil
            return
        }
        guard let mapped = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), mapped != MAP_FAILED else {
            throw SystemError.last
        }
        base = mapped
    }

    deinit {
        if let base { munmap(base, count) }
    }

    /// Lends the bytes to `body`; they must not leave it.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: base, count: count))
    }
}
