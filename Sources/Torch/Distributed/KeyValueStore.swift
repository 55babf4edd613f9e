import CTorch

/// Keys and values that several processes share: one of them serves the store, and each connects to it.
///
/// Calls wait for one another: a thread that must not wait for another's needs a connection of its own.
public final class KeyValueStore: @unchecked Sendable {
    let handle: CTStore

    /// - Parameters:
    ///   - host: where it is served; a name or an address.
    ///   - port: the port there.
    ///   - serves: whether this process serves it.
    ///   - timeout: seconds to try to connect.
    /// - Throws: `TorchError` where it can't be reached or, for the process that serves, the port is in use.
    public init(host: String, port: UInt16, serves: Bool, timeout: Double) throws {
        guard let handle = ct_store_connect(host, port, serves, milliseconds(timeout)) else { throw TorchError() }
        self.handle = handle
    }

    deinit { ct_store_release(handle) }

    public func set(_ key: String, _ value: String) throws {
        let bytes = Array(value.utf8)
        try Tensor.check(ct_store_set(handle, key, bytes, bytes.count))
    }

    /// The value of a key, waited for at most `timeout` seconds if it isn't there.
    public func value(of key: String, timeout: Double) throws -> String {
        let bytes = try Tensor(ct_store_get(handle, key, milliseconds(timeout)))
        return String(decoding: try bytes.elements(UInt8.self), as: UTF8.self)
    }

    public func has(_ key: String) throws -> Bool {
        let found = ct_store_has(handle, key)
        try Tensor.check(found >= 0)
        return found == 1
    }

    /// Adds 1 to a key's number: how often that has been done.
    public func increment(_ key: String) throws -> Int {
        let sum = ct_store_add(handle, key, 1)
        try Tensor.check(sum > 0)
        return Int(sum)
    }
}

func milliseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1000).rounded(.up)) }
