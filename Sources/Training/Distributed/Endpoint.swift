import Foundation

/// A TCP port of a host, where processes meet.
struct Endpoint: Sendable {
    let host: String
    let port: UInt16

    /// One of the addresses of a host's name.
    struct Address: Sendable {
        let family: Int32
        fileprivate let bytes: [UInt8]

        fileprivate func withPointer<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
            bytes.withUnsafeBytes { bytes in
                // The bytes are a copy of what getaddrinfo or getsockname gave: some kind of sockaddr.
                let pointer = bytes.baseAddress.map { $0.assumingMemoryBound(to: sockaddr.self) }
                guard let pointer else { preconditionFailure("an address has bytes") }
                return body(pointer, socklen_t(bytes.count))
            }
        }

        /// As `127.0.0.1` or `::1`.
        var text: String {
            var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = withPointer { getnameinfo($0, $1, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) }
            let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            return status == 0 ? String(decoding: bytes, as: UTF8.self) : "?"
        }

        var isLoopback: Bool { Endpoint.isLoopback(text) }
        var isWildcard: Bool { text == "0.0.0.0" || text == "::" }
    }

    // MARK: - Names

    /// The addresses of the host, those of IPv4 first, as not every machine has a way to those of IPv6.
    ///
    /// - Throws: `TeamError.unknownHost`. Only where the name server says that it can't answer now is it asked again,
    ///   for some seconds.
    func addresses() throws -> [Address] {
        var (found, status) = lookUp()
        for _ in 0..<3 where status == EAI_AGAIN {
            Thread.sleep(forTimeInterval: 0.5)
            (found, status) = lookUp()
        }
        if found.isEmpty { throw TeamError.unknownHost(host, reason: String(cString: gai_strerror(status))) }
        return found.filter { $0.family == AF_INET } + found.filter { $0.family != AF_INET }
    }

    private func lookUp() -> (addresses: [Address], status: Int32) {
        var hints = addrinfo()
        hints.ai_socktype = streamType
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "\(port)", &hints, &first)
        guard status == 0 else { return ([], status) }
        defer { freeaddrinfo(first) }
        var found: [Address] = []
        var next = first
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                let bytes = UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))
                found.append(Address(family: entry.ai_family, bytes: Array(bytes)))
            }
            next = entry.ai_next
        }
        return (found, EAI_NONAME)
    }

    /// Whether the host is this machine's own loopback by what it is called, and not only by what it is here.
    var isLoopbackByName: Bool {
        ["localhost", "::1", "localhost.localdomain", "ip6-localhost", "ip6-loopback"].contains(host.lowercased())
            || host.hasPrefix("127.")
    }

    static func isLoopback(_ address: String) -> Bool { address.hasPrefix("127.") || address == "::1" }

    // MARK: - Listening

    /// A socket that is bound here, which whoever listens with it closes, and the host by which this process reaches
    /// it.
    ///
    /// - Throws: `TeamError` where this machine hasn't the address, or the port is in use.
    func bind(everyProcessIsHere: Bool) throws -> (socket: Int32, host: String) {
        var candidates = try addresses()
        // Debian's /etc/hosts has the machine's own name at 127.0.1.1: others know the name for another address.
        if !everyProcessIsHere, !isLoopbackByName, candidates.allSatisfy(\.isLoopback) {
            candidates = try ["::", "0.0.0.0"].flatMap { try Endpoint(host: $0, port: port).addresses() }
        }
        var failures: [Int32] = []
        for address in candidates {
            let socket = socket(address.family, streamType | closeOnExec, 0)
            guard socket >= 0 else {
                failures.append(errno)
                continue
            }
            Endpoint.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
            if address.text == "::" { Endpoint.set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
            // Another that listens at the port is noticed by the first, or by the second.
            if address.withPointer({ Foundation.bind(socket, $0, $1) }) == 0, listen(socket, 1024) == 0 {
                let own = address.text == "::" ? "::1" : address.isWildcard ? "127.0.0.1" : address.text
                return (socket, own)
            }
            failures.append(errno)
            close(socket)
        }
        // What one address of a name has against it counts less than that the port of another is taken.
        if failures.contains(EADDRINUSE) { throw TeamError.portInUse(port) }
        if failures.contains(EADDRNOTAVAIL) {
            throw TeamError.addressElsewhere(host, addresses: candidates.map(\.text))
        }
        let reason = String(cString: strerror(failures.last ?? EINVAL))
        throw TeamError.cannotListen(host: host, port: port, reason: reason)
    }

    private static func set(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    // MARK: - Connecting

    /// Tries to connect to one address after the other.
    ///
    /// - Parameter seconds: for each.
    /// - Returns: this machine's address by which it came there, or why no address took a connection.
    func connect(to addresses: [Address], within seconds: Double) -> Result<Address, Unreachable> {
        var failure = Unreachable(code: ECONNREFUSED)
        for address in addresses {
            switch Endpoint.connect(to: address, within: seconds) {
            case .success(let own): return .success(own)
            case .failure(let other): failure = other
            }
        }
        return .failure(failure)
    }

    /// Why no connection came about, as the system's error.
    struct Unreachable: Error, CustomStringConvertible {
        let code: Int32

        var description: String {
            switch code {
            case ECONNREFUSED: "nothing listens there yet"
            case ETIMEDOUT: "nothing answers there, as where a firewall is between, or a run has begun already"
            default: String(cString: strerror(code))
            }
        }
    }

    private static func connect(to address: Address, within seconds: Double) -> Result<Address, Unreachable> {
        let socket = socket(address.family, streamType | closeOnExec | nonBlocking, 0)
        guard socket >= 0 else { return .failure(Unreachable(code: errno)) }
        defer { close(socket) }
        if address.withPointer({ Foundation.connect(socket, $0, $1) }) != 0 {
            guard errno == EINPROGRESS else { return .failure(Unreachable(code: errno)) }
            var poll = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            guard Foundation.poll(&poll, 1, Int32(seconds * 1000)) == 1 else {
                return .failure(Unreachable(code: ETIMEDOUT))
            }
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length)
            if code != 0 { return .failure(Unreachable(code: code)) }
        }
        var own = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        if status != 0 { return .failure(Unreachable(code: errno)) }
        return .success(
            Address(family: address.family, bytes: withUnsafeBytes(of: own) { Array($0.prefix(Int(length))) }))
    }
}

private let streamType = Int32(SOCK_STREAM.rawValue)
private let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
private let nonBlocking = Int32(SOCK_NONBLOCK.rawValue)
