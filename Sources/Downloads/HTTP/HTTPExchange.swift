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

    /// The server was silent for as long as it may be.
    static let silent = BrokenExchange(reason: "the server was silent for too long")

    /// Whether it broke on the server's certificate, which won't be another one in a second. URLSession gives no code
    /// of its own for that on Linux, only curl's words.
    var isUntrusted: Bool { reason.contains("certificate") }
}

/// The least that a server has to do for an exchange to go on.
struct Patience: Sendable {
    /// How many seconds a server may be silent, or slower than `bytesPerSecond`. The whole head of its answer may take
    /// twice as long, from the first look for its host on.
    var seconds = 30.0
    /// The least bytes of a body in a second, on an average over `seconds`.
    var bytesPerSecond = 1000.0

    /// The bytes of a body that come in `seconds` at the least.
    var bytes: Int { Int(seconds * bytesPerSecond) }
}

/// One request and its answer. It follows no redirection, keeps no cookie and no cache, holds little of the body in
/// memory at any time, and ends whatever the server does: one that sends ever less, or ever more that nobody wants, is
/// left.
final class HTTPExchange: NSObject, URLSessionDataDelegate, Sendable {
    private struct State {
        var response: HTTPResponse?
        var failure: (any Error)?
        var isWanted = false
        /// The bytes of the body so far.
        var count = 0
        /// Whether the receiver is at work, so that the server has to wait.
        var isReceiving = false
        /// Whether the caller has its answer, and nothing more may reach the receiver.
        var isOver = false
    }

    /// How much of a body that nobody wants, such as an error's, is waited for, so that the exchange has an orderly
    /// end: bytes and seconds.
    private static let unwanted = (bytes: 1 << 16, seconds: 1.0)

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
    ///   - patience: what the server has to do.
    ///   - progress: is called some times a second.
    /// - Throws: ``BrokenExchange``; what the receiver throws.
    func run(patience: Patience, progress: () -> Void) throws -> HTTPResponse {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        configuration.httpShouldSetCookies = false
        configuration.httpCookieAcceptPolicy = .never
        // It counts whole seconds, and takes any byte for a sign of life: the watch is stricter.
        configuration.timeoutIntervalForRequest = patience.seconds.rounded(.up) + 1
        let session = URLSession(configuration: configuration, delegate: self, delegateQueue: BoundedQueue())
        // Both the start and the end may have to wait for a queue that all sessions share, and that is busy with what
        // a server sends that was left.
        let queue = DispatchQueue(label: "exchange")
        queue.async { [request] in session.dataTask(with: request).resume() }
        var watch = Watch(patience)
        while done.wait(timeout: .now() + min(0.1, patience.seconds / 5)) == .timedOut {
            progress()
            guard let verdict = state.withLock({ watch.verdict(on: $0) }) else { continue }
            if case .failure(let error) = verdict { state.withLock { $0.failure = $0.failure ?? error } }
            break
        }
        // What may go on in the session has no part in the answer from here on: the receiver is the caller's again.
        while state.withLock({ state in
            (state.isOver, state.isWanted) = (true, false)
            return state.isReceiving
        }) { usleep(10_000) }
        queue.async { session.invalidateAndCancel() }
        progress()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            guard let response = state.response else { throw BrokenExchange(reason: "the server sent no answer") }
            return response
        }
    }

    /// Looks after an exchange while it runs.
    private struct Watch {
        private let patience: Patience
        private let start = ContinuousClock.now
        private var headTime: ContinuousClock.Instant?
        /// When the last byte came, as far as it was looked.
        private var lastByte = ContinuousClock.now
        private var lastCount = 0
        /// Where the stretch of time began of which the speed is taken.
        private var window = (start: ContinuousClock.now, count: 0)

        init(_ patience: Patience) { self.patience = patience }

        /// Whether the exchange is to end: with what there is of it, or with an error.
        mutating func verdict(on state: State) -> Result<Void, BrokenExchange>? {
            let now = ContinuousClock.now
            let seconds = Duration.seconds(patience.seconds)
            guard state.response != nil else {
                return now - start > seconds * 2
                    ? .failure(BrokenExchange(reason: "the server's answer did not begin in time")) : nil
            }
            if headTime == nil || state.isReceiving {
                window = (now, state.count)
                lastByte = now
            }
            let headTime = headTime ?? now
            self.headTime = headTime
            guard state.isWanted else {
                let isOver = now - headTime > min(.seconds(HTTPExchange.unwanted.seconds), seconds)
                    || state.count > HTTPExchange.unwanted.bytes
                return isOver ? .success(()) : nil
            }
            if state.count > lastCount { (lastByte, lastCount) = (now, state.count) }
            if now - lastByte > seconds { return .failure(.silent) }
            guard now - window.start > seconds else { return nil }
            guard state.count - window.count >= patience.bytes else {
                let speed = Int(patience.bytesPerSecond)
                return .failure(BrokenExchange(reason: "the server sends less than \(speed) bytes a second"))
            }
            window = (now, state.count)
            return nil
        }
    }

    /// Ends the exchange with an error of the receiver's.
    private func stop(with error: any Error) {
        state.withLock { state in
            state.failure = state.failure ?? error
            state.isWanted = false
        }
        done.signal()
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        // URLSession ends the process when it is answered after the session was cancelled, which comes after `isOver`.
        // The answer itself only joins the task's queue.
        state.withLock { state in
            if !state.isOver { completionHandler(nil) }
        }
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
        let isOver = state.withLock { state in
            state.isReceiving = !state.isOver
            return state.isOver
        }
        if isOver { return }
        do {
            let isWanted = try receiver?.begin(head) ?? false
            state.withLock { state in
                state.response = head
                state.isWanted = isWanted && !state.isOver
            }
        } catch {
            stop(with: error)
        }
        state.withLock { $0.isReceiving = false }
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let isWanted = state.withLock { state in
            state.count += data.count
            state.isReceiving = state.isWanted
            return state.isWanted
        }
        guard isWanted else { return }
        do { try receiver?.receive(data) } catch { stop(with: error) }
        state.withLock { $0.isReceiving = false }
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
        case NSURLErrorTimedOut: return BrokenExchange.silent.reason
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
