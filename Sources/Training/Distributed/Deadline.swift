import Foundation
import Synchronization

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
