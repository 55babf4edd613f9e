import CTorch

/// libtorch's version, such as "2.13.0".
public var libtorchVersion: String { String(cString: ct_version()) }

/// The threads an operation may use. Results are the same bits only at the same count.
public var threadCount: Int { Int(ct_thread_count()) }

public func setThreadCount(_ count: Int) { ct_set_thread_count(Int32(count)) }

/// Seeds the random stream that dropout draws from on a device. On the CPU, what is drawn does not depend on the
/// number of threads.
public func seedRandomStream(_ seed: UInt64, on device: Device = .cpu) throws {
    try Tensor.check(ct_seed(seed, device.type, device.index))
}

/// A place in the random stream that dropout draws from on a device. The CPU's and a CUDA device's streams are
/// different ones.
public struct RandomStreamPlace: Sendable, Equatable, Codable {
    public var key: UInt64
    public var counter: UInt64

    public init(key: UInt64, counter: UInt64) {
        self.key = key
        self.counter = counter
    }

    /// Where a device's stream is now.
    public static func current(on device: Device) throws -> RandomStreamPlace {
        var place = RandomStreamPlace(key: 0, counter: 0)
        try Tensor.check(ct_random_state(device.type, device.index, &place.key, &place.counter))
        return place
    }

    /// Makes a device's stream go on from here.
    public func resume(on device: Device) throws {
        try Tensor.check(ct_set_random_state(device.type, device.index, key, counter))
    }
}

/// Makes the process keep the memory that tensors give back, for the next ones: a step takes what the one before gave
/// back, without the system's help.
public func keepFreedMemory() { ct_keep_freed_memory() }

/// The instruction set of this package's own loops: "avx512", "avx2" or "portable". The environment variable
/// CAMTL_CPU_CAPABILITY, "avx2" or "portable", limits it.
public var instructionSet: String { String(cString: ct_instruction_set()) }

/// Chooses the loops of another instruction set for the whole process, "" the best that the processor has. No operation
/// may be under way.
/// - Throws: `TorchError` where the processor has none of this name.
package func setInstructionSet(_ name: String) throws { try Tensor.check(ct_set_instruction_set(name)) }

/// Chooses what multiplies the float32 matrices of linear layers on the CPU: "mkl", "onednn", or "" for the better one.
/// - Throws: `TorchError` where libtorch has none of this name.
package func setProducts(_ name: String) throws { try Tensor.check(ct_set_products(name)) }
