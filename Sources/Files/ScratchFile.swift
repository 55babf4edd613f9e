import Foundation

/// A file without a name, for what is needed for a while and has no room in memory: it is gone with its last user, also
/// where the process is killed.
public final class ScratchFile {
    private let descriptor: Int32
    /// In bytes.
    public private(set) var count = 0

    /// - Parameter folder: where the bytes lie; it is made if need be.
    /// - Throws: `SystemError` if no file can be made there.
    public init(in folder: URL) throws {
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var template = Array((folder.path + "/.camtl-XXXXXX").utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw SystemError.last }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(template)
    }

    deinit { close(descriptor) }

    /// Adds bytes at the end.
    ///
    /// - Throws: `SystemError`.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw SystemError.last }
            rest = rest.dropFirst(written)
        }
        count += bytes.count
    }

    /// Fills `buffer` with what was written from the byte `offset` on. Several threads may read at a time.
    ///
    /// - Throws: `SystemError`, also where that was less.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let size = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if size < 0, errno == EINTR { continue }
            guard size > 0 else {
                throw size < 0 ? .last : SystemError(code: EIO, description: "It was cut short meanwhile")
            }
            done += size
        }
    }

    /// What has been written so far.
    ///
    /// - Throws: `SystemError`.
    public func mapped() throws -> MappedFile { try MappedFile(path: "/proc/self/fd/\(descriptor)") }
}
