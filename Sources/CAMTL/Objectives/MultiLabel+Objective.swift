import Tasks
import Torch

extension MultiLabel: TaskObjective {
    /// Binary cross entropy, its mean over labels and examples.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let values = try Tensor(output.targets.flatMap { $0 }, device: output.logits.device).to(output.logits.dtype)
        return try binaryCrossEntropy(
            logits: output.logits, targets: values.reshaped([output.targets.count, width]))
    }
}
