import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

@testable import Training

/// The figures that a training run reports, against what its data and its model say by another way.
final class LoggedFiguresTests: ToyTestCase {
    func testALogIsOfAllUpdatesSinceTheLast() {
        var log = LogAccumulator()
        log.add(
            StepReport(
                step: 1, epoch: 0.25, loss: 2, learningRate: 0.1, gradientNorm: 3, examples: 6, tokens: 60,
                seconds: 0.5, taskLosses: ["a": 1, "b": 3], taskExamples: ["a": 4, "b": 2], taskEntropies: ["a": 0.5]))
        let last = StepReport(
            step: 2, epoch: 0.5, loss: 5, learningRate: 0.2, gradientNorm: 7, examples: 10, tokens: 90, seconds: 1.5,
            taskLosses: ["a": 4], taskExamples: ["a": 10], taskEntropies: ["a": 0.25, "b": 0.75])
        log.add(last)
        XCTAssertEqual(
            log.report(last),
            LogReport(
                step: 2, epoch: 0.5, loss: 3.5, learningRate: 0.2, gradientNorm: 7, examplesPerSecond: 8,
                taskLosses: ["a": 2.5, "b": 3], taskShares: ["a": 0.875, "b": 0.125],
                taskEntropies: ["a": 0.375, "b": 0.75]))
        XCTAssertEqual(log, LogAccumulator(), "the next begins anew")
    }

    // MARK: - A run's

    /// What an update is to report.
    private struct Update {
        var losses: [Double] = []
        var taskLosses: [String: [Double]] = [:]
        var taskExamples: [String: Int] = [:]
        var entropies: [String: [Double]] = [:]
        var gradientNorm = 0.0
        var tokens = 0
        var operations = 0.0

        var loss: Double { mean(losses) }
        var examples: Int { taskExamples.values.reduce(0, +) }
    }

    /// A model's loss of an example alone, in double precision by its formula, and as a tensor.
    private func loss(
        _ model: CAMTLModel, _ task: TaskData, _ index: Int
    ) throws -> (value: Double, entropy: Double, tensor: Tensor, tokens: Int) {
        let features = try XCTUnwrap(task.train)
        var batch = PackedBatch()
        batch.append(features, at: index, taskID: task.id)
        let logits = try model(batch).tasks[0].logits
        let (values, label) = (try logits.elements(Double.self), Double(try XCTUnwrap(features.target(at: index).first)))
        if values.count == 1 {
            let tensor = try meanSquaredError(logits.reshaped([-1]), Tensor([Float(label)]))
            return ((values[0] - label) * (values[0] - label), 0, tensor, batch.inputIDs.count)
        }
        let total = log(values.map { exp($0) }.reduce(0, +))
        let entropy = values.map { -exp($0 - total) * ($0 - total) }.reduce(0, +) / log(Double(values.count))
        let tensor = try crossEntropy(logits: logits, classes: Tensor([Int64(label)]))
        return (total - values[Int(label)], entropy, tensor, batch.inputIDs.count)
    }

    /// What the next update of these batches is to report of the model as it is.
    private func update(_ batches: [[ExampleReference]], _ model: CAMTLModel, _ data: [TaskData]) throws -> Update {
        var update = Update()
        for batch in batches {
            let tasks = Dictionary(grouping: batch, by: \.task)
            var means: [Double] = []
            let lengths = batch.map { example in
                data.first { $0.id == example.task }?.train?.length(at: example.index) ?? 0
            }
            update.operations += model.arithmetic.operations(lengths: lengths, taskIDs: batch.map(\.task)).total
            for (id, examples) in tasks {
                let task = try XCTUnwrap(data.first { $0.id == id })
                let weight = 1 / Double(batches.count * tasks.count * examples.count)
                let losses = try examples.map { example in
                    let loss = try loss(model, task, example.index)
                    try (loss.tensor * weight).backward()
                    update.tokens += loss.tokens
                    return loss.value
                }
                means.append(mean(losses))
                update.taskLosses[task.definition.name, default: []].append(mean(losses))
                update.taskExamples[task.definition.name, default: 0] += examples.count
            }
            update.losses.append(mean(means))
        }
        var squares = 0.0
        for parameter in model.namedParameters().map(\.parameter.wrappedValue) {
            squares += try parameter.gradient()?.elements(Double.self).map { $0 * $0 }.reduce(0, +) ?? 0
            try parameter.setGradient(nil)
        }
        update.gradientNorm = squares.squareRoot()
        return update
    }

