import Torch

/// The conditional block-diagonal attention bias: M(z) = ⊕ₙ (Aₙ ⊙ (1 + γ(z)) + β(z)), N = hidden / maximum length
/// blocks.
///
/// Source: the paper's conditional attention; `CBDA` of the original. Its matrix A is cut into N chunks of rows as
/// `torch.chunk` does (the last shorter, and perhaps fewer than N), which then stand along the diagonal, cut to the
/// maximum length.
final class BlockDiagonalBias: Module {
    /// A: [maximum length, block width].
    @Parameter("random_weight_matrix") var matrix: Tensor
    @Child("cond_block_diag_attn") var modulation: ConditionedBlocks

    init(_ configuration: ModelConfiguration) {
        let hidden = configuration.backbone.hiddenSize
        let length = configuration.maxSequenceLength
        let width = ceilingDivision(length, hidden / length)
        super.init()
        _matrix.declare([length, width], .zeros)
        modulation = ConditionedBlocks(
            condition: hidden, length: length, width: width, std: configuration.backbone.initializerRange)
    }

    /// The biases of the tasks with the conditions z ([tasks, hidden]), for the first `length` positions.
    func callAsFunction(condition: Tensor, length: Int) throws -> DiagonalBlocks {
        try modulation(matrix, condition: condition, length: length)
    }
}

/// FiLM over the columns of the matrix, whose rows are then those of the blocks. The observer is shown them on the
/// diagonal: [tasks, length, length].
final class ConditionedBlocks: Module {
    @Child("gb_weights") var gammaBeta: Linear
    private let width: Int
    private let blockHeight: Int

    init(condition: Int, length: Int, width: Int, std: Double) {
        self.width = width
        blockHeight = ceilingDivision(length, condition / length)
        super.init()
        gammaBeta = Linear(condition, 2 * width, std: std)
    }

    func callAsFunction(_ matrix: Tensor, condition: Tensor, length: Int) throws -> DiagonalBlocks {
        let both = try gammaBeta(condition).unsqueezed(1)
        let gamma = try both.narrowed(2, 0..<width)
        let beta = try both.narrowed(2, width..<2 * width)
        let blocks = DiagonalBlocks(
            rows: try matrix.narrowed(0, 0..<length) * (gamma + 1) + beta, height: blockHeight)
        if observer != nil { observed(try blocks.expanded()) }
        return blocks
    }
}

func ceilingDivision(_ dividend: Int, _ divisor: Int) -> Int { (dividend + divisor - 1) / divisor }
