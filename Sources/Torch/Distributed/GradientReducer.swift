import CTorch

/// Makes gradients the mean over the processes of a group while the backward pass goes on: the reducer of libtorch's
/// DistributedDataParallel. A parameter that no process used is left without a gradient.
public final class GradientReducer {
    private let handle: CTReducer

    /// - Parameters:
    ///   - group: the processes; each makes its reducer at the same point.
    ///   - parameters: what has gradients, in the same order in each process.
    public init(_ group: ProcessGroup, parameters: [Parameter]) throws {
        let tensors = parameters.map(\.wrappedValue)
        let reducer = withExtendedLifetime(tensors) {
            ct_reducer(group.handle, tensors.map(\.handle), parameters.map(\.hasSparseGradient), tensors.count)
        }
        guard let reducer else { throw TorchError() }
        handle = reducer
    }

    deinit { ct_reducer_release(handle) }

    /// Call it before the backward pass from `loss` that is to exchange gradients: its own, and those that passes
    /// without this call have left. Each process has to read every parameter whose gradient is sparse.
    public func prepare(for loss: Tensor) throws {
        try Tensor.check(ct_reducer_prepare(handle, loss.handle))
    }
}
