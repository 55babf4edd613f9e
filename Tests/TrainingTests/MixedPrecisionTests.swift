import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

@testable import Training

/// Training in half precision, and as a device is trained on: on the CPU, by the same code.
final class MixedPrecisionTests: ToyTestCase {
    private func prepare(_ type: EncoderType = .caMTLBase) throws {
        try writeModel(type, tasks: ["cola", "sts-b"])
        for name in ["cola", "sts-b"] { try writeData(name, train: 200) }
    }

    /// The losses of the updates, each the mean over those around it.
    private func curve(_ settings: TrainingSettings) throws -> [Double] {
        let losses = try train(settings).steps.map(\.loss)
        let window = 30
        return (0...losses.count - window).map { losses[$0..<$0 + window].reduce(0, +) / Double(window) }
    }

    func testLossesFollowThoseOfFloat32() throws {
        try prepare()
        var settings = TrainingSettings.toy(batchSize: 16, steps: 200)
        settings.optimizer.learningRate = 1e-4
        settings.dropout = 0
        let exact = try curve(settings)
        XCTAssertLessThan(exact[exact.count - 1], 0.9 * exact[0], "it learns")
        for precision in MixedPrecision.allCases {
            settings.mixedPrecision = precision
            // One at which no update is left out: those behind would have another learning rate.
            settings.optimizer.lossScaler = precision == .fp16 ? LossScaler(scale: 256) : nil
            let half = try curve(settings)
            let difference = zip(exact, half).map { abs($0 - $1) / $0 }.max() ?? .nan
            XCTAssertLessThan(difference, 0.02, "\(precision)")
            XCTAssertNotEqual(exact, half)
        }
    }

    /// Parameters and the optimiser's moments stay in float32; the same seed gives the same bits, under dropout and
    /// with layers that are computed again, too.
    func testIsReproducible() throws {
        try prepare()
        for precision in MixedPrecision.allCases {
            var settings = TrainingSettings.toy(.uncertainty(share: 1, score: .original), steps: 4)
            settings.mixedPrecision = precision
            settings.dropout = 0.2
            let first = try train(settings)
            let second = try train(settings)
            XCTAssertEqual(differences(try first.trained.weights(), try second.trained.weights()), [])
            let types = first.trained.model.namedParameters().map(\.parameter.wrappedValue.dtype)
            XCTAssertEqual(Set(types), [.float32])
            settings.checkpointsGradients = true
            let recomputed = try train(settings)
            XCTAssertEqual(recomputed.steps[0].loss, first.steps[0].loss)
            XCTAssertEqual(recomputed.steps[3].loss, first.steps[3].loss, accuracy: 0.02 * first.steps[3].loss)
        }
    }

    func testEvaluatesInHalfPrecision() throws {
        for type in EncoderType.allCases {
            try prepare(type)
            let trained = try loadModel()
            let data = try loadData(trained)
            let exact = try Evaluator(model: trained.model, batchSize: 8).evaluate(data)
            trained.model.productType = .bfloat16
            let half = try Evaluator(model: trained.model, batchSize: 8).evaluate(data)
            for (a, b) in zip(exact.results, half.results) {
                XCTAssertEqual(a.loss, b.loss, accuracy: 0.03 * a.loss, "\(type)")
                XCTAssertNotEqual(a.loss, b.loss)
            }
        }
    }

    // MARK: - Loss scaling

    /// A scale that is too high for float16 costs the first updates, and no more.
    func testUpdatesWhoseGradientsAreNotFiniteAreSkipped() throws {
        try prepare()
        var settings = TrainingSettings.toy(batchSize: 16, steps: 12)
        settings.mixedPrecision = .fp16
        settings.optimizer.lossScaler = LossScaler(scale: pow(2, 40), backoffFactor: pow(2, -16))
        var skipped: [(step: Int, scale: Double)] = []
        var weights: [[String: [UInt8]]] = [try loadModel().weights()]
        let course = try train(settings) { event, trained in
            if case .skipped(let step, let scale) = event { skipped.append((step, scale)) }
            if case .stepped = event { weights.append(try trained.weights()) }
        }
        XCTAssertFalse(skipped.isEmpty)
        XCTAssertEqual(skipped.map(\.step), Array(1..<skipped.count + 1), "the first ones")
        XCTAssertLessThan(skipped.count, 4)
        for (step, (before, after)) in zip(weights, weights.dropFirst()).enumerated() {
            XCTAssertEqual(differences(before, after).isEmpty, step < skipped.count, "update \(step + 1)")
        }
        // The rate's schedule waits for the updates.
        let applied = course.steps.dropFirst(skipped.count)
        XCTAssertEqual(course.steps[0].learningRate, applied.first?.learningRate)
        XCTAssertTrue(applied.allSatisfy { $0.gradientNorm.isFinite })
        XCTAssertTrue(course.steps.allSatisfy { $0.loss.isFinite })
    }

