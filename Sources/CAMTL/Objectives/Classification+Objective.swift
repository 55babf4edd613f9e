import Tasks
import Torch

extension Classification: TaskObjective {
    /// Cross entropy.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let classes = try Tensor(output.targets.map { Int64($0[0]) }, device: output.logits.device)
        return try crossEntropy(logits: output.logits, classes: classes)
    }
}
