import Tasks
import Torch

/// The loss of a mixed batch.
public struct BatchLoss {
    /// The arithmetic mean over the tasks in the batch of `tasks`' losses, not a mean over sequences: a task with one
    /// sequence in the batch weighs as much as one with seven.
    public let total: Tensor
    /// Mean cross entropy, or in regression mean squared error, over a task's sequences.
    public let tasks: [(task: Int, loss: Tensor)]
}

extension ModelOutput {
    /// The batch's loss, as `CaMtl.forward` of the original computes it.
    /// - Parameters:
    ///   - labels: of each sequence in the batch: the class' number, or the value to predict.
    ///   - configuration: the model's.
    ///   - wholeBatch: where this is a part of a batch, how many sequences of each task the whole has: the totals of
    ///     the parts add up to the whole's.
    public func loss(
        labels: [Double], configuration: ModelConfiguration, wholeBatch: [Int: Int]? = nil
    ) throws -> BatchLoss {
        let losses = try tasks.map { output in
            let labels = output.samples.map { labels[$0] }
            switch configuration.tasks[output.task].output {
            case .classification:
                let classes = try Tensor(labels.map { Int64($0) }, device: output.logits.device)
                return (task: output.task, loss: try crossEntropy(logits: output.logits, classes: classes))
            case .regression:
                let targets = try Tensor(labels, device: output.logits.device).to(output.logits.dtype)
                let values = try output.logits.reshaped([-1])
                return (task: output.task, loss: try meanSquaredError(values, targets))
            }
        }
        let parts = try zip(losses, tasks).map { part, output in
            guard let whole = wholeBatch?[part.task] else { return part.loss }
            return try part.loss * (Double(output.samples.count) / Double(whole))
        }
        let sum = try parts.dropFirst().reduce(parts[0]) { try $0 + $1 }
        return BatchLoss(total: try sum * (1 / Double(wholeBatch?.count ?? losses.count)), tasks: losses)
    }
}
