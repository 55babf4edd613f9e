import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A secret for one origin. No other one ever gets it, wherever a redirection leads.
struct Credential: Sendable {
    let origin: String
    let token: String
}

/// What is asked of a server.
struct HTTPRequest: Sendable {
    /// Which redirections are followed.
    enum Redirections {
        case all
        /// Those within the origin; another one is an answer by itself.
        case withinOrigin
    }

    var method = "GET"
    var url: URL
    var headers: [String: String] = [:]
    var credential: Credential?
    var redirections = Redirections.all
}

/// Asks servers, and asks again when that may help.
struct HTTPClient: Sendable {
    /// How long a server may be silent, and how slow it may be.
    var patience = Patience()
    /// How often something is tried that makes no progress.
    var attempts = 5
    /// The seconds before the second try; before each further one they double.
    var firstDelay = 0.5
    /// The longest time that a server may ask to wait, in seconds.
    var longestWait = 300.0

    private static let redirectionLimit = 10

    /// The answer to a request, after redirections, in one try.
    ///
    /// - Throws: ``BrokenExchange``; ``DownloadError`` for a redirection that leads nowhere; what the receiver throws.
    func answer(
        to request: HTTPRequest, receiver: (any BodyReceiver)? = nil, progress: () -> Void = {}
    ) throws -> HTTPResponse {
        var url = request.url
        for _ in 0...HTTPClient.redirectionLimit {
            var wire = URLRequest(url: url)
            wire.httpMethod = request.method
            // A compressed answer has another length, and can't be resumed.
            wire.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
            wire.setValue("camtl", forHTTPHeaderField: "User-Agent")
            for (name, value) in request.headers { wire.setValue(value, forHTTPHeaderField: name) }
            if let credential = request.credential, credential.origin == url.origin {
                wire.setValue("Bearer \(credential.token)", forHTTPHeaderField: "Authorization")
            }
            let response = try HTTPExchange(wire, receiver: receiver).run(patience: patience, progress: progress)
            guard let location = response.redirection else { return response }
            let target = try HTTPClient.target(location, from: url)
            if request.redirections == .withinOrigin, target.origin != url.origin { return response }
            url = target
        }
        throw DownloadError(request.url, .badRedirection("and that more than \(HTTPClient.redirectionLimit) times"))
    }

    static func target(_ location: String, from url: URL) throws -> URL {
        guard let target = URL(string: location, relativeTo: url)?.absoluteURL, target.host != nil,
            ["http", "https"].contains(target.scheme?.lowercased())
        else { throw DownloadError(url, .badRedirection("but to no address of the web")) }
        if url.scheme?.lowercased() == "https", target.scheme?.lowercased() == "http" {
            throw DownloadError(url, .badRedirection("from https to \(target.withoutQuery), which is not encrypted"))
        }
        return target
    }

    /// Does something again, after a pause, while it fails in ways that may pass.
    ///
    /// - Parameters:
    ///   - name: what is being fetched, for the events.
    ///   - progress: how many bytes there are. Tries are counted from where as many came as come in the time that a
    ///     server may be silent; of one that sends less each time, and breaks off, there would be no end.
    ///   - body: throws ``BrokenExchange`` or ``StatusFailure`` to be tried again.
    /// - Throws: ``DownloadError``, and whatever else `body` throws.
    func retrying<Result>(
        _ name: String, url: URL, report: (DownloadEvent) -> Void, progress: () -> Int = { 0 },
        _ body: () throws -> Result
    ) throws -> Result {
        var failures = 0
        var reached = progress()
        while true {
            var asked: Double?
            let reason: String
            let final: DownloadError
            do {
                return try body()
            } catch let error as BrokenExchange {
                if error.isUntrusted { throw DownloadError(url, .untrusted(error.reason)) }
                reason = error.reason
                final = DownloadError(url, .unreachable(reason))
            } catch let error as StatusFailure {
                asked = error.response.retryDelay
                reason = "the server answered \(error.response.status)"
                final = error.downloadError
                guard error.mayPass else { throw final }
            }
            let now = progress()
            let isProgress = now - reached >= max(1, patience.bytes)
            failures = isProgress ? 1 : failures + 1
            if isProgress { reached = now }
            guard failures < attempts else { throw final }
            if let asked, asked > longestWait { throw DownloadError(url, .asksToWait(seconds: asked)) }
            let delay = asked ?? min(8, firstDelay * Double(1 << (failures - 1)))
            report(.retrying(file: name, reason: reason, delay: delay))
            Thread.sleep(forTimeInterval: delay)
        }
    }
}

/// An answer that is an error.
struct StatusFailure: Error {
    let response: HTTPResponse

    /// Whether asking again may help.
    var mayPass: Bool { [408, 429, 500, 502, 503, 504].contains(response.status) }

    var downloadError: DownloadError {
        // The header in which the hub explains itself.
        let message = response["x-error-message"].map { String($0.prefix(500)) }
        return DownloadError(response.url, .status(response.status, message: message))
    }
}

extension HTTPResponse {
    /// The seconds that `Retry-After` asks for: as a number, or up to a date.
    var retryDelay: Double? {
        guard let value = self["retry-after"]?.trimmingCharacters(in: .whitespaces) else { return nil }
        // Nobody waits for more than thirty years, and not every number can be said in a message.
        let longest = 1e9
        if let seconds = Double(value) { return seconds >= 0 ? min(seconds, longest) : nil }
        // Of a text with combining marks Foundation's formatter ends the process.
        guard value.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return format.date(from: value).map { min(max(0, $0.timeIntervalSinceNow), longest) }
    }

    /// The body's length as the server gives it.
    var contentLength: Int? { self["content-length"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }

    /// An error for any answer but a good one.
    func check() throws {
        if !(200..<300).contains(status) { throw StatusFailure(response: self) }
    }
}

/// Keeps a body in memory.
final class MemoryReceiver: BodyReceiver, @unchecked Sendable {
    // Only the exchange's queue touches it, and the caller after the exchange has ended.
    private(set) var data = Data()
    private let limit: Int
    private var url: URL?

    init(limit: Int) { self.limit = limit }

    func begin(_ response: HTTPResponse) -> Bool {
        data = Data()
        url = response.url
        return response.status == 200
    }

    func receive(_ piece: Data) throws {
        data.append(piece)
        if data.count > limit, let url { throw DownloadError(url, .endless(limit: limit)) }
    }
}
