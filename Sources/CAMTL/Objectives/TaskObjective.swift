import Tasks
import Torch

/// How the decoder of a kind of task is trained. Each kind has its own in a file beside this one.
protocol TaskObjective: TaskKind {
    /// The mean loss of a task's examples of a batch, each with its ``TaskKind/weight(ofTarget:)``.
    ///
    /// - Returns: a scalar.
    func loss(_ output: DecoderOutput) throws -> Tensor
}

/// What a task's decoder gave for its examples of a batch, and what it should have.
struct DecoderOutput {
    /// `[rows, width]`, of one example after the other.
    let logits: Tensor
    /// The rows of each example.
    let rowCounts: [Int]
    /// Of each example, as the task's kind has it.
    let targets: [[Double]]
}

extension TaskHead {
    var objective: any TaskObjective {
        guard let objective = kind as? any TaskObjective else {
            preconditionFailure("the kind \(kind.name) has no objective")
        }
        return objective
    }
}
