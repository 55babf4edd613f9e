import Tasks
import Torch

extension MultiLabel: TaskObjective {
    /// Binary cross entropy, its mean over labels and sequences.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor {
        let values = try Tensor(targets.flatMap { $0 }, device: logits.device).to(logits.dtype)
        return try binaryCrossEntropy(logits: logits, targets: values.reshaped([targets.count, width]))
    }
}
