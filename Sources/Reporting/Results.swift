import CAMTL
import Training

/// The figures of a training: what `train_results.json` says.
struct TrainResults {
    let summary: TrainingSummary
    /// Passes over the data that were made, with their fraction; nil if there were no updates.
    let epoch: Double?
    /// The mean loss of the updates; nil if there were none.
    let loss: Double?
    /// Updates and examples of this process, which a run that went on from a checkpoint had more of.
    private let steps: Int
    private let examples: Int

    init(_ summary: TrainingSummary, _ trained: RunRecord.Trained) {
        self.summary = summary
        epoch = trained.epoch
        loss = trained.steps > 0 ? trained.totalLoss / Double(trained.steps) : nil
        steps = trained.steps
        examples = trained.examples
    }

    var seconds: Double? { summary.seconds }
    var examplesPerSecond: Double? { rate(examples) }
    var stepsPerSecond: Double? { rate(steps) }

    private func rate(_ count: Int) -> Double? { summary.seconds > 0 ? Double(count) / summary.seconds : nil }

    /// Under the names of Hugging Face's Trainer.
    var figures: Figures {
        var figures: Figures = [
            "train_steps": .count(summary.steps), "train_runtime": .number(summary.seconds),
            "train_samples": .count(summary.usage.ordered.map(\.available).reduce(0, +)),
            "train_share_used": .number(summary.usage.share),
        ]
        figures["epoch"] = epoch.map(Figure.number)
        figures["train_loss"] = loss.map(Figure.number)
        figures["train_samples_per_second"] = examplesPerSecond.map(Figure.number)
        figures["train_steps_per_second"] = stepsPerSecond.map(Figure.number)
        for task in summary.usage.ordered {
            figures["train_\(task.name)_samples"] = .count(task.available)
            figures["train_\(task.name)_used"] = .count(task.used)
            figures["train_\(task.name)_updates"] = .count(task.updates)
        }
        return figures
    }
}

/// The figures of an evaluation.
struct EvaluationResults {
    let report: EvaluationReport
    /// nil if it was not measured.
    let seconds: Double?
    let batchSize: Int

    /// What `eval_results.json` says: what the model and the data give, and nothing of the machine, so that a model
    /// that is loaded again gives the same file.
    var figures: Figures {
        var figures: Figures = [
            "eval_average": .number(report.average), "eval_average_std": .number(report.deviation),
        ]
        for result in report.results {
            figures["eval_\(result.name)_loss"] = .number(result.loss)
            figures["eval_\(result.name)_samples"] = .count(result.count)
            for entry in result.scores.entries {
                figures["eval_\(result.name)_\(entry.metric.rawValue)"] = .number(entry.value)
            }
        }
        return figures
    }

    /// What `all_results.json` says besides.
    var timings: Figures {
        let samples = report.results.map(\.count).reduce(0, +)
        var figures: Figures = ["eval_samples": .count(samples)]
        guard let seconds, seconds > 0 else { return figures }
        let batches = report.results.map { ($0.count + batchSize - 1) / batchSize }.reduce(0, +)
        figures["eval_runtime"] = .number(seconds)
        figures["eval_samples_per_second"] = .number(Double(samples) / seconds)
        figures["eval_steps_per_second"] = .number(Double(batches) / seconds)
        return figures
    }
}
