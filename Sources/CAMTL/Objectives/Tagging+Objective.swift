import Tasks
import Torch

extension Tagging: TaskObjective {
    static let transformersClass = TransformersClass(name: "BertForTokenClassification")

    /// Cross entropy of each word's first piece, its mean over words.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let targets = output.targets.flatMap { $0 }
        let words = targets.indices.filter { targets[$0] >= 0 }
        let device = output.logits.device
        let logits = try output.logits.selected(0, Tensor(words.map(Int64.init), device: device))
        return try crossEntropy(
            logits: logits, classes: Tensor(words.map { Int64(targets[$0]) }, device: device))
    }
}
