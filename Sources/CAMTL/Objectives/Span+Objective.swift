import Tasks
import Torch

extension Span: TaskObjective {
    static let transformersClass = TransformersClass(
        name: "BertForQuestionAnswering", decoder: "qa_outputs", namesOutputs: false)

    /// The mean of the cross entropies of where answers begin and where they end, over the tokens of each sequence.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let sides = try output.logitsByExample().enumerated().map { side, logits in
            try crossEntropy(
                logits: logits, classes: Tensor(output.targets.map { Int64($0[side]) }, device: logits.device))
        }
        return try (sides[0] + sides[1]) * 0.5
    }
}
