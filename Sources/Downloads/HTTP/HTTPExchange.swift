import Foundation
import Synchronization

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The head of a server's answer.
struct HTTPResponse: Sendable {
    let status: Int
    let url: URL
    /// By lower-case name.
    let headers: [String: String]

    subscript(_ name: String) -> String? { headers[name.lowercased()] }

    /// Where the answer sends the client, if it does.
    var redirection: String? { [301, 302, 303, 307, 308].contains(status) ? self["location"] : nil }
}

/// Takes the body of an answer, piece by piece, on a queue of the exchange.
protocol BodyReceiver: AnyObject, Sendable {
    /// Looks at the head of the answer; whether the body is wanted.
    func begin(_ response: HTTPResponse) throws -> Bool
    func receive(_ data: Data) throws
}

/// A try that got no whole answer; another may.
struct BrokenExchange: Error {
    let reason: String

    /// Whether it broke on the server's certificate, which won't be another one in a second. URLSession gives no code
    /// of its own for that on Linux, only curl's words.
    var isUntrusted: Bool { reason.contains("certificate") }
}

/// One request and its answer. It follows no redirection, keeps no cookie and no cache, and holds little of the body in
/// memory at any time.
final class HTTPExchange: NSObject, URLSessionDataDelegate, Sendable {
    private struct State {
        var response: HTTPResponse?
        var failure: (any Error)?
        var isWanted = false
    }

    private let request: URLRequest
    private let receiver: (any BodyReceiver)?
    private let state = Mutex(State())
    private let done = DispatchSemaphore(value: 0)

    init(_ request: URLRequest, receiver: (any BodyReceiver)?) {
        self.request = request
        self.receiver = receiver
    }

    /// Runs the exchange to its end.
    ///
    /// - Parameters:
    ///   - timeout: how many seconds the server may be silent.
    ///   - progress: is called some times a second.
    /// - Throws: ``BrokenExchange``; what the receiver throws.
    func run(timeout: Double, progress: () -> Void) throws -> HTTPResponse {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        configuration.httpShouldSetCookies = false
        configuration.httpCookieAcceptPolicy = .never
        configuration.timeoutIntervalForRequest = timeout
        let session = URLSession(configuration: configuration, delegate: self, delegateQueue: BoundedQueue())
        defer { session.finishTasksAndInvalidate() }
        let task = session.dataTask(with: request)
        task.resume()
        while done.wait(timeout: .now() + 0.1) == .timedOut { progress() }
        progress()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            guard let response = state.response else { throw BrokenExchange(reason: "the server sent no answer") }
            return response
        }
    }

    /// Ends the exchange with an error of the receiver's.
    private func stop(_ task: URLSessionTask, with error: any Error) {
        state.withLock { state in
            state.failure = state.failure ?? error
            state.isWanted = false
        }
        // It waits for a queue that may be waiting for this one.
        DispatchQueue.global().async { task.cancel() }
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        defer { completionHandler(.allow) }
        guard let http = response as? HTTPURLResponse, let url = request.url else { return }
        var headers: [String: String] = [:]
        for case (let name as String, let value as String) in http.allHeaderFields {
            headers[name.lowercased()] = value
        }
        let head = HTTPResponse(status: http.statusCode, url: url, headers: headers)
        do {
            let isWanted = try receiver?.begin(head) ?? false
            state.withLock { state in
                state.response = head
                state.isWanted = isWanted
            }
        } catch {
            stop(dataTask, with: error)
        }
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        guard state.withLock({ $0.isWanted }) else { return }
        do { try receiver?.receive(data) } catch { stop(dataTask, with: error) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        if let error {
            state.withLock { state in
                // The body of an error or a redirection is nothing to fail for.
                if state.response == nil || state.isWanted {
                    state.failure = state.failure ?? BrokenExchange(reason: HTTPExchange.text(error))
                }
            }
        }
        done.signal()
    }

    private static func text(_ error: any Error) -> String {
        let error = error as NSError
        if let text = error.userInfo[NSLocalizedDescriptionKey] as? String, !text.isEmpty { return text }
        switch error.code {
        case NSURLErrorTimedOut: return "the server was silent for too long"
        case NSURLErrorCannotFindHost: return "the host is not known"
        case NSURLErrorCannotConnectToHost: return "no connection to the host"
        default: return "the connection failed (\(error.domain) \(error.code))"
        }
    }
}

/// A queue that makes those who add to it wait while it is far behind.
///
/// URLSession hands over what it receives by adding to its delegate's queue, however long that already is: without a
/// bound a file that comes in faster than the disk takes it would pile up in memory.
private final class BoundedQueue: OperationQueue, @unchecked Sendable {
    private let free = DispatchSemaphore(value: 64)

    override init() {
        super.init()
        maxConcurrentOperationCount = 1
    }

    override func addOperation(_ block: @escaping @Sendable () -> Void) {
        free.wait()
        super.addOperation { [free] in
            block()
            free.signal()
        }
    }
}
