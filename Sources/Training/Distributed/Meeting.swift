import Torch

/// Where the processes of a team meet: a part of a store that only they use, who share its secret.
struct Meeting: Sendable {
    let store: KeyValueStore
    let prefix: String
    /// The whole store, where others can read and write, too: nothing here is to be relied on.
    private let open: KeyValueStore
    private let fingerprint: String

    init(_ store: KeyValueStore, restarts: Int, secret: TeamSecret) throws {
        open = store
        self.store = try store.sealed(by: secret.seal)
        fingerprint = secret.seal.fingerprint
        prefix = "camtl/\(restarts)"
    }

    func set(_ name: String, _ rank: Int, _ value: String) throws { try store.set(key(name, rank), value) }

    func value(_ name: String, _ rank: Int, timeout: Double) throws -> String {
        try store.value(of: key(name, rank), timeout: timeout)
    }

    /// The value of each process that has set one.
    func values(_ name: String, size: Int) throws -> [Int: String] {
        var values: [Int: String] = [:]
        for rank in 0..<size where try store.has(key(name, rank)) {
            values[rank] = try store.value(of: key(name, rank), timeout: 1)
        }
        return values
    }

    /// Why the first process that ended before its work did so, for those that can't ask later; nil as long as none has.
    func ending() throws -> String? {
        let key = key("end", 0)
        return try store.has(key) ? store.value(of: key, timeout: 1) : nil
    }

    /// Says why this process ends before its work does. An error of its own is worth more than what others have caused.
    func end(because error: any Error, rank: Int) throws {
        if let error = error as? TeamError {
            if try ending() == nil { try set("end", 0, error.description) }
        } else {
            try set("end", 0, TeamError.ended(rank: rank, message: "\(error)").description)
        }
    }

    /// Sets a process's value, which has none yet.
    ///
    /// - Returns: false where another process of this rank has set one.
    func claim(_ name: String, _ rank: Int, _ value: String) throws -> Bool {
        try store.claim(key(name, rank), value)
    }

    /// Tells those that have another secret, and see nothing else of this process, that it is here.
    func knock(rank: Int) throws { try open.set(key("knock", rank), fingerprint) }

    /// Which processes are here with another secret; anybody can pretend to be one of them.
    func strangers(among ranks: [Int]) throws -> [Int] {
        try ranks.filter { rank in
            let key = key("knock", rank)
            return try open.has(key) && open.value(of: key, timeout: 1) != fingerprint
        }
    }

    func key(_ name: String, _ rank: Int) -> String { "\(prefix)/\(name)/\(rank)" }
}
