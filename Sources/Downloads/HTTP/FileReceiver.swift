import Files
import Foundation
import Synchronization

/// Appends a body to a file, or, if the server does not resume, writes it anew.
final class FileReceiver: BodyReceiver, @unchecked Sendable {
    private let descriptor: Int32
    private let path: String
    /// The file's size, if it is known.
    private let size: Int?
    /// The size that the file must not exceed.
    private let limit: Int
    private let present: Atomic<Int>
    // Only the exchange's queue touches it.
    private var url: URL?

    /// Opens the file, or makes it.
    ///
    /// - Parameters:
    ///   - size: The file's size, if it is known.
    ///   - limit: The most bytes that it may have where its size is not known. It is no more than the disk has room
    ///     for, either.
    /// - Throws: `FileWriteError`.
    init(path: String, size: Int?, limit: Int) throws {
        // Whatever else has that path, it is no file that a download left.
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
        guard descriptor >= 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileWriteError(path: path, reason: .notARegularFile)
        }
        self.path = path
        self.size = size
        let (room, overflow) = (freeSpace(at: path) ?? limit).addingReportingOverflow(Int(status.st_size))
        self.limit = size ?? min(limit, overflow ? limit : room)
        present = Atomic(Int(status.st_size))
        // Bytes beyond the end can't be the file's.
        if Int(status.st_size) > self.limit { try restart() }
    }

    deinit { close(descriptor) }

    /// How many bytes the file has.
    var count: Int { present.load(ordering: .relaxed) }

    /// Throws away what is there.
    func restart() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
        present.store(0, ordering: .relaxed)
    }

    /// Hands all bytes to the storage device.
    func flush() throws {
        guard fsync(descriptor) == 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
    }

    func begin(_ response: HTTPResponse) throws -> Bool {
        url = response.url
        switch response.status {
        case 200:
            // The server doesn't resume, or has another file by now.
            try restart()
            return true
        case 206:
            guard let range = ContentRange(response["content-range"]), range.start == count,
                size == nil || range.total == nil || range.total == size
            else {
                try restart()
                throw BrokenExchange(reason: "the server sent another part of the file than it was asked for")
            }
            return true
        case 416:
            try restart()
            throw BrokenExchange(reason: "the server can't go on where the download broke off")
        default:
            return false
        }
    }

    func receive(_ data: Data) throws {
        let start = count
        if let url, data.count > limit - start {
            try restart()
            throw DownloadError(url, size == nil ? .endless(limit: limit) : .tooLong(expected: limit))
        }
        var written = 0
        while written < data.count {
            let result = data.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
                return pwrite(descriptor, rest.baseAddress, rest.count, off_t(start + written))
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
            written += result
            present.store(start + written, ordering: .relaxed)
        }
    }
}

/// A `Content-Range` of bytes, such as `bytes 100-199/200`.
struct ContentRange {
    let start: Int
    /// The size of the whole file, if the server knows it.
    let total: Int?

    init?(_ header: String?) {
        guard let header, header.lowercased().hasPrefix("bytes ") else { return nil }
        let parts = header.dropFirst(6).split(separator: "/")
        guard parts.count == 2, let first = parts[0].split(separator: "-").first, let start = Int(first) else {
            return nil
        }
        self.start = start
        total = Int(parts[1])
    }
}
