import Torch

/// Where the processes of a team meet: a part of a store that only they use.
struct Meeting: Sendable {
    let store: KeyValueStore
    let prefix: String

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

    func key(_ name: String, _ rank: Int) -> String { "\(prefix)/\(name)/\(rank)" }
}
