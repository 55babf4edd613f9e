import Tasks
import Torch

extension Regression: TaskObjective {
    /// The squared error.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor {
        let values = try Tensor(targets.map { $0[0] }, device: logits.device).to(logits.dtype)
        return try meanSquaredError(logits.reshaped([-1]), values)
    }
}
