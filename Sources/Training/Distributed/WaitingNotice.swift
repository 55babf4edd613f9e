import Foundation
import Synchronization

/// Says what a process waits for when that takes longer than one would think.
final class WaitingNotice: Sendable {
    private struct State {
        var text: String?
        var begin = ContinuousClock.now
        /// Seconds after which it is said the next time.
        var next: Double
    }

    private let delay: Double
    private let state: Mutex<State>
    private let isOver = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - delay: seconds of waiting after which it is said what for; then again after twice, four times as long, and
    ///     so on.
    ///   - report: is given each sentence, on another thread.
    init(after delay: Double, report: @escaping @Sendable (String) -> Void) {
        self.delay = delay
        state = Mutex(State(next: delay))
        Thread.detachNewThread { [self] in
            while isOver.wait(timeout: .now() + min(0.1, delay / 4)) == .timedOut {
                if let text = due() { report(text) }
            }
        }
    }

    /// Begins to wait for something.
    func begin(_ text: String) { state.withLock { $0 = State(text: text, next: delay) } }

    /// Knows better what is waited for.
    func update(_ text: String) { state.withLock { $0.text = text } }

    /// Nothing is waited for any more, and nothing more is said.
    func end() {
        state.withLock { $0.text = nil }
        isOver.signal()
    }

    private func due() -> String? {
        state.withLock { state in
            let seconds = (ContinuousClock.now - state.begin) / .seconds(1)
            guard let text = state.text, seconds >= state.next else { return nil }
            while state.next <= seconds { state.next *= 2 }
            return "has waited for \(Int(seconds.rounded())) s: \(text)"
        }
    }
}
