import Tasks
import Torch

extension Classification: TaskObjective {
    /// Cross entropy.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor {
        let classes = try Tensor(targets.map { Int64($0[0]) }, device: logits.device)
        return try crossEntropy(logits: logits, classes: classes)
    }
}
