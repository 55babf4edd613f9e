import CTorch

/// What `body` makes of tensors, keeping nothing in between: for the gradient it is run again, with the same dropout.
///
/// Source: Chen, Xu, Zhang, Guestrin: Training deep nets with sublinear memory cost, 2016.
///
/// - Parameters:
///   - inputs: what `body` is given, and has to take in place of the tensors it knows: for the gradient they are others
///     with the same values.
///   - parameters: all tensors besides the inputs that have gradients by it.
///   - body: computes the same at each call with the same inputs.
/// - Throws: `TorchError`, also in place of what `body` throws.
public func recomputed(
    _ inputs: [Tensor], parameters: [Parameter], _ body: @escaping ([Tensor]) throws -> Tensor
) throws -> Tensor {
    let box = Unmanaged.passRetained(RecomputedBody(body)).toOpaque()
    let callbacks = CTRecomputedBody(
        context: box,
        run: { context, handles, count in
            guard let context else { return nil }
            return Unmanaged<RecomputedBody>.fromOpaque(context).takeUnretainedValue()
                .run(UnsafeBufferPointer(start: handles, count: count))
        },
        release: { context in
            if let context { Unmanaged<RecomputedBody>.fromOpaque(context).release() }
        })
    let tensors = parameters.map(\.wrappedValue)
    return try withExtendedLifetime((inputs, tensors)) {
        try Tensor(
            ct_recomputed(inputs.map(\.handle), inputs.count, tensors.map(\.handle), tensors.count, callbacks))
    }
}

private final class RecomputedBody {
    private let body: ([Tensor]) throws -> Tensor

    init(_ body: @escaping ([Tensor]) throws -> Tensor) { self.body = body }

    /// A new handle, or nil after the reason for the failure is set.
    func run(_ handles: UnsafeBufferPointer<CTTensor?>) -> CTTensor? {
        do {
            let inputs = try handles.map { try Tensor($0.flatMap { ct_share($0) }) }
            let output = try body(inputs)
            return withExtendedLifetime(output) { ct_share(output.handle) }
        } catch {
            ct_fail("\(error)")
            return nil
        }
    }
}
