import Foundation

/// The least processor time, in seconds, that this process took for a body in some tries: what other processes do at the
/// same time hardly shows in it.
public func processorSeconds(tries: Int = 3, _ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    var least = Double.infinity
    for _ in 0..<tries {
        let start = now()
        try body()
        least = min(least, now() - start)
    }
    return least
}
