import Foundation

/// How libtorch's threads wait for one another.
enum WaitPolicy {
    /// By default OpenMP's threads spin for milliseconds at the end of every parallel loop. Where other processes
    /// want the same processors, each loop then waits for a thread that isn't running, and a step takes several times
    /// as long. The library reads its environment when it is loaded, before any code of ours: so the program starts
    /// itself again with a short spin.
    static func settle() {
        guard getenv("OMP_WAIT_POLICY") == nil, getenv("GOMP_SPINCOUNT") == nil else { return }
        setenv("GOMP_SPINCOUNT", "10000", 1)
        // Returns only if it fails; the program then goes on as it is.
        execv("/proc/self/exe", CommandLine.unsafeArgv)
    }
}
