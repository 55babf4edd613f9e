/// x Wᵀ + b.
public final class Linear: Module {
    @Parameter("weight") public var weight: Tensor
    @Parameter("bias") public var bias: Tensor

    /// The type that the product is computed and given in; nil is the parameters' own. Their gradients are of their own
    /// type in either case.
    public var productType: DType?
    /// The weights in that type, by whether gradients are recorded, while they are the same.
    private var converted: [Bool: (weight: Tensor, source: Tensor, changes: Int64)] = [:]

    /// - Parameters:
    ///   - inputs: the last dimension of what goes in.
    ///   - outputs: the last dimension of what comes out.
    ///   - std: the standard deviation of the initial weights; biases start at 0.
    public init(_ inputs: Int, _ outputs: Int, std: Double) {
        super.init()
        _weight.declare([outputs, inputs], .normal(std: std))
        _bias.declare([outputs], .zeros)
    }

    /// [..., inputs] -> [..., outputs].
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        let weight = try productWeight()
        return observed(try linear(x.to(weight.dtype), weight: weight, bias: bias.to(weight.dtype)))
    }

    /// x Wᵀ, for an operation that adds the bias itself. The observer is shown the sum.
    public func withoutBias(_ x: Tensor) throws -> Tensor {
        let weight = try productWeight()
        let product = try linear(x.to(weight.dtype), weight: weight, bias: nil)
        if observer != nil { observed(try product + bias) }
        return product
    }

    /// The weights as the product takes them, converted once after each change.
    private func productWeight() throws -> Tensor {
        let weight = weight
        guard let productType, productType != weight.dtype else { return weight }
        let isRecorded = gradientsAreRecorded && weight.requiresGradient
        if let known = converted[isRecorded], known.source === weight, known.changes == weight.changeCount {
            return known.weight
        }
        let result = try weight.to(productType)
        converted[isRecorded] = (result, weight, weight.changeCount)
        return result
    }
}

/// A table of rows to look up.
public final class Embedding: Module {
    @Parameter("weight") public var weight: Tensor
    private let paddingIndex: Int?

    /// - Parameters:
    ///   - rows: how many there are.
    ///   - width: how long each is.
    ///   - std: the standard deviation of the initial values.
    ///   - paddingIndex: a row that is read, but gets no gradient.
    ///   - sparseGradient: whether the gradient has only the rows that were read.
    public init(_ rows: Int, _ width: Int, std: Double, paddingIndex: Int? = nil, sparseGradient: Bool = false) {
        self.paddingIndex = paddingIndex
        super.init()
        _weight.declare([rows, width], .normal(std: std), hasSparseGradient: sparseGradient)
    }

    /// Indices (Int64) of any shape -> [..., width].
    public func callAsFunction(_ indices: Tensor) throws -> Tensor {
        observed(
            try embedding(
                indices, table: weight, paddingIndex: paddingIndex, sparseGradient: _weight.hasSparseGradient))
    }
}

/// Layer normalisation with a learned scale and shift.
public final class LayerNorm: Module {
    @Parameter("weight") public var weight: Tensor
    @Parameter("bias") public var bias: Tensor
    public let epsilon: Double

    public init(_ width: Int, epsilon: Double) {
        self.epsilon = epsilon
        super.init()
        _weight.declare([width], .ones)
        _bias.declare([width], .zeros)
    }

    /// LN(x + residual) of all tokens: [tokens, width].
    public func callAsFunction(_ x: Tensor, residual: Tensor, layout: PackedLayout) throws -> Tensor {
        observed(
            try residualNorm(
                x, residual: residual, gain: weight.unsqueezed(0), shift: bias, epsilon: epsilon, layout: layout))
    }
}
