import CAMTL
import Foundation
import Tasks
import Torch
import Training
import XCTest

final class TrainerTests: ToyTestCase {
    /// Each kind of encoder learns a classification and a regression that one word of each sentence decides.
    func testLearns() throws {
        try writeData("cola", train: 200, dev: 60)
        try writeData("sts-b", train: 200, dev: 60)
        for type in EncoderType.allCases {
            try writeModel(type, tasks: ["cola", "sts-b"])
            var settings = TrainingSettings.toy(batchSize: 16, steps: 130)
            settings.optimizer.warmupProportion = 0.1
            let course = try train(settings)
            let losses = course.steps.map(\.loss)
            let (first, last) = (mean(losses.prefix(10)), mean(losses.suffix(10)))
            XCTAssertLessThan(last, 0.2 * first, "\(type): losses of the first and of the last updates")
            let report = try Evaluator(model: course.trained.model, batchSize: 16).evaluate(course.data)
            XCTAssertTrue(report.taskScores.allSatisfy { $0.score > 0.85 }, "\(type): \(report.taskScores)")
        }
    }

    func testTrainsWithEachSampling() throws {
        try writeModel(tasks: ["cola", "sts-b", "mnli"])
        for (name, count) in [("cola", 30), ("sts-b", 12), ("mnli", 20)] { try writeData(name, train: count) }
        let samplings: [Sampling] = [
            .proportional, .sequential, .uniform(share: 1), .uncertainty(share: 1, score: .original),
            .uncertainty(share: 1, score: .paper),
        ]
        for sampling in samplings {
            for asOriginal in [false, true] {
                var settings = TrainingSettings.toy(sampling, steps: 6)
                settings.reproducesOriginal = asOriginal
                let course = try train(settings)
                XCTAssertEqual(course.summary.steps, asOriginal ? 7 : 6, "\(sampling)")
                XCTAssertEqual(course.steps.map(\.step), Array(1...course.summary.steps), "\(sampling)")
                XCTAssertTrue(course.steps.allSatisfy { $0.loss.isFinite && $0.gradientNorm > 0 }, "\(sampling)")
            }
        }
    }

    func testOneTaskTrainsWithEachSampling() throws {
        try writeModel(tasks: ["sts-b"])
        try writeData("sts-b", train: 11)
        for sampling in [.sequential, .uniform(share: 1), .uncertainty(share: 1, score: .original)] as [Sampling] {
            XCTAssertEqual(try train(.toy(sampling, steps: 5)).summary.steps, 5, "\(sampling)")
        }
    }

    // MARK: - Reproducibility

    func testRecomputedLayersGiveTheSameNumbers() throws {
        try writeData("cola", train: 30)
        try writeData("sts-b", train: 30)
        for type in EncoderType.allCases {
            try writeModel(type, tasks: ["cola", "sts-b"])
            var settings = TrainingSettings.toy(.proportional, steps: 5)
            settings.dropout = 0.2
            let kept = try train(settings)
            settings.checkpointsGradients = true
            let recomputed = try train(settings)
            // The first pass is the same; a task embedding's gradient then adds up in another order.
            XCTAssertEqual(kept.steps[0].loss, recomputed.steps[0].loss, "\(type)")
            for (a, b) in zip(kept.steps, recomputed.steps) {
                XCTAssertEqual(a.loss, b.loss, accuracy: 1e-5 * a.loss, "\(type)")
                XCTAssertEqual(a.gradientNorm, b.gradientNorm, accuracy: 1e-5 * a.gradientNorm, "\(type)")
            }
        }
    }

