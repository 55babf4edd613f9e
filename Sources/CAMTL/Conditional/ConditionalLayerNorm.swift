import Torch

/// Layer normalisation, whose scale a task may condition: y = (x - μ) / √(σ² + ε) ⊙ γ̂ + b, with
/// γ̂(z) = (1 + γ(z)) ⊙ g + β(z). Only the scale is conditioned; the bias b is not.
///
/// Source: the paper's conditional layer normalisation; `ConditionalLayerNorm` of the original. Without modulation it
/// is BERT's `LayerNorm`.
final class ConditionalLayerNorm: Module {
    @Parameter("weight") var weight: Tensor
    @Parameter("bias") var bias: Tensor
    @Child("ln_weight_modulation") var modulation: FiLM?
    private let epsilon: Double

    init(_ backbone: BERTConfiguration, conditional: Bool) {
        epsilon = backbone.layerNormEpsilon
        super.init()
        let width = backbone.hiddenSize
        _weight.declare([width], .ones)
        _bias.declare([width], .zeros)
        modulation = conditional ? FiLM(condition: width, width: width, std: backbone.initializerRange) : nil
    }

    /// The norm of dropout(x + bias) + residual, each row by its own task's z: [rows, hidden].
    func callAsFunction(
        _ x: Tensor, bias inputBias: Tensor? = nil, dropout: Double = 0, residual: Tensor, _ context: Context,
        rows: PackedLayout.Rows
    ) throws -> Tensor {
        observed(
            try residualNorm(
                x, bias: inputBias, residual: residual, gain: gain(context), shift: bias, epsilon: epsilon,
                dropout: dropout, layout: context.layout.packed, rows: rows))
    }

    /// γ̂ of each task, or what all share: [tasks, hidden] or [1, hidden].
    private func gain(_ context: Context) throws -> Tensor {
        guard let modulation, let condition = context.condition else { return try weight.unsqueezed(0) }
        let (scale, shift) = try modulation.coefficients(condition.encoder)
        return modulation.observed(try scale * weight + shift)
    }
}
