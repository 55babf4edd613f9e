import Tasks
import Torch

extension Classification: TaskObjective {
    /// Cross entropy, with the classes' weights and label smoothing.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let logits = output.logits
        let classes = try Tensor(output.targets.map { Int64($0[0]) }, device: logits.device)
        let weights = try classWeights.map { try Tensor($0, device: logits.device).to(logits.dtype) }
        return try crossEntropy(logits: logits, classes: classes, weights: weights, labelSmoothing: labelSmoothing)
    }
}
