import Files
import Foundation

/// The hash that a server gives for a file.
enum Checksum: Sendable, Equatable {
    /// Of the content, as for files in git's large file storage.
    case sha256(String)
    /// By which git names a file's content.
    case gitBlob(String)

    /// What an ETag of the hub says: SHA-256 has 64 hexadecimal digits, git's SHA-1 has 40. Anything else is no hash.
    init?(entityTag: String) {
        let digits = entityTag.lowercased()
        guard digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
        switch digits.count {
        case 64: self = .sha256(digits)
        case 40: self = .gitBlob(digits)
        default: return nil
        }
    }

    var text: String {
        switch self {
        case .sha256(let digits), .gitBlob(let digits): digits
        }
    }

    /// The same kind of hash of a file.
    func actual(of file: MappedFile) -> String {
        file.withBytes { bytes in
            switch self {
            case .sha256: SHA256(bytes).hexadecimal
            case .gitBlob: SHA1.gitBlob(bytes).hexadecimal
            }
        }
    }
}

/// A file on a server, and what is known of it before it is fetched.
struct RemoteFile: Sendable {
    /// Its name in events.
    var name: String
    var url: URL
    var size: Int?
    /// The most bytes that a file of its kind may have, whatever the server says.
    var limit: Int
    var checksum: Checksum?
    /// A strong ETag of `url` itself, which makes the server start anew if the file has changed.
    var validator: String?
    var credential: Credential?
}

/// Fetches files, and goes on where an earlier try broke off.
struct FileDownload {
    let client: HTTPClient
    let report: (DownloadEvent) -> Void

    /// Fetches a file to `path`, where an earlier try may have left its beginning.
    ///
    /// On return it is there whole, with the size and hash that the server gave. On an error what was received stays
    /// there for the next try, unless it is wrong.
    ///
    /// - Throws: ``DownloadError``; `FileWriteError`.
    func fetch(_ file: RemoteFile, to path: String) throws {
        if let size = file.size, size > file.limit {
            throw DownloadError(file.url, .tooLarge(announced: size, limit: file.limit))
        }
        let receiver = try FileReceiver(path: path, size: file.size, limit: file.limit)
        if let size = file.size { try checkSpace(for: size - receiver.count, at: path) }
        report(.started(file: file.name, present: receiver.count, size: file.size))
        var mismatches = 0
        try client.retrying(file.name, url: file.url, report: report, progress: { receiver.count }) {
            try complete(file, receiver)
            guard let checksum = file.checksum else { return }
            let actual = checksum.actual(of: try MappedFile(path: path))
            if actual == checksum.text { return }
            try receiver.restart()
            mismatches += 1
            // The beginning that an earlier try left may be to blame, or a fault on the way.
            guard mismatches > 1 else { throw BrokenExchange(reason: "the bytes received are damaged") }
            unlink(path)
            throw DownloadError(file.url, .wrongHash(expected: checksum.text, actual: actual))
        }
        try receiver.flush()
        report(.finished(file: file.name, size: receiver.count))
    }

    /// Receives what is missing, in one try.
    private func complete(_ file: RemoteFile, _ receiver: FileReceiver) throws {
        if file.size == 0 || (file.size == receiver.count) { return }
        var request = HTTPRequest(url: file.url, credential: file.credential)
        if receiver.count > 0 {
            request.headers["Range"] = "bytes=\(receiver.count)-"
            request.headers["If-Range"] = file.validator
        }
        let response = try client.answer(to: request, receiver: receiver) {
            report(.progressed(file: file.name, received: receiver.count, size: file.size))
        }
        try response.check()
        if let size = file.size, receiver.count < size {
            throw BrokenExchange(reason: "the server sent \(receiver.count) of \(size) bytes")
        }
    }
}
