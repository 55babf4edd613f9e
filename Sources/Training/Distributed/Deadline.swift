import Foundation
import Synchronization

/// Runs `body` on a thread of its own.
///
/// - Returns: nil if it hasn't ended after `seconds`; it is then left alone, with all that it holds.
/// - Throws: what `body` throws.
func result<Value: Sendable>(
    within seconds: Double, _ body: @escaping @Sendable () throws -> Value
) throws -> Value? {
    let (box, done) = (Box<Value>(), DispatchSemaphore(value: 0))
    Thread.detachNewThread {
        let result = Result { try body() }
        box.result.withLock { $0 = result }
        done.signal()
    }
    _ = done.wait(timeout: .now() + seconds)
    return try box.result.withLock { $0 }?.get()
}

private final class Box<Value: Sendable>: Sendable { let result = Mutex<Result<Value, any Error>?>(nil) }
