import Foundation
import Synchronization
import XCTest

/// A server on loopback that answers with bytes as they are, whatever they say, and closes the connection then.
public final class RawServer: Sendable {
    private let descriptor: Int32
    private let answers: Mutex<[Data]>
    /// Where it listens.
    public let port: Int

    /// Starts a server without answers: it closes each connection at once.
    public init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 ? getsockname(listener, $0, &length) : -1
            }
        }
        guard status == 0 else {
            close(listener)
            throw XCTSkip("needs ports on loopback")
        }
        descriptor = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        answers = Mutex([])
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard connection >= 0 else { return }
                self?.answer(connection)
                close(connection)
            }
        }
    }

    deinit {
        // Wakes the thread up, whose listening then fails.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// Sets the answers to the next requests; the last one is given to all further requests.
    public func answer(with answers: [Data]) { self.answers.withLock { $0 = answers } }

    private func answer(_ connection: Int32) {
        // The whole head, so that nothing unread makes the close a reset, which may take away what was sent.
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while head.suffix(4) != [13, 10, 13, 10] {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            head += buffer[..<count]
        }
        let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? Data() }
        var rest = answer[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
        shutdown(connection, Int32(SHUT_WR))
        // Until the client has closed, too, or for a second: see above.
        var wait = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        while read(connection, &buffer, buffer.count) > 0 {}
    }
}
