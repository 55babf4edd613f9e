import Foundation

/// A download that failed for good.
public struct DownloadError: Error, Equatable, CustomStringConvertible {
    /// Why it failed.
    public enum Reason: Equatable, Sendable {
        /// There was no answer, or it broke off, as often as it was tried; what the last try said.
        case unreachable(String)
        /// The server's certificate is not one to trust; what the system says of it.
        case untrusted(String)
        /// The server answered with an error, and `message` if it gave one.
        case status(Int, message: String?)
        /// The server asks to wait longer than anyone would.
        case asksToWait(seconds: Double)
        /// A redirection that is not followed, and why.
        case badRedirection(String)
        /// The server sends more than the file's size.
        case tooLong(expected: Int)
        /// The server doesn't say how much it sends, and sends more than such a file has, or the disk has room for.
        case endless(limit: Int)
        /// The server announces more bytes than such a file has.
        case tooLarge(announced: Int, limit: Int)
        /// The bytes are not those that the server's hash is of.
        case wrongHash(expected: String, actual: String)
        /// The answer is not what this kind of server gives.
        case unexpected(String)
    }

    /// What was asked for, without the query.
    public let url: String
    /// Why there is no file.
    public let reason: Reason

    init(_ url: URL, _ reason: Reason) {
        self.url = url.withoutQuery
        self.reason = reason
    }

    public var description: String { "\(url): \(text)" }

    private var text: String {
        switch reason {
        case .unreachable(let what):
            "\(what). Check the connection, and try again: what was received so far is kept."
        case .untrusted(let what):
            "the server doesn't prove that it is the one (\(what)). Check the address, the clock, and that the system "
                + "has its list of certificates (on Debian the package ca-certificates)."
        case .status(let status, let message):
            "the server answered \(status)\(message.map { ": " + $0 } ?? " (\(Self.meaning(of: status)))")."
        case .asksToWait(let seconds):
            "the server takes no more requests for \(Int(seconds.rounded(.up))) seconds. Try again then: what was "
                + "received so far is kept."
        case .badRedirection(let what):
            "the server sends elsewhere, \(what)."
        case .tooLong(let expected):
            "the server sends more than the \(expected) bytes that the file has. Nothing of it was kept."
        case .endless(let limit):
            "the server sends more than \(limit) bytes, and does not say how many there are. Nothing of them was kept."
        case .tooLarge(let announced, let limit):
            "the server announces \(announced) bytes, and a file of this kind has \(limit) at most."
        case .wrongHash(let expected, let actual):
            "the bytes are damaged: their hash is \(actual), and the server says \(expected). Nothing of them was "
                + "kept; try again, or look whether something between here and the server changes what passes."
        case .unexpected(let what):
            "\(what)."
        }
    }

    private static func meaning(of status: Int) -> String {
        switch status {
        case 401: "not authorised"
        case 403: "forbidden"
        case 404: "there is no such file"
        case 429: "too many requests"
        case 500...: "an error of its own"
        default: "no answer to what was asked"
        }
    }
}

extension URL {
    /// For messages: queries of redirections carry signatures.
    var withoutQuery: String {
        var components = URLComponents(url: self, resolvingAgainstBaseURL: true)
        components?.query = nil
        components?.fragment = nil
        components?.user = nil
        components?.password = nil
        return components?.string ?? path
    }

    /// The scheme, host and port: what may see the same credentials.
    var origin: String {
        let scheme = scheme?.lowercased() ?? ""
        return "\(scheme)://\(host?.lowercased() ?? ""):\(port ?? (scheme == "https" ? 443 : 80))"
    }
}
