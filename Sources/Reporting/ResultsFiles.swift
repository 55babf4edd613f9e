import CAMTL
import Files
import Foundation
import Training

/// Figures by their names in a file.
typealias Figures = [String: JSONValue]

extension TrainingSummary {
    var examplesPerSecond: Double? { seconds > 0 ? Double(examples) / seconds : nil }
    var stepsPerSecond: Double? { seconds > 0 ? Double(steps) / seconds : nil }

    /// What `train_results.json` says.
    var figures: Figures {
        var figures: Figures = [
            "epoch": .number(epoch), "train_loss": .number(meanLoss), "train_runtime": .number(seconds),
            "train_samples": .integer(usage.ordered.map(\.available).reduce(0, +)), "train_steps": .integer(steps),
            "train_share_used": .number(usage.share),
        ]
        figures["train_samples_per_second"] = examplesPerSecond.map(JSONValue.number)
        figures["train_steps_per_second"] = stepsPerSecond.map(JSONValue.number)
        for task in usage.ordered {
            figures["train_\(task.name)_samples"] = .integer(task.available)
            figures["train_\(task.name)_used"] = .integer(task.used)
            figures["train_\(task.name)_updates"] = .integer(task.updates)
        }
        return figures
    }
}

extension EvaluationReport {
    /// What `eval_results.json` says: what the model and the data give, and nothing of the machine, so that a model
    /// that is loaded again gives the same file.
    var resultFigures: Figures {
        var all: Figures = [:]
        for (name, value) in figures { all["eval_\(name)"] = .number(value) }
        for result in results { all["eval_\(result.name)_samples"] = .integer(result.count) }
        return all
    }

    /// What `all_results.json` says besides.
    ///
    /// - Parameters:
    ///   - seconds: how long the evaluation took, or nil if that was not measured.
    ///   - batchSize: examples of a batch.
    func timings(seconds: Double?, batchSize: Int) -> Figures {
        let samples = results.map(\.count).reduce(0, +)
        var timings: Figures = ["eval_samples": .integer(samples)]
        guard let seconds, seconds > 0 else { return timings }
        let batches = results.map { ($0.count + batchSize - 1) / batchSize }.reduce(0, +)
        timings["eval_runtime"] = .number(seconds)
        timings["eval_samples_per_second"] = .number(Double(samples) / seconds)
        timings["eval_steps_per_second"] = .number(Double(batches) / seconds)
        return timings
    }
}

/// The files of figures in a run's output folder, named as those of Hugging Face's Trainer. Each is written whole or
/// not at all.
struct ResultsFiles {
    let folder: URL

    /// Refuses a folder in which something else than a file has a name of theirs, before what they are to say is
    /// computed.
    func checkReplaceable() throws {
        for name in ["train_results.json", "eval_results.json", "all_results.json"] {
            try Files.checkReplaceable(folder.appendingPathComponent(name))
        }
    }

    /// Writes `train_results.json`, begins a new `all_results.json`, and takes away the `eval_results.json` of the
    /// model that was there before.
    func write(_ summary: TrainingSummary) throws {
        unlink(folder.appendingPathComponent("eval_results.json").path)
        try write(summary.figures, to: "train_results.json")
        try write(summary.figures, to: "all_results.json")
    }

    /// Writes `eval_results.json`, and puts the figures into `all_results.json` in place of an earlier evaluation's.
    func write(_ report: EvaluationReport, timings: Figures) throws {
        try write(report.resultFigures, to: "eval_results.json")
        let others = read("all_results.json").filter { !$0.key.hasPrefix("eval_") }
        try write(others.merging(report.resultFigures) { $1 }.merging(timings) { $1 }, to: "all_results.json")
    }

    /// Nothing if there is no such file of figures.
    private func read(_ name: String) -> Figures {
        guard let data = try? readFile(folder.appendingPathComponent(name)) else { return [:] }
        return (try? JSONDecoder().decode(Figures.self, from: data)) ?? [:]
    }

    private func write(_ figures: Figures, to name: String) throws {
        try JSONValue.object(figures).write(to: folder.appendingPathComponent(name))
    }
}
