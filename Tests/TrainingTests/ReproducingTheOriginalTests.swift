import CAMTL
import Tasks
import Torch
import XCTest

@testable import Training

/// The original's faults, each of which `reproducesOriginal` brings back, and what is done without it.
final class ReproducingTheOriginalTests: ToyTestCase {
    // MARK: - Labels

    func testLabelsAreCutOnlyInABatchThatBeginsWithAClassification() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "sts-b"])
        try writeData("cola", train: 4)
        try writeData("sts-b", train: 12)
        let data = try loadData(loadModel())
        let scores = try trainingLabels(data[1])
        XCTAssertEqual(Set(scores), [0.75, 4.5])
        let classes = try trainingLabels(data[0])
        let ratings = (0..<12).map { ExampleReference(task: 1, index: $0) }
        let sentence = ExampleReference(task: 0, index: 2)
        func labels(_ examples: [ExampleReference], cutsLabels: Bool) -> [Double] {
            TrainingBatch(examples, data: TrainingSets(data), cutsLabels: cutsLabels).targets.flatMap { $0 }
        }
        XCTAssertEqual(labels([sentence] + ratings, cutsLabels: true), [classes[2]] + scores.map { $0 == 4.5 ? 4 : 0 })
        XCTAssertEqual(labels(ratings + [sentence], cutsLabels: true), scores + [classes[2]])
        XCTAssertEqual(labels([sentence] + ratings, cutsLabels: false), [classes[2]] + scores)
    }

    /// By the loss of a run's first batch, which another sampler of the same seed draws, too.
    func testTrainingCutsLabelsOnlyAsTheOriginalAndOnlyWithoutUncertaintySampling() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        try writeData("cola", train: 20)
        try writeData("sts-b", train: 20)
        var beginnings: Set<Int> = []
        for seed in 1...6 as ClosedRange<UInt64> {
            let plain = try losses(.proportional, seed: seed, asOriginal: false)
            let original = try losses(.proportional, seed: seed, asOriginal: true)
            XCTAssertEqual(plain.whole, original.whole, "the batch is the same")
            XCTAssertNotEqual(plain.whole, plain.cut)
            XCTAssertEqual(plain.trained, plain.whole)
            XCTAssertEqual(original.trained, original.firstTask == 0 ? original.cut : original.whole)
            beginnings.insert(original.firstTask)
        }
        XCTAssertEqual(beginnings, [0, 1], "the seeds don't show both cases")
    }

    /// Candidates come with their labels whole: a pool's first example is of a classification.
    func testUncertaintySamplingDoesNotCutLabels() throws {
        try writeModel(tasks: ["mrpc", "sts-b"])
        try writeData("mrpc", train: 4)
        try writeData("sts-b", train: 4)
        var settings = TrainingSettings.toy(.uncertainty(share: 1, score: .original), steps: 1)
        settings.dropout = 0
        settings.reproducesOriginal = true
        // The pool is all the examples there are, and so is the batch.
        let trained = try loadModel()
        let data = try loadData(trained)
        let all = [0, 1].flatMap { task in (0..<4).map { ExampleReference(task: task, index: $0) } }
        // The sum of the same numbers in another order.
        XCTAssertEqual(
            try train(settings).steps[0].loss, try loss(trained, TrainingBatch(all, data: TrainingSets(data))),
            accuracy: 1e-5)
    }

    private struct FirstLosses {
        let firstTask: Int
        let trained: Double
        let whole: Double
        let cut: Double
    }

    private func losses(_ sampling: Sampling, seed: UInt64, asOriginal: Bool) throws -> FirstLosses {
        var settings = TrainingSettings.toy(sampling, batchSize: 10, steps: 1)
        settings.dropout = 0
        settings.seed = seed
        settings.reproducesOriginal = asOriginal
        let trained = try loadModel()
        let data = try loadData(trained)
        var sampler = Sampler(sampling, sizes: [(task: 0, count: 20), (task: 1, count: 20)], batchSize: 10, seed: seed)
        let examples = sampler.nextExamples()
        let whole = TrainingBatch(examples, data: TrainingSets(data))
        var labels = whole.targets.flatMap { $0 }
        for (index, example) in examples.enumerated() where example.task == 1 {
            labels[index] = labels[index].rounded(.down)
        }
        return FirstLosses(
            firstTask: examples[0].task, trained: try train(settings).steps[0].loss,
            whole: try loss(trained, whole),
            cut: try trained.model(whole.tokens).loss(targets: labels.map { [$0] }, configuration: trained.model.configuration)
                .total.item())
    }

    private func loss(_ trained: TrainedModel, _ batch: TrainingBatch) throws -> Double {
        try trained.model(batch.tokens).loss(targets: batch.targets, configuration: trained.model.configuration)
            .total.item()
    }

    private func trainingLabels(_ task: TaskData) throws -> [Double] {
        let features = try XCTUnwrap(task.train)
        return try (0..<features.count).map { Double(try XCTUnwrap(features.target(at: $0).first)) }
    }

    // MARK: - Gradients that are zero

    /// Two batches of CoLA, then two of RTE, and MRPC in none.
    func testDecoderOfAnAbsentTaskMovesOnlyAsTheOriginal() throws {
        try writeModel(tasks: ["cola", "rte", "mrpc"])
        for name in ["cola", "rte", "mrpc"] { try writeData(name, train: 16) }
        for asOriginal in [false, true] {
            var settings = TrainingSettings.toy(.sequential, steps: 1)
            (settings.maxSteps, settings.epochs) = (nil, 1)
            settings.reproducesOriginal = asOriginal
            let decoders = (0..<3).map { "decoders.\($0).model.weight" }
            let start = try loadModel()
            var states = [try decoders.map { try start.weights($0) }]
            try train(settings, on: ["cola", "rte"]) { event, trained in
                if case .stepped = event { states.append(try decoders.map { try trained.weights($0) }) }
            }
            let moved = zip(states, states.dropFirst()).map { before, after in zip(before, after).map { $0 != $1 } }
            XCTAssertEqual(
                moved,
                [
                    [true, false, false], [true, false, false], [asOriginal, true, false], [asOriginal, true, false],
                ])
        }
    }

    // MARK: - Steps

    /// Without `maxSteps`: one epoch of the one and a half, its rate falling as if there were more to come.
    func testTrainsWholeEpochs() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 8)
        var settings = TrainingSettings.toy(batchSize: 2, steps: 1)
        (settings.maxSteps, settings.epochs) = (nil, 1.5)
        XCTAssertEqual(try train(settings).steps.count, 6)
        settings.reproducesOriginal = true
        let rates = try train(settings).steps.map(\.learningRate)
        XCTAssertEqual(rates.count, 4)
        for (rate, share) in zip(rates, [6.0, 5, 4, 3]) { XCTAssertEqual(rate, 1e-3 * share / 6, accuracy: 1e-15) }
    }

    /// Three batches and two an update: the third one's gradient leaks into the next epoch's first update.
    func testGradientsLeftOverLeakIntoTheNextEpoch() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 6)
        var settings = TrainingSettings.toy(batchSize: 2, steps: 1)
        settings.accumulationSteps = 2
        settings.maxSteps = nil
        settings.epochs = 2
        settings.dropout = 0
        // Without a rate the model stays as it is: each batch's gradient is the same whenever it comes.
        settings.optimizer.learningRate = 0
        settings.optimizer.maxGradientNorm = .greatestFiniteMagnitude
        settings.reproducesOriginal = true
        let course = try train(settings)
        XCTAssertEqual(course.steps.count, 2)
        var sampler = Sampler(.proportional, sizes: [(task: 0, count: 6)], batchSize: 2, seed: settings.seed)
        let drawn = (0..<6).map { _ in sampler.nextExamples() }
        for (step, batches) in zip(course.steps, [drawn[0...1], drawn[2...4]]) {
            let norm = try gradientNorm(course.data, batches)
            XCTAssertEqual(step.gradientNorm, norm, accuracy: 1e-5 * norm)
        }
    }

    /// The norm of half the sum of the batches' gradients.
    private func gradientNorm(_ data: [TaskData], _ batches: some Sequence<[ExampleReference]>) throws -> Double {
        let trained = try loadModel()
        for examples in batches {
            let batch = TrainingBatch(examples, data: TrainingSets(data))
            let loss = try trained.model(batch.tokens)
                .loss(targets: batch.targets, configuration: trained.model.configuration)
            try (loss.total * 0.5).backward()
        }
        let squares = try trained.model.namedParameters().flatMap { _, parameter in
            try parameter.wrappedValue.gradient()?.elements(Double.self).map { $0 * $0 } ?? []
        }
        return squares.reduce(0, +).squareRoot()
    }

    // MARK: - Evaluations

    /// The scoring that follows an evaluation goes without dropout, so that the stream stands elsewhere afterwards.
    func testEvaluationChangesTheNextPicksOnlyAsTheOriginal() throws {
        try writeModel(tasks: ["cola", "rte"])
        for name in ["cola", "rte"] { try writeData(name, train: 24) }
        for asOriginal in [false, true] {
            var settings = TrainingSettings.toy(.uncertainty(share: 1, score: .original), steps: 4)
            settings.reproducesOriginal = asOriginal
            let plain = try train(settings).steps.map(\.loss)
            settings.evaluationSteps = 2
            let evaluated = try train(settings).steps.map(\.loss)
            XCTAssertEqual(evaluated[..<2], plain[..<2])
            XCTAssertEqual(evaluated[2] == plain[2], !asOriginal)
        }
    }

    func testTheHighestFiguresAreOfSeveralEvaluations() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 8)
        var settings = TrainingSettings.toy(batchSize: 2, steps: 4)
        settings.evaluationSteps = 2
        var evaluations: [EvaluationReport] = []
        let course = try train(settings) { event, _ in
            if case .evaluated(_, let report) = event { evaluations.append(report) }
        }
        XCTAssertEqual(evaluations.count, 2)
        let highest = try XCTUnwrap(course.summary.highest)
        for (position, result) in highest.results.enumerated() {
            let values = evaluations.map(\.results[position].scores.taskScore)
            XCTAssertEqual(result.scores.taskScore, values.max())
            XCTAssertEqual(result.loss, evaluations[1].results[position].loss)
        }
    }
}
