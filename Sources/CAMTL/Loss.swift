import Tasks
import Torch

/// The loss of a mixed batch.
public struct BatchLoss {
    /// The arithmetic mean over the tasks in the batch of `tasks`' losses, each times its task's weight, not a mean over
    /// sequences: a task with one sequence in the batch weighs as much as one with seven.
    public let total: Tensor
    /// The mean over a task's examples, each with its weight, as its kind has it.
    public let tasks: [(task: Int, loss: Tensor)]
}

extension ModelOutput {
    /// The batch's loss, as `CaMtl.forward` of the original computes it.
    /// - Parameters:
    ///   - targets: of each example in the batch, as its task's kind has them: the class' number, or the value to
    ///     predict, or 0 and 1 for each label, or a class for each token.
    ///   - configuration: the model's.
    ///   - wholeBatch: where this is a part of a batch, what the examples of each task weigh in the whole, by the
    ///     `lossWeight` of its kind: the totals of the parts add up to the whole's.
    ///   - weights: by the tasks' positions in the model's list, those of tasks that don't weigh 1.
    public func loss(
        targets: [[Double]], configuration: ModelConfiguration, wholeBatch: [Int: Double]? = nil,
        weights: [Int: Double] = [:]
    ) throws -> BatchLoss {
        let losses = try tasks.map { output in
            let loss = try configuration.tasks[output.task].objective.loss(
                DecoderOutput(
                    logits: output.logits, rowCounts: output.rowCounts, targets: output.samples.map { targets[$0] }))
            return (task: output.task, loss: loss)
        }
        let parts = try zip(losses, tasks).map { part, output in
            let kind = configuration.tasks[part.task].kind
            let own = output.samples.reduce(0) { $0 + kind.lossWeight(of: targets[$1].map(Float.init)[...]) }
            let share = wholeBatch?[part.task].map { $0 == 0 ? 0 : own / $0 } ?? 1
            let factor = share * weights[part.task, default: 1]
            return factor == 1 ? part.loss : try part.loss * factor
        }
        let sum = try parts.dropFirst().reduce(parts[0]) { try $0 + $1 }
        return BatchLoss(total: try sum * (1 / Double(wholeBatch?.count ?? losses.count)), tasks: losses)
    }
}
