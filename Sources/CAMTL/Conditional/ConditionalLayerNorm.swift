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

    /// Tokens [n, hidden], each by its own task's z.
    func callAsFunction(_ x: Tensor, _ context: Context) throws -> Tensor {
        guard let modulation, let condition = context.condition else {
            return observed(try layerNorm(x, weight: weight, bias: bias, epsilon: epsilon))
        }
        let (scale, shift) = try modulation.coefficients(condition.encoder)
        let conditioned = modulation.observed(try scale * weight + shift)
        let normalized = try layerNorm(x, weight: nil, bias: nil, epsilon: epsilon)
        return observed(try normalized * context.layout.perToken(conditioned) + bias)
    }
}
