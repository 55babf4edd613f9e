import CTorch

/// Keys and values that several processes share: one of them serves the store, and each connects to it.
///
/// Calls wait for one another: a thread that must not wait for another's needs a connection of its own.
public final class KeyValueStore: @unchecked Sendable {
    let handle: CTStore

    /// - Parameters:
    ///   - host: where it is served; a name or an address.
    ///   - port: the port there.
    ///   - listener: for the process that serves it, the descriptor of a socket that is bound to that port, which the
    ///     store closes; nil for others.
    ///   - timeout: seconds to try to connect.
    /// - Throws: `TorchError` where it can't be reached.
    public init(host: String, port: UInt16, listener: Int32? = nil, timeout: Double) throws {
        guard let handle = ct_store_connect(host, port, listener ?? -1, milliseconds(timeout)) else {
            throw TorchError()
        }
        self.handle = handle
    }

    private init(_ handle: CTStore) { self.handle = handle }

    deinit { ct_store_release(handle) }

    /// The part of this store that is for those with the same seal, by the same connection. What its calls find there
    /// and no such process has set, they refuse with a `ForgedValue`.
    public func sealed(by seal: StoreSeal) throws -> KeyValueStore {
        guard let handle = ct_store_seal(handle, seal.unmanaged) else { throw TorchError() }
        return KeyValueStore(handle)
    }

    public func set(_ key: String, _ value: String) throws {
        let bytes = Array(value.utf8)
        try checked { try Tensor.check(ct_store_set(handle, key, bytes, bytes.count)) }
    }

    /// The value of a key, waited for at most `timeout` seconds if it isn't there.
    public func value(of key: String, timeout: Double) throws -> String {
        let bytes = try checked { try Tensor(ct_store_get(handle, key, milliseconds(timeout))) }
        return String(decoding: try bytes.elements(UInt8.self), as: UTF8.self)
    }

    public func has(_ key: String) throws -> Bool {
        let found = ct_store_has(handle, key)
        try Tensor.check(found >= 0)
        return found == 1
    }

    /// Sets a key that has no value yet.
    ///
    /// - Returns: false where it has one, which stays.
    public func claim(_ key: String, _ value: String) throws -> Bool {
        let bytes = Array(value.utf8)
        return try checked {
            let claimed = ct_store_claim(handle, key, bytes, bytes.count)
            try Tensor.check(claimed >= 0)
            return claimed == 1
        }
    }

    /// Where this process serves the store, takes no further connections; those that are there stay.
    public func closeDoor() { ct_store_close_door(handle) }

    private func checked<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as TorchError where error.isOfForgedValue {
            throw ForgedValue()
        }
    }
}

/// A sealed store has a value that none of those with its seal has set.
public struct ForgedValue: Error, CustomStringConvertible {
    public let description = "the store has a value that no process of this run has set"
}

extension TorchError {
    /// Whether what uses a sealed store came upon a `ForgedValue`.
    public var isOfForgedValue: Bool { description.contains(CT_STORE_FORGED) }
}

func milliseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1000).rounded(.up)) }
