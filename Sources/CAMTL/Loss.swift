import Tasks
import Torch

/// The loss of a mixed batch.
public struct BatchLoss {
    /// The arithmetic mean over the tasks in the batch of `tasks`' losses, each times its task's weight, not a mean over
    /// sequences: a task with one sequence in the batch weighs as much as one with seven.
    public let total: Tensor
    /// The mean over a task's sequences, with the weights of its kind.
    public let tasks: [(task: Int, loss: Tensor)]
}

extension ModelOutput {
    /// The batch's loss, as `CaMtl.forward` of the original computes it.
    /// - Parameters:
    ///   - targets: of each sequence in the batch, as its task's kind has them: the class' number, or the value to
    ///     predict, or 0 and 1 for each label.
    ///   - configuration: the model's.
    ///   - wholeBatch: where this is a part of a batch, what each task's sequences of the whole weigh together, by the
    ///     `lossWeight` of its kind: the totals of the parts add up to the whole's.
    ///   - weights: by the tasks' positions in the model's list, those of tasks that don't weigh 1.
    public func loss(
        targets: [[Double]], configuration: ModelConfiguration, wholeBatch: [Int: Double]? = nil,
        weights: [Int: Double] = [:]
    ) throws -> BatchLoss {
        let losses = try tasks.map { output in
            let loss = try configuration.tasks[output.task].objective.loss(
                logits: output.logits, targets: output.samples.map { targets[$0] })
            return (task: output.task, loss: loss)
        }
        let parts = try zip(losses, tasks).map { part, output in
            let kind = configuration.tasks[part.task].kind
            let share = wholeBatch?[part.task].map { whole in
                output.samples.reduce(0) { $0 + kind.lossWeight(of: targets[$1].map(Float.init)[...]) } / whole
            } ?? 1
            let factor = share * weights[part.task, default: 1]
            return factor == 1 ? part.loss : try part.loss * factor
        }
        let sum = try parts.dropFirst().reduce(parts[0]) { try $0 + $1 }
        return BatchLoss(total: try sum * (1 / Double(wholeBatch?.count ?? losses.count)), tasks: losses)
    }
}
