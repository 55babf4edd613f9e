import CTorch

/// A copy of a tensor in the processor's memory, made when the tensor is computed. Only whoever reads it waits for it:
/// a device goes on with what it has been given to do.
public final class Readback {
    private let handle: CTReadback

    /// Begins the copy. Of a CPU tensor it is the tensor itself, which is not to change before it is read.
    public init(_ tensor: Tensor) throws {
        guard let handle = ct_readback(tensor.handle) else { throw TorchError() }
        self.handle = handle
    }

    deinit { ct_readback_release(handle) }

    /// The copy, on the CPU.
    ///
    /// - Parameter timeout: seconds to wait for it; nil waits for ever.
    /// - Throws: `TorchError` where it takes longer, or computing the tensor has failed.
    public func tensor(timeout: Double? = nil) throws -> Tensor {
        try Tensor(ct_readback_wait(handle, timeout.map(milliseconds) ?? -1))
    }
}
