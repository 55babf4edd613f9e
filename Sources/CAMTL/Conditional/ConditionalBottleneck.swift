import Torch

/// A bottleneck (H -> H/3 -> H) behind a modulation by the task: W_up (W_down FiLM(c, x)), c = W z. Nothing in it is
/// non-linear.
///
/// Source: the paper's conditional bottleneck; `ConditionalBottleNeck` of the original.
final class ConditionalBottleneck: Module {
    @Child("emb_transf") var conditionTransformation: Linear
    @Child("hidden_modulation") var modulation: FiLM
    @Child("down_proj_layer") var downProjection: Linear
    @Child("up_proj_layer") var upProjection: Linear

    init(_ backbone: BERTConfiguration) {
        let (width, std) = (backbone.hiddenSize, backbone.initializerRange)
        super.init()
        conditionTransformation = Linear(width, width, std: std)
        modulation = FiLM(condition: width, width: width, std: std)
        downProjection = Linear(width, width / 3, std: std)
        upProjection = Linear(width / 3, width, std: std)
    }

    /// [rows, hidden] -> [rows, hidden].
    func callAsFunction(
        _ x: Tensor, condition: TaskCondition, layout: Layout, rows: PackedLayout.Rows
    ) throws -> Tensor {
        let c = try conditionTransformation(condition.encoder)
        let modulated = try modulation(x, condition: c, layout: layout, rows: rows)
        return observed(try upProjection(downProjection(modulated)))
    }
}
