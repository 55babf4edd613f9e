import Foundation

/// A file that grows piece by piece and can be read while it does, as a log.
///
/// A piece is handed to the system at once. After an error the file ends with its last whole piece; a program that is
/// killed can leave a part of a piece at its end.
public final class GrowingFile {
    private let descriptor: Int32
    private let path: String
    private var length: off_t = 0

    /// Creates the file, which must not be there yet; its folder must exist.
    public init(creating url: URL) throws(FileWriteError) {
        path = url.path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
    }

    deinit { close(descriptor) }

    /// Adds a piece to the file's end.
    ///
    /// - Throws: ``FileWriteError``; the piece is then not in the file.
    public func append(_ piece: some Collection<UInt8>) throws(FileWriteError) {
        try ContiguousArray(piece).withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    let error = FileWriteError(path: path, reason: .system(errno))
                    // The error is told whether or not the file can be cut.
                    _ = ftruncate(descriptor, length)
                    throw error
                }
            }
            length += off_t(bytes.count)
        }
    }
}
