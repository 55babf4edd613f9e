import Tasks
import Torch

extension Regression: TaskObjective {
    /// The squared error.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let values = try Tensor(output.targets.map { $0[0] }, device: output.logits.device).to(output.logits.dtype)
        return try meanSquaredError(output.logits.reshaped([-1]), values)
    }
}
