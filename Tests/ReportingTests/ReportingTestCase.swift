import Foundation
import Tasks
import XCTest

@testable import CAMTL
@testable import Reporting
@testable import Training

/// A test that tells a reporter a run's events, in a folder of its own.
class ReportingTestCase: XCTestCase {
    private(set) var directory = URL(fileURLWithPath: "/")
    var logs: URL { directory.appendingPathComponent("logs") }
    var output: URL { directory.appendingPathComponent("output") }

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("reporting \(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory.appendingPathComponent("output"), withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws { try FileManager.default.removeItem(at: directory) }

    func configuration(_ change: (inout RunConfiguration) -> Void = { _ in }) -> RunConfiguration {
        var configuration = RunConfiguration(
            modelFolder: URL(fileURLWithPath: "/models/tiny"), dataDirectory: directory, cacheDirectory: directory)
        configuration.outputDirectory = output
        configuration.loggingDirectory = logs
        configuration.trains = true
        configuration.record = SettingsRecord([("learning_rate", .number(2e-5)), ("tasks", .absent)])
        change(&configuration)
        return configuration
    }

    static let tasks = ["rte", "sts-b", "mnli"]

    /// What a run tells before it trains.
    func beginning(tasks: [String] = tasks) throws -> [RunEvent] {
        let model = ModelConfiguration(
            encoderType: .caMTLBase,
            backbone: BERTConfiguration(
                hiddenSize: 8, layerCount: 2, attentionHeadCount: 2, intermediateSize: 8, vocabularySize: 9),
            maxSequenceLength: 8, tasks: try tasks.map { try GLUE.task(named: $0).head })
        return [.loaded(model, LoadReport(path: "model.safetensors"))]
            + tasks.map { .encoded(set: $0, split: .train, examples: 20, skippedRows: 0, .built) }
    }

    func step(_ step: Int, loss: Double = 1, examples: Int = 8) -> TrainingEvent {
        .stepped(
            StepReport(
                step: step, epoch: Double(step) / 4, loss: loss, learningRate: 1e-4, gradientNorm: 3,
                examples: examples, tokens: 80, seconds: 0.5))
    }

    func log(_ step: Int, loss: Double = 1) -> TrainingEvent {
        .logged(
            LogReport(
                step: step, epoch: Double(step) / 4, loss: loss, learningRate: 1e-4 / Double(step),
                gradientNorm: 2.5 + Double(step), examplesPerSecond: 16.5, taskLosses: ["rte": 0.7, "sts-b": 1.9],
                taskShares: ["rte": 0.75, "sts-b": 0.25], taskEntropies: ["rte": 0.9, "mnli": 0.8]))
    }

    func summary(steps: Int, seconds: Double = 2) -> TrainingSummary {
        var usage = ExampleUsage([(0, "rte", 20), (1, "sts-b", 10)])
        usage.record([0, 1, 1].map { ExampleReference(task: 0, index: $0) } + [ExampleReference(task: 1, index: 3)])
        return TrainingSummary(
            steps: steps, epoch: Double(steps) / 4, examples: 8 * steps, seconds: seconds, meanLoss: 0.7, usage: usage)
    }

    /// RTE with an accuracy of 0.75; STS-B, whose correlations are not defined; MNLI's two sets.
    func evaluation() throws -> EvaluationReport {
        func result(_ name: String, _ task: String, _ logits: [Float], _ labels: [Float]) throws -> EvaluationResult {
            EvaluationResult(
                name: name, task: task, count: labels.count, loss: Double(labels.count) / 16,
                scores: try GLUE.task(named: task).scores(logits: logits, labels: labels))
        }
        return EvaluationReport(results: [
            try result("rte", "rte", [1, 0, 1, 0, 1, 0, 1, 0], [0, 0, 0, 1]),
            try result("sts-b", "sts-b", [1, 2, 3], [2, 2, 2]),
            try result("mnli", "mnli", [1, 0, 0, 0, 1, 0], [0, 1]),
            try result("mnli-mm", "mnli", [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 1, 1]),
        ])
    }

    @discardableResult
    func tell(_ events: [RunEvent], _ configuration: RunConfiguration? = nil) throws -> RunReporter {
        let reporter = try RunReporter(configuration ?? self.configuration())
        for event in events { try reporter.report(event) }
        return reporter
    }

    func names(in folder: URL) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? []
    }
}