    private func prepare() throws {
        try writeModel(tasks: ["cola", "sts-b", "mnli"])
        for (name, count) in [("cola", 14), ("sts-b", 9), ("mnli", 11)] { try writeData(name, train: count) }
    }

    private func sampler(_ settings: TrainingSettings, _ data: [TaskData]) -> Sampler {
        Sampler(
            settings.sampling, sizes: data.compactMap { task in task.train.map { (task.id, $0.count) } },
            batchSize: settings.batchSize, seed: settings.seed)
    }

    private func assertEqual(
        _ values: [String: Double], _ expected: [String: Double], _ label: String, line: UInt = #line
    ) {
        XCTAssertEqual(values.keys.sorted(), expected.keys.sorted(), label, line: line)
        for (name, value) in expected {
            XCTAssertEqual(
                values[name] ?? .nan, value, accuracy: 2e-5 * max(1, abs(value)), "\(label): \(name)", line: line)
        }
    }

    /// Updates of two batches and, at an epoch's end, of one; logs of three updates.
    func testLossesSharesAndGradientsAreThoseOfTheModelBeforeEachUpdate() throws {
        try prepare()
        var settings = TrainingSettings.toy(batchSize: 5, steps: 6)
        (settings.dropout, settings.accumulationSteps, settings.loggingSteps) = (0, 2, 3)
        settings.optimizer.warmupProportion = 0.25
        let data = try loadData(loadModel())
        var sampler = sampler(settings, data)
        func next(_ step: Int, _ model: CAMTLModel) throws -> Update {
            // Of an epoch's seven batches the last makes an update alone.
            let count = step % 4 == 0 ? 1 : 2
            return try update((0..<count).map { _ in sampler.nextExamples() }, model, data)
        }
        var updates = [try next(1, loadModel().model)]
        var (logs, steps): ([LogReport], [StepReport]) = ([], [])
        let course = try train(settings) { event, trained in
            switch event {
            case .stepped(let report):
                steps.append(report)
                updates.append(try next(report.step + 1, trained.model))
            case .logged(let report): logs.append(report)
            default: break
            }
        }
        XCTAssertEqual(sampler.batchesPerEpoch, 7)
        XCTAssertEqual(steps.count, 6)
        // Up to 1e-3 in 1.5 steps, and down to 0 at the sixth.
        let rates: [Double] = [0, 1e-3 / 1.5] + [4, 3, 2, 1].map { 1e-3 * $0 / 4.5 }
        for (index, (step, update)) in zip(steps, updates).enumerated() {
            let label = "update \(index + 1)"
            XCTAssertEqual(step.loss, update.loss, accuracy: 2e-5, label)
            XCTAssertEqual(step.gradientNorm, update.gradientNorm, accuracy: 1e-4 * update.gradientNorm, label)
            XCTAssertEqual(step.learningRate, rates[index], accuracy: 1e-15, label)
            XCTAssertEqual(step.taskExamples, update.taskExamples, label)
            XCTAssertEqual([step.examples, step.tokens], [update.examples, update.tokens], label)
            XCTAssertEqual(step.floatingPointOperations, update.operations, label)
            assertEqual(step.taskLosses, update.taskLosses.mapValues(mean), label)
        }
        XCTAssertEqual(logs.count, 2)
        for (log, range) in zip(logs, [0..<3, 3..<6]) {
            let (part, label) = (updates[range], "the log of updates \(range)")
            XCTAssertEqual(log.loss, mean(part.map(\.loss)), accuracy: 2e-5, label)
            XCTAssertEqual(log.gradientNorm, steps[range.upperBound - 1].gradientNorm)
            let examples = part.map(\.examples).reduce(0, +)
            var (losses, shares): ([String: Double], [String: Double]) = ([:], [:])
            for task in Set(part.flatMap(\.taskLosses.keys)) {
                losses[task] = mean(part.compactMap { $0.taskLosses[task].map(mean) })
                shares[task] = Double(part.compactMap { $0.taskExamples[task] }.reduce(0, +)) / Double(examples)
            }
            assertEqual(log.taskLosses, losses, label)
            assertEqual(log.taskShares, shares, label)
            let seconds = steps[range].map(\.seconds).reduce(0, +)
            XCTAssertEqual(log.examplesPerSecond * seconds, Double(examples), accuracy: 1e-6, label)
        }
        try assertFiles(of: course, updates: Array(updates.prefix(6)), logs: logs)
    }

