import Foundation

/// A file mapped into memory, read-only.
///
/// The file must not be shortened while it is mapped: the system ends a process that reads pages that are gone.
/// ``writeAtomically(to:_:)`` replaces a file without touching the old one's pages.
final class MappedFile: Sendable {
    // Nothing writes to the pages, and they stay mapped until deinit, so that any thread may read them.
    nonisolated(unsafe) private let bytes: UnsafeRawBufferPointer

    /// Maps the file.
    init(_ url: URL) throws(CheckpointProblem) {
        // Without O_NONBLOCK, a pipe would be waited for before it could be refused.
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(reason: String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable(reason: "it is not a regular file") }
        guard let size = Int(exactly: status.st_size), size > 0 else { throw .unreadable(reason: "it is empty") }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw .unreadable(reason: String(cString: strerror(errno)))
        }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Calls `body` with the file's bytes, which are valid during the call.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }
}
