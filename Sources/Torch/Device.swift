import CTorch

/// Where a tensor's memory lies.
public enum Device: Sendable, Hashable, CustomStringConvertible {
    case cpu
    case cuda(Int)

    // c10::DeviceType's numbers.
    var type: Int32 { if case .cpu = self { 0 } else { 1 } }
    var index: Int32 { if case .cuda(let index) = self { Int32(index) } else { -1 } }

    /// `cpu`, or such as `cuda:0`, with the device's name where it is known.
    public var description: String {
        guard case .cuda(let number) = self else { return "cpu" }
        let name = String(cString: ct_device_name(index))
        return "cuda:\(number)" + (name.isEmpty ? "" : " (\(name))")
    }

    /// Makes it the one that the calling thread computes on, and tries whether it can.
    ///
    /// - Throws: `TorchError`, such as for a device whose architecture libtorch has no code for.
    public func use() throws { try Tensor.check(ct_use_device(type, index)) }

    /// The most bytes that tensors on it have taken together, or nil for the CPU, of which it isn't known.
    public var peakMemory: Int? {
        guard self != .cpu else { return nil }
        let bytes = ct_peak_device_memory(type, index)
        return bytes < 0 ? nil : Int(bytes)
    }
}

/// What this libtorch finds of CUDA.
public enum CUDA {
    /// Whether this libtorch computes on CUDA devices, where there are any.
    public static var isSupported: Bool { ct_has_cuda() }

    /// The devices that this process may use.
    ///
    /// - Throws: `TorchError` where there are some that can't be used, as with a driver that is too old.
    public static func deviceCount() throws -> Int {
        let count = ct_cuda_device_count()
        try Tensor.check(count >= 0)
        return Int(count)
    }

    /// Whether products of float32 matrices may take TF32's 10 bits of their elements: faster, and less exact. At first
    /// they may not.
    public static func allowTF32(_ isAllowed: Bool) { ct_allow_tf32(isAllowed) }
}
