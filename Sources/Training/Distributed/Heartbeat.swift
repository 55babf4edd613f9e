import Foundation
import Synchronization
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

/// Tells the others, by the store, that this process lives, and to how many exchanges it has come.
final class Heartbeat: Sendable {
    static let interval = 0.5
    private static let name = "beat"

    private struct State {
        var beats = 0
        var exchanges = 0
        var isStopped = false
    }

    private let state = Mutex(State())

    /// - Parameter meeting: by a connection of its own, as another thread writes there.
    init(_ meeting: Meeting, rank: Int) {
        Thread.detachNewThread { [self] in
            while let text = nextBeat() {
                // Whether the store is there, those find out who need it.
                try? meeting.set(Heartbeat.name, rank, text)
                Thread.sleep(forTimeInterval: Heartbeat.interval)
            }
        }
    }

    func beginExchange() { state.withLock { $0.exchanges += 1 } }

    func stop() { state.withLock { $0.isStopped = true } }

    private func nextBeat() -> String? {
        state.withLock { state in
            state.beats += 1
            return state.isStopped ? nil : "\(state.beats) \(state.exchanges)"
        }
    }

    /// What each process has told last.
    static func read(_ meeting: Meeting, size: Int) throws -> [Int: (beats: Int, exchanges: Int)] {
        try meeting.values(name, size: size).compactMapValues { text in
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
        }
    }
}

/// Runs `body` on a thread of its own.
///
/// - Returns: nil if it hasn't ended after `seconds`, or failed; it is then left alone.
func result<Value: Sendable>(
    within seconds: Double, _ body: @escaping @Sendable () throws -> Value
) -> Value? {
    let (box, done) = (Box<Value>(), DispatchSemaphore(value: 0))
    Thread.detachNewThread {
        if let value = try? body() { box.value.withLock { $0 = value } }
        done.signal()
    }
    _ = done.wait(timeout: .now() + seconds)
    return box.value.withLock { $0 }
}

private final class Box<Value: Sendable>: Sendable { let value = Mutex<Value?>(nil) }
