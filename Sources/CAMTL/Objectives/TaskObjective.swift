import Tasks
import Torch

/// How the decoder of a kind of task is trained. Each kind has its own in a file beside this one.
protocol TaskObjective: TaskKind {
    /// The mean loss of a task's sequences of a batch, each with its `lossWeight`.
    ///
    /// - Parameters:
    ///   - logits: `[sequences, width]`.
    ///   - targets: of each sequence, `targetWidth` numbers.
    /// - Returns: a scalar.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor
}

extension TaskHead {
    var objective: any TaskObjective {
        guard let objective = kind as? any TaskObjective else {
            preconditionFailure("the kind \(kind.name) has no objective")
        }
        return objective
    }
}
