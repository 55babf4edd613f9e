import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

@testable import Training

final class EvaluationTests: ToyTestCase {
    private func prepare() throws -> (CAMTLModel, [TaskData]) {
        try writeModel(tasks: ["cola", "sts-b", "mnli"])
        for name in ["cola", "sts-b", "mnli"] { try writeData(name, train: 2, dev: 21) }
        let trained = try loadModel()
        return (trained.model, try loadData(trained))
    }

    /// In the order of the set, whatever the lengths of its sequences.
    private func logits(_ model: CAMTLModel, _ task: TaskData, batchSize: Int) throws -> [Float] {
        let features = task.dev[0].features
        return try Evaluator(model: model, batchSize: batchSize, pieceTokens: 1).logits(
            task: task.id, sizes: (0..<features.count).map { Evaluator.Size(tokens: features.length(at: $0), rows: 1) }
        ) { $1.append(features, at: $0, taskID: task.id) }.flatMap { $0 }
    }

    func testBatchesGiveWhatEachSequenceGivesAlone() throws {
        let (model, data) = try prepare()
        for task in data {
            let features = task.dev[0].features
            XCTAssertGreaterThan(Set((0..<features.count).map(features.length)).count, 3)
            let alone = try (0..<features.count).flatMap { index -> [Float] in
                var batch = PackedBatch()
                batch.append(features, at: index, taskID: task.id)
                return try model(batch).tasks[0].logits.elements()
            }
            XCTAssertEqual(try logits(model, task, batchSize: 1), alone)
            for batchSize in [2, 7, 21, 100] {
                let together = try logits(model, task, batchSize: batchSize)
                XCTAssertEqual(together.count, alone.count)
                // Float32's rounding: sums of another length are grouped in another way.
                for (one, other) in zip(together, alone) { XCTAssertEqual(one, other, accuracy: 1e-5) }
            }
        }
    }

    /// Sequences of all tasks and lengths in one batch.
    func testMixedBatchGivesWhatEachSequenceGivesAlone() throws {
        let (model, data) = try prepare()
        var mixed = PackedBatch()
        var alone: [[Float]] = []
        for index in 0..<21 {
            for task in index.isMultiple(of: 2) ? data : data.reversed() {
                mixed.append(task.dev[0].features, at: index, taskID: task.id)
                var single = PackedBatch()
                single.append(task.dev[0].features, at: index, taskID: task.id)
                alone.append(try model(single).tasks[0].logits.elements())
            }
        }
        let output = try model(mixed)
        XCTAssertEqual(output.tasks.map(\.task), [0, 1, 2])
        XCTAssertEqual(output.tasks.flatMap(\.samples).sorted(), Array(0..<63))
        for task in output.tasks {
            let values: [Float] = try task.logits.elements()
            let width = values.count / task.samples.count
            for (row, sample) in task.samples.enumerated() {
                XCTAssertEqual(mixed.taskIDs[sample], task.task)
                for column in 0..<width {
                    XCTAssertEqual(values[row * width + column], alone[sample][column], accuracy: 1e-5)
                }
            }
        }
    }

    func testBatchSizeDoesNotChangeTheFigures() throws {
        let (model, data) = try prepare()
        let one = try Evaluator(model: model, batchSize: 1).evaluate(data)
        let seven = try Evaluator(model: model, batchSize: 7).evaluate(data)
        XCTAssertEqual(one.results.map(\.name), ["cola", "sts-b", "mnli", "mnli-mm"])
        XCTAssertEqual(one.results.map(\.task), ["cola", "sts-b", "mnli", "mnli"])
        for (result, other) in zip(one.results, seven.results) {
            XCTAssertEqual(result.count, 21)
            XCTAssertEqual(other.count, 21)
            for (entry, otherEntry) in zip(result.scores.entries, other.scores.entries) {
                XCTAssertEqual(entry.metric, otherEntry.metric)
                XCTAssertEqual(entry.value, otherEntry.value, accuracy: 1e-4, "\(result.name): \(entry.metric)")
            }
            // Each batch of seven weighs as much as another, as each single sequence does.
            XCTAssertEqual(result.loss, other.loss, accuracy: 1e-5)
        }
    }

    func testInexactFiguresAreNearlyTheSame() throws {
        let (model, data) = try prepare()
        let exact = try Evaluator(model: model, batchSize: 8).evaluate(data)
        let inexact = try Evaluator(model: model, batchSize: 8, precision: .int8).evaluate(data)
        XCTAssertNotEqual(inexact.results.map(\.loss), exact.results.map(\.loss))
        for (result, other) in zip(exact.results, inexact.results) {
            XCTAssertEqual(other.count, result.count)
            XCTAssertEqual(other.loss, result.loss, accuracy: 0.05 * max(1, result.loss), result.name)
        }
    }

