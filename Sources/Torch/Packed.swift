import CTorch

/// Where the sequences of a packed batch stand: one after the other, without padding, in matrices with a row a token.
public final class PackedLayout {
    /// Which rows a matrix has.
    public enum Rows: Sendable {
        /// One a token.
        case tokens
        /// Those that are read of the encoder's output: of each sequence its first ones.
        case read
    }

    let handle: CTLayout

    /// - Parameters:
    ///   - lengths: the tokens of each sequence, 1 or more.
    ///   - slots: which of the batch's `slotCount` tasks each sequence is of.
    ///   - slotCount: the tasks in the batch.
    ///   - attentionMask: whether a token may be attended to, [tokens]; nil where all may.
    ///   - reads: how many rows are read of each sequence; nil for its first token's alone.
    /// - Throws: `TorchError` for an empty sequence or a slot that isn't there.
    public init(
        lengths: [Int], slots: [Int], slotCount: Int, attentionMask: [Bool]? = nil, reads: [Int]? = nil
    ) throws {
        let tokens = lengths.reduce(0, +)
        precondition(
            lengths.count == slots.count && attentionMask?.count ?? tokens == tokens
                && reads?.count ?? slots.count == slots.count, "lists of different batches")
        let (lengths, slots, reads) = (lengths.map(Int64.init), slots.map(Int64.init), reads?.map(Int64.init))
        func layout(_ mask: UnsafePointer<Bool>?, _ reads: UnsafePointer<Int64>?) -> CTLayout? {
            ct_layout(lengths, slots, lengths.count, slotCount, mask, reads)
        }
        func layout(_ mask: UnsafePointer<Bool>?) -> CTLayout? {
            reads.map { $0.withUnsafeBufferPointer { layout(mask, $0.baseAddress) } } ?? layout(mask, nil)
        }
        let layout = attentionMask.map { $0.withUnsafeBufferPointer { layout($0.baseAddress) } } ?? layout(nil)
        guard let layout else { throw TorchError() }
        handle = layout
    }

    deinit { ct_layout_release(handle) }
}

/// A projection whose bias is still to be added: x Wᵀ [rows, hidden] and b [hidden].
public struct Projection {
    public let product: Tensor
    public let bias: Tensor

    public init(product: Tensor, bias: Tensor) {
        self.product = product
        self.bias = bias
    }
}

/// Blocks along the diagonal of what is added to the scores of attention.
public struct DiagonalBlocks {
    /// The rows of all blocks, one below the other: [slots, positions, block width].
    public let rows: Tensor
    /// The rows of a block.
    public let height: Int

    public init(rows: Tensor, height: Int) {
        self.rows = rows
        self.height = height
    }

    /// With all that is zero around the blocks: [slots, positions, positions].
    public func expanded() throws -> Tensor { try Tensor(ct_block_diagonal(rows.handle, Int64(height))) }
}

/// softmax(Q Kᵀ / √d + B) V within each sequence and head, with dropout on the weights: [rows, hidden].
/// - Parameters:
///   - query: Q of all tokens, or of the rows that are read.
///   - key: K, of all tokens.
///   - value: V, of all tokens.
///   - blocks: B, or nil for none.
///   - heads: the heads, which share the hidden size.
///   - dropout: the share of the weights that become 0: 0..<1.
///   - layout: where the sequences stand.
///   - rows: which rows Q has.
public func packedAttention(
    query: Projection, key: Projection, value: Projection, blocks: DiagonalBlocks?, heads: Int, dropout: Double,
    layout: PackedLayout, rows: PackedLayout.Rows
) throws -> Tensor {
    try withExtendedLifetime((query, key, value, blocks)) {
        var operands = CTAttentionOperands(
            query: query.product.handle, key: key.product.handle, value: value.product.handle,
            query_bias: query.bias.handle, key_bias: key.bias.handle, value_bias: value.bias.handle,
            blocks: blocks?.rows.handle)
        return try Tensor(
            ct_packed_attention(
                &operands, Int64(blocks?.height ?? 0), Int64(heads), dropout, layout.handle, rows == .read))
    }
}

/// LN(dropout(x + bias) + residual) ⊙ gain + shift, in one pass: [rows, width].
/// - Parameters:
///   - x: [rows, width].
///   - bias: [width], or nil.
///   - residual: [rows, width], or nil.
///   - gain: [1, width], or one for each slot: [slots, width].
///   - shift: [width].
///   - epsilon: what is added to the variance.
///   - dropout: the share of x + bias that becomes 0: 0..<1.
///   - layout: where the sequences stand.
///   - rows: which rows x has.
public func residualNorm(
    _ x: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, gain: Tensor, shift: Tensor, epsilon: Double,
    dropout: Double = 0, layout: PackedLayout, rows: PackedLayout.Rows = .tokens
) throws -> Tensor {
    try Tensor(
        ct_residual_norm(
            x.handle, bias?.handle, residual?.handle, gain.handle, shift.handle, epsilon, dropout, layout.handle,
            rows == .read))
}

/// x ⊙ scale + shift, with a scale and a shift for each slot, [slots, width]: [rows, width].
public func modulated(
    _ x: Tensor, scale: Tensor, shift: Tensor, layout: PackedLayout, rows: PackedLayout.Rows
) throws -> Tensor {
    try Tensor(ct_modulate(x.handle, scale.handle, shift.handle, layout.handle, rows == .read))
}

/// z Φ(z) of z = x + bias, with the error function: [rows, width] and [width].
public func gelu(_ x: Tensor, bias: Tensor) throws -> Tensor { try Tensor(ct_bias_gelu(x.handle, bias.handle)) }
