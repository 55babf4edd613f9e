import CTorch

// MARK: - Shape

extension Tensor {
    /// One size may be -1: what the others leave.
    public func reshaped(_ shape: [Int]) throws -> Tensor {
        try Tensor(ct_reshape(handle, shape.map(Int64.init), shape.count))
    }

    public func unsqueezed(_ dimension: Int) throws -> Tensor {
        try Tensor(ct_unsqueeze(handle, Int64(dimension)))
    }

    /// A slice along one dimension.
    public func narrowed(_ dimension: Int, _ range: Range<Int>) throws -> Tensor {
        try Tensor(ct_narrow(handle, Int64(dimension), Int64(range.lowerBound), Int64(range.count)))
    }

    /// The entries of `dimension` that `indices` (Int64) names, in that order.
    public func selected(_ dimension: Int, _ indices: Tensor) throws -> Tensor {
        try Tensor(ct_index_select(handle, Int64(dimension), indices.handle))
    }
}

// MARK: - Arithmetic, with broadcasting

extension Tensor {
    public static func + (left: Tensor, right: Tensor) throws -> Tensor {
        try Tensor(ct_add(left.handle, right.handle))
    }

    public static func - (left: Tensor, right: Tensor) throws -> Tensor {
        try Tensor(ct_subtract(left.handle, right.handle))
    }

    public static func * (left: Tensor, right: Tensor) throws -> Tensor {
        try Tensor(ct_multiply(left.handle, right.handle))
    }

    public static func + (left: Tensor, right: Double) throws -> Tensor {
        try Tensor(ct_add_scalar(left.handle, right))
    }

    public static func * (left: Tensor, right: Double) throws -> Tensor {
        try Tensor(ct_multiply_scalar(left.handle, right))
    }

    public func matrixMultiplied(_ right: Tensor) throws -> Tensor {
        try Tensor(ct_matmul(handle, right.handle))
    }

    public func sum() throws -> Tensor { try Tensor(ct_sum(handle)) }

    /// Whether no element is infinite or not a number.
    public var isFinite: Bool {
        get throws {
            // One pass decides nearly always; a sum of finite numbers may be infinite, too.
            if try sum().item().isFinite { return true }
            return try elements(Double.self).allSatisfy(\.isFinite)
        }
    }
}

// MARK: - Neural network functions

public func tanh(_ x: Tensor) throws -> Tensor { try Tensor(ct_tanh(x.handle)) }

public func relu(_ x: Tensor) throws -> Tensor { try Tensor(ct_relu(x.handle)) }

/// Zeroes each element with `probability` and scales the others by 1 / (1 - probability); draws from the
/// stream that `seedRandomStream` seeds. Nothing happens, and nothing is drawn, at probability 0.
public func dropout(_ x: Tensor, probability: Double) throws -> Tensor {
    probability > 0 ? try Tensor(ct_dropout(x.handle, probability)) : x
}

/// x Wᵀ + b, with x [..., in], W [out, in], b [out].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor?) throws -> Tensor {
    try Tensor(ct_linear(x.handle, weight.handle, bias?.handle))
}

/// The rows of `table` [n, d] that `indices` (Int64, any shape) names: [..., d]. The row `paddingIndex` gets no
/// gradient. A sparse gradient has only the rows that were read: the same values, but the work and the memory of those.
public func embedding(
    _ indices: Tensor, table: Tensor, paddingIndex: Int? = nil, sparseGradient: Bool = false
) throws -> Tensor {
    try Tensor(ct_embedding(table.handle, indices.handle, Int64(paddingIndex ?? -1), sparseGradient))
}

/// The mean of -log softmax(logits)[class] over the rows, as PyTorch's `CrossEntropyLoss`.
///
/// - Parameters:
///   - logits: `[n, k]`.
///   - classes: `[n]`, Int64.
///   - weights: `[k]`, of the logits' type: what each class weighs. The mean is then over the rows' weights.
///   - labelSmoothing: the share of a target that is spread over all classes, 0...1.
public func crossEntropy(
    logits: Tensor, classes: Tensor, weights: Tensor? = nil, labelSmoothing: Double = 0
) throws -> Tensor {
    try withExtendedLifetime(weights) {
        try Tensor(ct_cross_entropy(logits.handle, classes.handle, weights?.handle, labelSmoothing))
    }
}

/// The mean of the squared differences.
public func meanSquaredError(_ values: Tensor, _ targets: Tensor) throws -> Tensor {
    try Tensor(ct_mse_loss(values.handle, targets.handle))
}

/// The mean of max(x, 0) - x y + ln(1 + e^-|x|) over logits x and targets y of one shape.
public func binaryCrossEntropy(logits: Tensor, targets: Tensor) throws -> Tensor {
    try Tensor(ct_binary_cross_entropy(logits.handle, targets.handle))
}
