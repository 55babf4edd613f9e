import Files
import Foundation

/// The figures of a run as JSON, under the names of Hugging Face's Trainer: `train_results.json`, `eval_results.json`.
enum ResultsFile {
    static func write(_ evaluation: EvaluationReport, to folder: URL) throws {
        var fields: [String: Any] = [:]
        for result in evaluation.results {
            fields["eval_\(result.name)_loss"] = number(result.loss)
            fields["eval_\(result.name)_samples"] = result.count
            for entry in result.scores.entries {
                fields["eval_\(result.name)_\(entry.metric.rawValue)"] = number(entry.value)
            }
        }
        fields["eval_average"] = number(evaluation.average)
        fields["eval_average_std"] = number(evaluation.deviation)
        try write(fields, to: folder.appendingPathComponent("eval_results.json"))
    }

    static func write(_ summary: TrainingSummary, to folder: URL) throws {
        var fields: [String: Any] = [
            "train_steps": summary.steps, "train_runtime": summary.seconds,
            "train_steps_per_second": Double(summary.steps) / summary.seconds,
            "train_share_used": summary.usage.share,
        ]
        for task in summary.usage.ordered {
            fields["train_\(task.name)_samples"] = task.available
            fields["train_\(task.name)_used"] = task.used
            fields["train_\(task.name)_updates"] = task.updates
        }
        try write(fields, to: folder.appendingPathComponent("train_results.json"))
    }

    /// JSON has no NaN: an undefined figure is null.
    private static func number(_ value: Double) -> Any { value.isFinite ? value : NSNull() }

    private static func write(_ fields: [String: Any], to url: URL) throws {
        let data = try JSONSerialization.data(
            withJSONObject: fields, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try writeAtomically(to: url) { try $0.write(data + [0x0A]) }
    }
}