    /// A last batch of one weighs as much as those of four, as in the original.
    func testLossIsTheMeanOfTheBatchesMeans() throws {
        let (model, data) = try prepare()
        let report = try Evaluator(model: model, batchSize: 4, pieceTokens: 1).evaluate(data)
        for task in data {
            let logits = try logits(model, task, batchSize: 4)
            let features = task.dev[0].features
            let width = logits.count / features.count
            let losses = try (0..<features.count).map { row -> Double in
                let label = try XCTUnwrap(features.target(at: row).first)
                let values = logits[row * width..<(row + 1) * width].map(Double.init)
                if width == 1 { return (values[0] - Double(label)) * (values[0] - Double(label)) }
                return log(values.map { exp($0) }.reduce(0, +)) - values[Int(label)]
            }
            let means = [0..<4, 4..<8, 8..<12, 12..<16, 16..<20, 20..<21].map { range in
                losses[range].reduce(0, +) / Double(range.count)
            }
            let result = try XCTUnwrap(report.results.first { $0.name == task.definition.name })
            XCTAssertEqual(result.loss, means.reduce(0, +) / 6, accuracy: 1e-12, task.definition.name)
        }
    }

    func testPiecesAreOfSimilarLengthAndHoldEachSequenceOnce() {
        let lengths = [5, 3, 9, 3, 4]
        XCTAssertEqual(piecesByLength(lengths, atLeast: 2, tokens: 1), [[1, 3], [4, 0], [2]])
        XCTAssertEqual(piecesByLength(lengths, atLeast: 9, tokens: 1), [[1, 3, 4, 0, 2]])
        XCTAssertEqual(piecesByLength(lengths, atLeast: 1, tokens: 10), [[1, 3, 4], [0], [2]])
        XCTAssertEqual(piecesByLength(lengths, atLeast: 1, tokens: 9), [[1, 3], [4, 0], [2]])
        XCTAssertEqual(piecesByLength(lengths, atLeast: 1, tokens: 100), [[1, 3, 4, 0, 2]])
        XCTAssertEqual(piecesByLength([], atLeast: 3, tokens: 10), [])
    }

    /// Evaluation draws no random numbers, records no gradient and leaves the model alone.
    func testEvaluatingDuringTrainingDoesNotChangeItsCourse() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        try writeData("cola", train: 16)
        try writeData("sts-b", train: 16)
        for sampling in [.proportional, .uncertainty(share: 1, score: .original)] as [Sampling] {
            var settings = TrainingSettings.toy(sampling, steps: 5)
            settings.accumulationSteps = 2
            let plain = try train(settings)
            settings.evaluationSteps = 2
            var evaluatedSteps: [Int] = []
            let evaluated = try train(settings) { event, _ in
                if case .evaluated(let step, _) = event { evaluatedSteps.append(step) }
            }
            XCTAssertEqual(evaluatedSteps, [2, 4])
            XCTAssertEqual(evaluated.steps.map(\.loss), plain.steps.map(\.loss))
            XCTAssertEqual(differences(try evaluated.trained.weights(), try plain.trained.weights()), [])
        }
    }

    func testAverageAndDeviationAreOfTheTasksScores() throws {
        /// The figures of four predictions of a task, the first `right` of which are right.
        func result(_ name: String, of task: String, right: Int) throws -> EvaluationResult {
            let definition = try GLUE.task(named: task)
            let width = definition.kind.width
            let predicted = (0..<4).map { $0 < right ? 0 : 1 }
            let predictions = predicted.flatMap { label in (0..<width).map { $0 == label ? 1 : 0 as Float } }
            return EvaluationResult(
                name: name, task: task, count: 4, loss: 0,
                scores: try definition.scores(logits: predictions, labels: [0, 0, 0, 0]))
        }
        let report = EvaluationReport(results: [
            try result("rte", of: "rte", right: 1), try result("mnli", of: "mnli", right: 2),
            try result("mnli-mm", of: "mnli", right: 4),
        ])
        XCTAssertEqual(report.taskScores.map(\.task), ["rte", "mnli"])
        XCTAssertEqual(report.taskScores.map(\.score), [0.25, 0.75])
        XCTAssertEqual(report.average, 0.5)
        XCTAssertEqual(report.deviation, 0.25)
    }
}
