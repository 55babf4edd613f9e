import CTorch

// MARK: - Shape

extension Tensor {
    /// One size may be -1: what the others leave.
    public func reshaped(_ shape: [Int]) throws -> Tensor {
        try Tensor(ct_reshape(handle, shape.map(Int64.init), shape.count))
    }

    public func transposed(_ first: Int, _ second: Int) throws -> Tensor {
        try Tensor(ct_transpose(handle, Int64(first), Int64(second)))
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

    /// Zeros around the last dimension; a negative count cuts entries away.
    public func paddedLast(before: Int, after: Int) throws -> Tensor {
        try Tensor(ct_pad_last(handle, Int64(before), Int64(after)))
    }
}

public func concatenated(_ tensors: [Tensor], dimension: Int) throws -> Tensor {
    // An array may be released after its last use in Swift; the handles in C need it until the end.
    try withExtendedLifetime(tensors) {
        try Tensor(ct_concatenate(tensors.map(\.handle), tensors.count, Int64(dimension)))
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

    public static func / (left: Tensor, right: Tensor) throws -> Tensor {
        try Tensor(ct_divide(left.handle, right.handle))
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

    public func sum(dimension: Int, keep: Bool = false) throws -> Tensor {
        try Tensor(ct_sum_dimension(handle, Int64(dimension), keep))
    }

    public func mean() throws -> Tensor { try Tensor(ct_mean(handle)) }
}

// MARK: - Neural network functions

public func tanh(_ x: Tensor) throws -> Tensor { try Tensor(ct_tanh(x.handle)) }

/// x Φ(x), with the error function.
public func gelu(_ x: Tensor) throws -> Tensor { try Tensor(ct_gelu(x.handle)) }

public func relu(_ x: Tensor) throws -> Tensor { try Tensor(ct_relu(x.handle)) }

public func softmax(_ x: Tensor, dimension: Int = -1) throws -> Tensor {
    try Tensor(ct_softmax(x.handle, Int64(dimension)))
}

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

/// (x - mean) / sqrt(variance + epsilon) over the last dimension, then scaled and shifted where given.
public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Double) throws -> Tensor {
    try Tensor(ct_layer_norm(x.handle, weight?.handle, bias?.handle, epsilon))
}

/// The mean of -log softmax(logits)[class] over the rows: logits [n, k], classes [n] (Int64).
public func crossEntropy(logits: Tensor, classes: Tensor) throws -> Tensor {
    try Tensor(ct_cross_entropy(logits.handle, classes.handle))
}

/// The mean of the squared differences.
public func meanSquaredError(_ values: Tensor, _ targets: Tensor) throws -> Tensor {
    try Tensor(ct_mse_loss(values.handle, targets.handle))
}