    func testSameSeedGivesTheSameBits() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        try writeData("cola", train: 30)
        try writeData("sts-b", train: 30)
        for sampling in [.proportional, .uncertainty(share: 1, score: .original)] as [Sampling] {
            var settings = TrainingSettings.toy(sampling, steps: 5)
            let first = try train(settings)
            let second = try train(settings)
            XCTAssertEqual(differences(try first.trained.weights(), try second.trained.weights()), [])
            XCTAssertEqual(first.steps.map(\.loss), second.steps.map(\.loss))
            settings.seed += 1
            let other = try train(settings)
            XCTAssertNotEqual(first.steps.map(\.loss), other.steps.map(\.loss))
            XCTAssertNotEqual(differences(try first.trained.weights(), try other.trained.weights()), [])
        }
    }

    /// Neither the order of the data nor the model's values tell two runs of this apart; only what dropout draws.
    func testSeedDeterminesDropout() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 1)
        var settings = TrainingSettings.toy(batchSize: 1, steps: 1)
        let first = try train(settings).steps[0].loss
        XCTAssertEqual(try train(settings).steps[0].loss, first)
        settings.seed += 1
        XCTAssertNotEqual(try train(settings).steps[0].loss, first)
        settings.dropout = 0
        let without = try train(settings).steps[0].loss
        settings.seed += 1
        XCTAssertEqual(try train(settings).steps[0].loss, without)
    }

    // MARK: - Steps

    /// Runs of all lengths make as many updates as they announce, and account for every example of them.
    func testMakesTheUpdatesThatItAnnounces() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 13)
        for (batchSize, accumulation) in [(2, 1), (2, 3), (2, 4), (13, 2), (5, 1)] {
            for (epochs, maxSteps) in [(1.0, nil), (1.5, nil), (2, nil), (1, 1), (1, 9)] as [(Double, Int?)] {
                for asOriginal in [false, true] {
                    var settings = TrainingSettings.toy(batchSize: batchSize, steps: 1)
                    settings.accumulationSteps = accumulation
                    (settings.epochs, settings.maxSteps) = (epochs, maxSteps)
                    settings.reproducesOriginal = asOriginal
                    var announced: TrainingPlan?
                    let course = try train(settings) { event, _ in
                        if case .started(let plan) = event { announced = plan }
                    }
                    let label = "\(batchSize), \(accumulation), \(epochs), \(maxSteps ?? 0), \(asOriginal)"
                    XCTAssertEqual(course.summary.steps, announced?.totalSteps, label)
                    XCTAssertEqual(course.steps.map(\.step), Array(1...course.summary.steps), label)
                    XCTAssertEqual(announced?.examples, 13, label)
                    guard !asOriginal else { continue }
                    let updates = course.summary.usage.ordered[0].updates
                    XCTAssertEqual(course.steps.map(\.examples).reduce(0, +), updates, label)
                    if epochs == 2 { XCTAssertEqual(updates, 26, label) }
                }
            }
        }
    }

    func testReportsEpochsTokensAndLearningRates() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 8)
        var settings = TrainingSettings.toy(batchSize: 2, steps: 8)
        settings.optimizer.warmupProportion = 0.25
        let course = try train(settings)
        XCTAssertEqual(course.steps.map(\.epoch), [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2])
        XCTAssertEqual(course.steps.map(\.examples), Array(repeating: 2, count: 8))
        let tokens = try XCTUnwrap(course.data[0].train).tokenCount
        XCTAssertEqual(course.steps.map(\.tokens).reduce(0, +), 2 * tokens)
        for (step, share) in zip(course.steps, [0, 0.5, 1, 5.0 / 6, 4.0 / 6, 3.0 / 6, 2.0 / 6, 1.0 / 6]) {
            XCTAssertEqual(step.learningRate, 1e-3 * share, accuracy: 1e-15)
        }
        XCTAssertTrue(course.steps.allSatisfy { $0.seconds > 0 })
    }

    /// Two batches of four examples in one update are one batch of eight, where all are of one task and one loss.
    func testAccumulatedBatchesAreOneLargeBatch() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 8)
        var settings = TrainingSettings.toy(batchSize: 8, steps: 1)
        settings.dropout = 0
        let whole = try train(settings).steps[0]
        settings.batchSize = 4
        settings.accumulationSteps = 2
        let halves = try train(settings).steps[0]
        settings.batchSize = 3
        settings.accumulationSteps = 1
        let part = try train(settings).steps[0]
        // The sums of float32 numbers are of another order.
        XCTAssertEqual(halves.loss, whole.loss, accuracy: 1e-5)
        XCTAssertEqual(halves.gradientNorm, whole.gradientNorm, accuracy: 1e-5 * whole.gradientNorm)
        XCTAssertEqual(halves.examples, 8)
        XCTAssertGreaterThan(abs(part.gradientNorm - whole.gradientNorm), 1e-3 * whole.gradientNorm)
    }

    // MARK: - Usage

    func testUsageCountsExamplesAndHowOftenTheyWereUsed() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "rte", "sts-b"])
        for (name, count) in [("cola", 20), ("rte", 9), ("sts-b", 5)] { try writeData(name, train: count) }
        var settings = TrainingSettings.toy(batchSize: 4, steps: 1)
        (settings.maxSteps, settings.epochs) = (nil, 2)
        let whole = try train(settings, on: ["sts-b", "cola"]).summary.usage
        XCTAssertEqual(whole.ordered.map(\.name), ["cola", "sts-b"], "in the model's order")
        XCTAssertEqual(whole.ordered.map(\.available), [20, 5])
        XCTAssertEqual(whole.ordered.map(\.used), [20, 5])
        XCTAssertEqual(whole.ordered.map(\.updates), [40, 10])
        XCTAssertEqual(whole.share, 1)

        let part = try train(.toy(.sequential, batchSize: 4, steps: 6)).summary.usage
        XCTAssertEqual(part.ordered.map(\.used), [20, 4, 0])
        XCTAssertEqual(part.ordered.map(\.updates), [20, 4, 0])
        XCTAssertEqual(part.ordered.map(\.share), [1, 4.0 / 9, 0])
        XCTAssertEqual(part.share, 24.0 / 34)

        let picked = try train(.toy(.uncertainty(share: 1, score: .original), batchSize: 4, steps: 6)).summary.usage
        XCTAssertEqual(picked.ordered.map(\.updates).reduce(0, +), 24, "candidates that aren't picked don't count")
    }

    // MARK: - What can go wrong

    func testLossThatIsNotFiniteEndsTheRunNamingTheStep() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        try writeData("cola", train: 8)
        try writeData("sts-b", train: 8)
        var settings = TrainingSettings.toy(.sequential, steps: 5)
        settings.saveSteps = 2
        settings.optimizer.learningRate = 1e38
        var model: TrainedModel?
        var weights: [String: [UInt8]] = [:]
        XCTAssertThrowsError(
            try train(settings) { event, trained in
                model = trained
                if case .stepped = event { weights = try trained.weights() }
            }
        ) { error in
            guard case TrainingError.lossNotFinite(let step, let loss, let tasks) = error else {
                return XCTFail("\(error)")
            }
            XCTAssertEqual(step, 2)
            XCTAssertFalse(loss.isFinite)
            XCTAssertEqual(tasks, ["sts-b"])
            let said = "the loss of step 2 is \(loss.isNaN ? "nan" : "\(loss)") (tasks in its batch: sts-b)"
            XCTAssertTrue("\(error)".hasPrefix(said), "\(error)")
        }
        XCTAssertEqual(differences(try XCTUnwrap(model).weights(), weights), [], "the loss changed the model")
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: outputDirectory.path), [".camtl-run"])
    }

    func testTasksWithoutTrainingSetsAreRefused() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 3)
        let trained = try loadModel()
        var data = try loadData(trained)
        data[0].train = nil
        for tasks in [data, []] {
            XCTAssertThrowsError(try Trainer(trained, tasks: tasks, settings: TrainingSettings()) { _ in }) {
                guard case TrainingError.noTrainingData = $0 else { return XCTFail("\($0)") }
            }
        }
    }

    func testErrorOfTheReportEndsTheRun() throws {
        struct Interruption: Error {}
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 8)
        var steps = 0
        XCTAssertThrowsError(
            try train(.toy(batchSize: 2, steps: 50)) { event, _ in
                guard case .stepped(let report) = event else { return }
                steps = report.step
                if report.step == 3 { throw Interruption() }
            }
        ) { XCTAssertTrue($0 is Interruption) }
        XCTAssertEqual(steps, 3)
    }

    // MARK: - Checkpoints

    func testCheckpointsAreWholeModels() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        try writeData("cola", train: 10)
        try writeData("sts-b", train: 10)
        var settings = TrainingSettings.toy(batchSize: 4, steps: 5)
        settings.saveSteps = 2
        var saved: [(folder: URL, weights: [String: [UInt8]])] = []
        try train(settings) { event, trained in
            if case .saved(let folder) = event { saved.append((folder, try trained.weights())) }
        }
        XCTAssertEqual(saved.map(\.folder.lastPathComponent), ["checkpoint-2", "checkpoint-4"])
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: outputDirectory.path).sorted(),
            [".camtl-run", "checkpoint-2", "checkpoint-4", "trainer_state.json"])
        for (folder, weights) in saved {
            let loaded = try TrainedModel(folder: folder)
            XCTAssertEqual(loaded.loading.new, [])
            XCTAssertEqual(loaded.loading.unused, [])
            XCTAssertEqual(differences(try loaded.weights(), weights), [])
        }
        XCTAssertNotEqual(differences(saved[0].weights, saved[1].weights), [])
    }

    private func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
}
