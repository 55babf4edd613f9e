import Dispatch
import Foundation
import Synchronization

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
/// Some file systems, as many in user space and on networks, can't map files. There the bytes are read into memory, where
/// they stay.
///
/// The file must not be shortened while it is mapped: the system ends a process that reads pages that are gone.
/// ``writeAtomically(to:_:)`` replaces a file without touching the old one's pages.
public final class MappedFile: Sendable {
    public let count: Int
    // Read-only pages that stay mapped until deinit: any thread may read them.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer?
    /// Whether the pages are the file's, so that those given back are read again; otherwise they are a copy.
    let isMapped: Bool

    /// - Throws: `SystemError` if the file can't be opened or read, or is not a plain file.
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
            isMapped = false
            return
        }
        if let mapped = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), mapped != MAP_FAILED {
            base = mapped
            isMapped = true
            return
        }
        guard MappedFile.codesOfNoMapping.contains(errno) else { throw SystemError.last }
        base = try MappedFile.read(count, from: descriptor)
        isMapped = false
    }

    /// What `mmap` fails with where a file system doesn't map files.
    private static let codesOfNoMapping = [ENODEV, EINVAL, EACCES, EPERM, ENOSYS, EOPNOTSUPP]

    /// A copy of a file's first `count` bytes, in pages of its own.
    private static func read(_ count: Int, from descriptor: Int32) throws -> UnsafeMutableRawPointer {
        let anonymous = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let anonymous, anonymous != MAP_FAILED else { throw SystemError.last }
        var done = 0
        while done < count {
            let size = pread(descriptor, anonymous + done, min(count - done, 1 << 30), off_t(done))
            if size > 0 {
                done += size
            } else if size == 0 || errno != EINTR {
                let error = size == 0 ? SystemError(code: EIO, description: "It was cut short meanwhile") : .last
                munmap(anonymous, count)
                throw error
            }
        }
        return anonymous
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

    /// Gives back the memory that the pages looked at take; they are read again when they are looked at again.
    public func releasePages() {
        if let base, isMapped { madvise(base, count, MADV_DONTNEED) }
    }

    /// Lends the bytes to `body` in pieces, on all cores, and gives back the memory of each piece's pages after it: a
    /// pass over a file of any size takes little.
    ///
    /// - Parameter body: takes a piece's place in the file and its bytes, which must not leave it.
    /// - Returns: what `body` made of the pieces of `pieceSize` bytes, the last one of what is left, in their order.
    public func mapPieces<Result: Sendable>(
        _ body: @Sendable (_ offset: Int, _ bytes: UnsafeRawBufferPointer) -> Result
    ) -> [Result] {
        let pieces = (count + MappedFile.pieceSize - 1) / MappedFile.pieceSize
        let results = Mutex([Result?](repeating: nil, count: pieces))
        DispatchQueue.concurrentPerform(iterations: pieces) { index in
            let offset = index * MappedFile.pieceSize
            let size = min(MappedFile.pieceSize, count - offset)
            let piece = base.map { $0 + offset }
            let result = body(offset, UnsafeRawBufferPointer(start: piece, count: size))
            if let piece, isMapped { madvise(piece, size, MADV_DONTNEED) }
            results.withLock { $0[index] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }

    /// A multiple of every system's page size, so that pieces share no page.
    static let pieceSize = 1 << 20
}
