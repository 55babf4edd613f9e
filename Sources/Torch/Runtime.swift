import CTorch

/// libtorch's version, such as "2.13.0".
public var libtorchVersion: String { String(cString: ct_version()) }

/// The threads an operation may use. Results are the same bits only at the same count.
public var threadCount: Int { Int(ct_thread_count()) }

public func setThreadCount(_ count: Int) { ct_set_thread_count(Int32(count)) }

/// Seeds the random stream that dropout draws from. What is drawn does not depend on the number of threads.
public func seedRandomStream(_ seed: UInt64) throws { try Tensor.check(ct_seed(seed)) }

/// A place in the random stream that dropout draws from on the CPU.
public struct RandomStreamPlace: Sendable, Equatable, Codable {
    public var key: UInt64
    public var counter: UInt64

    public init(key: UInt64, counter: UInt64) {
        self.key = key
        self.counter = counter
    }

    /// Where the stream is now.
    public static var current: RandomStreamPlace {
        var place = RandomStreamPlace(key: 0, counter: 0)
        ct_random_state(&place.key, &place.counter)
        return place
    }

    /// Makes the stream go on from here.
    public func resume() { ct_set_random_state(key, counter) }
}

/// Makes the process keep the memory that tensors give back, for the next ones: a step takes what the one before gave
/// back, without the system's help.
public func keepFreedMemory() { ct_keep_freed_memory() }

/// The instruction set of this package's own loops: "avx512", "avx2" or "portable". The environment variable
/// CAMTL_CPU_CAPABILITY, "avx2" or "portable", limits it.
public var instructionSet: String { String(cString: ct_instruction_set()) }
