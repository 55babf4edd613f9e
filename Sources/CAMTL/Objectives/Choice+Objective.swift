import Tasks
import Torch

extension Choice: TaskObjective {
    static let transformersClass = TransformersClass(name: "BertForMultipleChoice", namesOutputs: false)

    /// Cross entropy over the choices of each example.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        try crossEntropy(
            logits: output.logitsByExample()[0],
            classes: Tensor(output.targets.map { Int64($0[0]) }, device: output.logits.device))
    }
}
