import Torch

/// Feature-wise linear modulation: x ⊙ (1 + γ(c)) + β(c), with [γ | β] = W c + b.
///
/// Source: `FiLM` of the original; the paper's conditional alignment, and a part of its other conditional modules.
final class FiLM: Module {
    @Child("gb_weights") var gammaBeta: Linear
    private let width: Int

    /// - Parameters:
    ///   - condition: the width of c.
    ///   - width: the width of x.
    init(condition: Int, width: Int, std: Double) {
        self.width = width
        super.init()
        gammaBeta = Linear(condition, 2 * width, std: std)
    }

    /// 1 + γ and β of each condition: [n, condition] -> two of [n, width].
    func coefficients(_ condition: Tensor) throws -> (scale: Tensor, shift: Tensor) {
        let both = try gammaBeta(condition)
        return (try both.narrowed(1, 0..<width) + 1, try both.narrowed(1, width..<2 * width))
    }

    /// [rows, width], each modulated by its own task's condition ([tasks, condition]).
    func callAsFunction(
        _ x: Tensor, condition: Tensor, layout: Layout, rows: PackedLayout.Rows = .tokens
    ) throws -> Tensor {
        let (scale, shift) = try coefficients(condition)
        return observed(try modulated(x, scale: scale, shift: shift, layout: layout.packed, rows: rows))
    }
}
