import CTorch

/// x Wᵀ + b in 8-bit integers: inexact and without gradients, for forward passes that choose between examples.
///
/// The weights are those of the moment it is made. Each output's weights are rounded to 255 steps between minus and
/// plus its largest; each row of x to 256 steps between its lowest and its highest number, or 0. The sums of products
/// are exact, so that a row of the result depends on that row of x alone, and is the same bits on every processor and
/// at any number of threads.
public final class QuantizedLinear {
    private let handle: CTQuantizedLinear

    /// Whether the processor multiplies 8-bit integers faster than 32-bit floats. Where it does not, the results are
    /// the same, but slower than exact ones.
    public static var isAccelerated: Bool { ct_quantized_linear_is_fast() }

    /// - Parameters:
    ///   - weight: W, [outputs, inputs], float32 on the CPU, at most 65536 inputs.
    ///   - bias: b, [outputs], or nil.
    /// - Throws: `TorchError` if they are anything else.
    public init(weight: Tensor, bias: Tensor?) throws {
        guard let handle = ct_quantize_linear(weight.handle, bias?.handle) else { throw TorchError() }
        self.handle = handle
    }

    deinit { ct_release_quantized_linear(handle) }

    /// [..., inputs] -> [..., outputs], float32 on the CPU; x has no gradient to record.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        try Tensor(ct_quantized_linear(handle, x.handle))
    }

    /// What stands between the two layers of `feedForward`.
    public enum Activation: Sendable {
        /// x Φ(x), to 4e-5 · max(1, |x|).
        case gelu
        case relu
    }

    /// down(activation(up(x))), without the wide values in memory: [..., inputs] -> [..., outputs of `down`].
    public static func feedForward(
        _ x: Tensor, up: QuantizedLinear, activation: Activation, down: QuantizedLinear
    ) throws -> Tensor {
        let activation = activation == .gelu ? CT_ACTIVATION_GELU : CT_ACTIVATION_RELU
        return try Tensor(ct_quantized_feed_forward(up.handle, Int32(activation), down.handle, x.handle))
    }
}