    /// The summary and `trainer_state.json`.
    private func assertFiles(of course: Course, updates: [Update], logs: [LogReport]) throws {
        let (summary, tokens) = (course.summary, updates.map(\.tokens).reduce(0, +))
        let (loss, examples) = (mean(updates.map(\.loss)), updates.map(\.examples).reduce(0, +))
        XCTAssertEqual(summary.meanLoss, loss, accuracy: 2e-5)
        XCTAssertEqual(summary.examples, examples)
        struct State: Decodable {
            let log_history: [[String: Double]]
            let num_input_tokens_seen: Int
            let total_flos: Double
            let global_step: Int
        }
        let file = outputDirectory.appendingPathComponent("trainer_state.json")
        let state = try JSONDecoder().decode(State.self, from: Data(contentsOf: file))
        XCTAssertEqual(state.global_step, 6)
        XCTAssertEqual(state.num_input_tokens_seen, tokens)
        // Two operations a weight and a token forwards, and four backwards.
        let weights = course.trained.model.namedParameters().filter { !$0.name.contains("embeddings") }
            .map(\.parameter.elementCount).reduce(0, +)
        XCTAssertEqual(state.total_flos, Double(6 * tokens * weights))
        XCTAssertEqual(state.log_history.count, 3)
        for (entry, log) in zip(state.log_history, logs) {
            var expected = [
                "loss": log.loss, "epoch": log.epoch, "step": Double(log.step), "learning_rate": log.learningRate,
                "grad_norm": log.gradientNorm,
            ]
            for (task, value) in log.taskLosses { expected["loss_\(task)"] = value }
            for (task, value) in log.taskShares { expected["share_\(task)"] = value }
            assertEqual(entry, expected, "step \(log.step)")
        }
        let end = state.log_history[2], seconds = try XCTUnwrap(end["train_runtime"])
        XCTAssertEqual(try XCTUnwrap(end["train_loss"]), loss, accuracy: 2e-5)
        XCTAssertEqual(try XCTUnwrap(end["train_samples_per_second"]) * seconds, Double(examples), accuracy: 1e-6)
        XCTAssertEqual(try XCTUnwrap(end["train_steps_per_second"]) * seconds, 6, accuracy: 1e-6)
    }

    /// Of all candidates, and not of those that are picked.
    func testEntropiesAreThoseOfTheModelBeforeEachUpdate() throws {
        try prepare()
        var settings = TrainingSettings.toy(.uncertainty(share: 1, score: .original), batchSize: 4, steps: 4)
        (settings.dropout, settings.loggingSteps) = (0, 2)
        let data = try loadData(loadModel())
        var sampler = sampler(settings, data)
        func next(_ model: CAMTLModel) throws -> [String: Double] {
            var entropies: [String: [Double]] = [:]
            for candidate in sampler.nextExamples() where candidate.task != 1 {
                let found = try withoutGradients { try loss(model, data[candidate.task], candidate.index) }
                entropies[data[candidate.task].definition.name, default: []].append(found.entropy)
            }
            return entropies.mapValues(mean)
        }
        var expected = [try next(loadModel().model)]
        var (logs, steps): ([LogReport], [StepReport]) = ([], [])
        try train(settings) { event, trained in
            switch event {
            case .stepped(let report):
                steps.append(report)
                expected.append(try next(trained.model))
            case .logged(let report): logs.append(report)
            default: break
            }
        }
        for (step, entropies) in zip(steps, expected) { assertEqual(step.taskEntropies, entropies, "\(step.step)") }
        for (log, first) in zip(logs, [0, 2]) {
            let both = expected[first].merging(expected[first + 1]) { ($0 + $1) / 2 }
            assertEqual(log.taskEntropies, both, "the log of update \(log.step)")
        }
        XCTAssertEqual(logs.count, 2)
    }
}

private func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