    func testGradientsThatNoScaleMakesFiniteEndTheRun() throws {
        try prepare()
        var settings = TrainingSettings.toy(steps: 5)
        settings.mixedPrecision = .fp16
        // An infinite scale, and then none above 1, stand for gradients that no backing off helps.
        settings.optimizer.lossScaler = LossScaler(scale: .infinity, backoffFactor: 0)
        XCTAssertThrowsError(try train(settings)) {
            guard case TrainingError.gradientNotFinite(1) = $0 else { return XCTFail("\($0)") }
        }
    }

    /// A checkpoint has the scale and how long it has stood.
    func testGoesOnWithTheLossScale() throws {
        try prepare()
        var settings = TrainingSettings.toy(batchSize: 16, steps: 8)
        settings.mixedPrecision = .fp16
        settings.saveSteps = 5
        settings.optimizer.lossScaler = LossScaler(scale: 1024, growthInterval: 3)
        let whole = try train(settings)
        let checkpoint = outputDirectory.appendingPathComponent("checkpoint-5")
        let state = try ResumeState.read(from: checkpoint)
        XCTAssertEqual(state.lossScaler?.scale, 2048)
        XCTAssertEqual(state.lossScaler?.updatesSinceChange, 2)
        let trained = try TrainedModel(folder: checkpoint)
        let trainer = try Trainer(trained, tasks: try loadData(trained), settings: settings) { _ in }
        try trainer.resume(from: checkpoint)
        _ = try trainer.run(outputDirectory: outputDirectory)
        XCTAssertEqual(differences(try whole.trained.weights(), try trained.weights()), [])
        settings.mixedPrecision = nil
        let other = try Trainer(trained, tasks: try loadData(trained), settings: settings) { _ in }
        XCTAssertThrowsError(try other.resume(from: checkpoint)) {
            XCTAssertTrue("\($0)".contains("half precision was fp16 and is -"), "\($0)")
        }
    }

    // MARK: - Reading late

    /// Reading an update's numbers while the next one is computed changes no number, nor their order.
    func testReadingNumbersLateChangesNone() throws {
        try prepare()
        func counted(_ sampling: Sampling) -> TrainingSettings {
            var settings = TrainingSettings.toy(sampling, steps: 7)
            (settings.accumulationSteps, settings.loggingSteps, settings.saveSteps) = (2, 3, 4)
            settings.evaluationSteps = 2
            return settings
        }
        try assertReadingLateChangesNone(counted(.uncertainty(share: 1, score: .original)), events: 7 + 3 + 3 + 1)
        // Ends with an epoch, and with nothing to log, evaluate or save.
        var epoch = TrainingSettings.toy(steps: 1)
        (epoch.maxSteps, epoch.epochs, epoch.loggingSteps, epoch.reproducesOriginal) = (nil, 1, 1000, true)
        try assertReadingLateChangesNone(epoch, events: nil)
    }

    private func assertReadingLateChangesNone(_ settings: TrainingSettings, events: Int?) throws {
        func run(late: Bool) throws -> (events: [String], weights: [String: [UInt8]], summary: TrainingSummary) {
            try? FileManager.default.removeItem(at: outputDirectory)
            try FileManager.default.createDirectory(at: outputDirectory, withIntermediateDirectories: true)
            let trained = try loadModel()
            var events: [String] = []
            let trainer = try Trainer(trained, tasks: try loadData(trained), settings: settings) { event in
                switch event {
                case .stepped(let step): events.append("\(step.step) \(step.loss) \(step.gradientNorm)")
                case .logged(let log):
                    events.append("log \(log.step) \(log.loss) \(log.taskLosses.sorted { $0.key < $1.key })")
                case .evaluated(let step, let report): events.append("\(step) \(report.average)")
                case .saved(let folder): events.append(folder.lastPathComponent)
                default: break
                }
            }
            if late { trainer.readsLate = true }
            let summary = try trainer.run(outputDirectory: outputDirectory)
            return (events, try trained.weights(), summary)
        }
        let (now, late) = (try run(late: false), try run(late: true))
        XCTAssertEqual(now.events, late.events)
        if let events { XCTAssertEqual(now.events.count, events) }
        XCTAssertEqual(differences(now.weights, late.weights), [])
        XCTAssertEqual(now.summary.examples, late.summary.examples)
        XCTAssertEqual(now.summary.meanLoss, late.summary.meanLoss)
    }
}
