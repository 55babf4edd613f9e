import Foundation
import Synchronization

/// Tells the others, by the store, that this process lives, and to how many exchanges it has come; and hears there why
/// another has ended, which may be the one that serves the store.
final class Heartbeat: Sendable {
    static let interval = 0.5
    private static let name = "beat"

    private struct State {
        var beats = 0
        var exchanges = 0
        var isStopped = false
        var ending: String?
    }

    private let state = Mutex(State())

    /// - Parameter meeting: by a connection of its own, as another thread writes there.
    init(_ meeting: Meeting, rank: Int) {
        Thread.detachNewThread { [self] in
            while let text = nextBeat() {
                // Whether the store is there, those find out who need it.
                try? meeting.set(Heartbeat.name, rank, text)
                if let ending = try? meeting.ending() { state.withLock { $0.ending = ending } }
                Thread.sleep(forTimeInterval: Heartbeat.interval)
            }
        }
    }

    /// Why another process has ended before its work, as far as this one has heard.
    var ending: String? { state.withLock { $0.ending } }

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
