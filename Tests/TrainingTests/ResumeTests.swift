import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

@testable import Training

/// A run that was stopped and goes on ends as one that was never stopped.
final class ResumeTests: ToyTestCase {
    private struct Result {
        var weights: [String: [UInt8]] = [:]
        var losses: [Double] = []
        var logs: [LogReport] = []
        var usage: ExampleUsage?
    }

    /// Trains in a folder, from a checkpoint if one is given, up to the end or until the update `stop` is done.
    ///
    /// Before it goes on everything random is moved, as a new process would find it elsewhere.
    private func run(
        _ settings: TrainingSettings, in folder: URL, from checkpoint: URL? = nil, stop: Int? = nil
    ) throws -> Result {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let trained = try TrainedModel(folder: checkpoint ?? modelFolder)
        _ = try trained.model.freeze(FreezeRange(parsing: "0-1"), asOriginal: settings.reproducesOriginal)
        var result = Result()
        let trainer = try Trainer(
            trained, tasks: loadData(trained), settings: settings,
            shouldStop: { stop.map { result.losses.count >= $0 } ?? false }
        ) { event in
            if case .stepped(let report) = event { result.losses.append(report.loss) }
            if case .logged(let report) = event { result.logs.append(report) }
        }
        if let checkpoint {
            try seedRandomStream(999)
            try trainer.resume(from: checkpoint)
        }
        do {
            result.usage = try trainer.run(outputDirectory: folder).usage
        } catch TrainingError.stopped {}
        result.weights = try trained.weights()
        return result
    }

    private func assertResumes(
        _ settings: TrainingSettings, stop: Int, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let name = "\(settings.sampling) stopped after \(stop), original \(settings.reproducesOriginal)"
        let (wholeFolder, partFolder) = (
            directory.appendingPathComponent("whole \(name)"), directory.appendingPathComponent("part \(name)"))
        let whole = try run(settings, in: wholeFolder)
        let first = try run(settings, in: partFolder, stop: stop)
        XCTAssertEqual(first.losses, Array(whole.losses.prefix(stop)), name, file: file, line: line)
        let checkpoint = partFolder.appendingPathComponent("checkpoint-\(stop)")
        let rest = try run(settings, in: partFolder, from: checkpoint)
        XCTAssertEqual(rest.losses, Array(whole.losses.dropFirst(stop)), name, file: file, line: line)
        XCTAssertEqual(differences(rest.weights, whole.weights), [], name, file: file, line: line)
        XCTAssertEqual(rest.usage, whole.usage, name, file: file, line: line)
        let logs = (first.logs + rest.logs).map(withoutTime)
        XCTAssertEqual(logs, whole.logs.map(withoutTime), name, file: file, line: line)
        // The last entry has the time that the run took.
        XCTAssertEqual(
            try TrainerState.read(from: partFolder).history.dropLast(),
            try TrainerState.read(from: wholeFolder).history.dropLast(), name, file: file, line: line)
    }

    private func withoutTime(_ log: LogReport) -> LogReport {
        var log = log
        log.examplesPerSecond = 0
        return log
    }

    func testEachSamplerGoesOnWhereItWas() throws {
        try writeModel(tasks: ["cola", "sts-b", "mnli"])
        for (name, count) in [("cola", 30), ("sts-b", 12), ("mnli", 20)] { try writeData(name, train: count) }
        let samplings: [Sampling] = [
            .proportional, .sequential, .uniform(share: 0.5), .uncertainty(share: 0.5, score: .original),
        ]
        for sampling in samplings {
            for asOriginal in [false, true] {
                var settings = TrainingSettings.toy(sampling, steps: 11)
                settings.optimizer.weightDecay = 0.1
                settings.reproducesOriginal = asOriginal
                settings.loggingSteps = 3
                settings.evaluationSteps = 4
                // In the first epoch, at its end, and in a later one.
                for stop in [2, 4, 9] { try assertResumes(settings, stop: stop) }
            }
        }
    }

    func testBatchesOfAboutOneLengthGoOn() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        for (name, count) in [("cola", 30), ("sts-b", 25)] { try writeData(name, train: count) }
        for sampling in [.proportional, .sequential, .uniform(share: 0.5)] as [Sampling] {
            var settings = TrainingSettings.toy(sampling, steps: 11)
            settings.groupsByLength = true
            for stop in [2, 4, 9] { try assertResumes(settings, stop: stop) }
        }
    }

    func testScoringWithoutDropoutGoesOn() throws {
        try writeModel(tasks: ["cola", "mnli"])
        for (name, count) in [("cola", 30), ("mnli", 25)] { try writeData(name, train: count) }
        try assertResumes(.toy(.uncertainty(share: 1, score: .paper, usesDropout: false), steps: 7), stop: 3)
    }

    func testAccumulatedUpdatesGoOn() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        for (name, count) in [("cola", 30), ("sts-b", 25)] { try writeData(name, train: count) }
        for asOriginal in [false, true] {
            var settings = TrainingSettings.toy(batchSize: 4, steps: 9)
            settings.accumulationSteps = 4
            settings.reproducesOriginal = asOriginal
            for stop in [3, 4, 5] { try assertResumes(settings, stop: stop) }
        }
    }

    func testRandomPicksOfRegressionsGoOn() throws {
        try writeModel(tasks: ["sts-b"])
        try writeData("sts-b", train: 40)
        try assertResumes(.toy(.uncertainty(share: 1, score: .original), steps: 8), stop: 5)
    }

    func testARunWithOtherSettingsIsRefusedByTheirNames() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 30)
        let settings = TrainingSettings.toy(steps: 6)
        _ = try run(settings, in: outputDirectory, stop: 3)
        let checkpoint = outputDirectory.appendingPathComponent("checkpoint-3")
        var other = settings
        other.optimizer.learningRate = 0.5
        other.batchSize = 9
        other.groupsByLength = true
        XCTAssertThrowsError(try run(other, in: outputDirectory, from: checkpoint)) { error in
            guard case ResumeError.otherRun(_, let differences) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(
                differences,
                [
                    "group_by_length was false and is true", "learning_rate was 0.001 and is 0.5",
                    "train batch size of all processes was 8 and is 9",
                ])
        }
        try writeData("cola", train: 31)
        XCTAssertThrowsError(try run(settings, in: outputDirectory, from: checkpoint)) { error in
            guard case ResumeError.otherRun(_, let differences) = error else { return XCTFail("\(error)") }
            XCTAssertTrue(differences.count == 1 && differences[0].hasPrefix("data of cola was "), "\(differences)")
        }
    }

    // MARK: - The best checkpoint

    private func evaluations(
        _ settings: TrainingSettings
    ) throws -> (course: Course, averages: [Int: Double], loaded: Int?) {
        var averages: [Int: Double] = [:]
        var loaded: Int?
        let course = try train(settings) { event, _ in
            if case .evaluated(let step, let report) = event { averages[step] = report.average }
            if case .loadedBest(let step, _) = event { loaded = step }
        }
        return (course, averages, loaded)
    }

    func testTheModelAtTheEndIsTheBest() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        for name in ["cola", "sts-b"] { try writeData(name, train: 40) }
        var settings = TrainingSettings.toy(steps: 9)
        settings.optimizer.learningRate = 0.02
        settings.evaluationSteps = 2
        settings.saveSteps = 100
        settings.saveTotalLimit = 1
        settings.loadsBestModelAtEnd = true
        let (course, averages, loaded) = try evaluations(settings)
        XCTAssertEqual(averages.keys.sorted(), [2, 4, 6, 8, 9])
        // The first of several equal ones.
        let highest = averages.values.max()
        let best = try XCTUnwrap(averages.filter { $0.value == highest }.keys.min())
        XCTAssertEqual(loaded, best == 9 ? nil : best)
        let report = try Evaluator(model: course.trained.model, batchSize: 8).evaluate(course.data)
        XCTAssertEqual(report.average, highest)
        let checkpoints = Checkpoints(outputDirectory: outputDirectory).steps()
        XCTAssertTrue(checkpoints.contains(best), "\(checkpoints) without the best, \(best)")
        XCTAssertLessThanOrEqual(checkpoints.count, 2)
    }

    private func bestCheckpoint() throws -> String? {
        struct State: Decodable { let best_model_checkpoint: String? }
        let url = outputDirectory.appendingPathComponent(TrainerState.fileName)
        return try JSONDecoder().decode(State.self, from: Data(contentsOf: url)).best_model_checkpoint
    }

    func testOnlyACheckpointThatIsMadeIsNamedAsTheBest() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 6)
        // The first evaluation stays the best.
        settings.optimizer.learningRate = 1e-30
        settings.evaluationSteps = 2
        for (interval, expected) in [(4, nil), (2, "checkpoint-2")] as [(Int, String?)] {
            settings.saveSteps = interval
            try train(settings)
            XCTAssertEqual(try bestCheckpoint().map { URL(fileURLWithPath: $0).lastPathComponent }, expected)
        }
    }

    func testTheLastUpdatesEvaluationIsNotMadeTwice() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 6)
        (settings.evaluationSteps, settings.saveSteps, settings.loadsBestModelAtEnd) = (2, 2, true)
        _ = try run(settings, in: outputDirectory)
        let whole = try TrainerState.read(from: outputDirectory)
        _ = try run(settings, in: outputDirectory, from: outputDirectory.appendingPathComponent("checkpoint-6"))
        XCTAssertEqual(try TrainerState.read(from: outputDirectory).history.dropLast(), whole.history.dropLast())
    }

    func testTrainingStopsWhenItGetsNoBetter() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 30)
        // Nothing changes: the first evaluation stays the best.
        settings.optimizer.learningRate = 1e-30
        settings.evaluationSteps = 2
        settings.earlyStoppingPatience = 3
        var stops: [EarlyStop] = []
        let course = try train(settings) { event, _ in if case .stoppedEarly(let stop) = event { stops.append(stop) } }
        XCTAssertEqual(course.summary.steps, 8)
        XCTAssertEqual(stops.map(\.step), [8])
        let (stop, best) = (try XCTUnwrap(stops.first), try XCTUnwrap(stops.first?.best))
        XCTAssertEqual(best.step, 2)
        XCTAssertEqual(stop.latest, best.value)
        XCTAssertEqual(
            stop.description,
            "after step 8, eval_average was not better in 3 evaluations in a row than the \(Float(best.value)) of step 2, "
                + "and is now \(Float(best.value)) (--early_stopping_patience)")
        // A run that comes to its end has not ended early.
        (settings.maxSteps, stops) = (8, [])
        try train(settings) { event, _ in if case .stoppedEarly(let stop) = event { stops.append(stop) } }
        XCTAssertEqual(stops, [])
    }

    func testAFigureThatIsNoNumberStopsTrainingAndMakesNoEvaluationTheBest() throws {
        try writeModel(tasks: ["sts-b"])
        // A single score correlates with nothing.
        try writeData("sts-b", train: 20, dev: 1)
        var settings = TrainingSettings.toy(steps: 30)
        (settings.evaluationSteps, settings.earlyStoppingPatience, settings.loadsBestModelAtEnd) = (2, 2, true)
        for metric in ["average", "sts-b_pearson"] {
            settings.metricForBestModel = metric
            var said: [String] = []
            let course = try train(settings) { event, _ in
                if case .stoppedEarly(let stop) = event { said.append("\(stop)") }
                if case .noBest(let metric, let step) = event { said.append("no best \(metric) at \(step)") }
            }
            XCTAssertEqual(course.summary.steps, 4)
            XCTAssertEqual(said.count, 2)
            XCTAssertTrue(
                said.first?.hasPrefix("after step 4, eval_\(metric) was no number in 2 evaluations in a row") == true,
                "\(said)")
            XCTAssertEqual(said.last, "no best eval_\(metric) at 4")
        }
    }

    func testABestCheckpointThatIsDamagedIsNotTheModelAtTheEnd() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 6)
        // The first evaluation stays the best.
        settings.optimizer.learningRate = 1e-30
        (settings.evaluationSteps, settings.saveSteps, settings.loadsBestModelAtEnd) = (2, 100, true)
        let (best, last) = (checkpointURL(2), checkpointURL(6))
        XCTAssertThrowsError(
            try train(settings) { event, _ in
                guard case .saved(best) = event else { return }
                let url = best.appendingPathComponent("model.safetensors")
                var data = try Data(contentsOf: url)
                data[data.count - 1] ^= 1
                try data.write(to: url)
            }
        ) { error in
            XCTAssertEqual(
                error as? ResumeError,
                .bestNotWhole(
                    path: best.path,
                    reason: "model.safetensors is damaged: the checksum is not that of its content", last: last.path))
        }
        XCTAssertNoThrow(try ResumeState.readWhole(from: last))
    }

    private func checkpointURL(_ step: Int) -> URL { outputDirectory.appendingPathComponent("checkpoint-\(step)") }

    func testALimitKeepsTheNewestAndTheBest() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 7)
        settings.saveSteps = 1
        settings.saveTotalLimit = 3
        try train(settings)
        XCTAssertEqual(Checkpoints(outputDirectory: outputDirectory).steps(), [5, 6, 7])
        // The best one is the first, and another run's checkpoints are not this one's to remove.
        settings.optimizer.learningRate = 1e-30
        settings.saveTotalLimit = 2
        settings.evaluationSteps = 1
        settings.maxSteps = 4
        try train(settings)
        XCTAssertEqual(Checkpoints(outputDirectory: outputDirectory).steps(), [1, 4, 5, 6, 7])
    }

    private func checkpoint(_ name: String) -> URL { outputDirectory.appendingPathComponent("checkpoint-\(name)") }

    func testACopyUnderAnotherNumberIsNeitherGoneOnFromNorCountedNorRemoved() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        let files = FileManager.default
        var settings = TrainingSettings.toy(steps: 6)
        (settings.saveSteps, settings.saveTotalLimit) = (1, 1)
        _ = try run(settings, in: outputDirectory, stop: 2)
        for name in ["01", "1000", "3.bak"] { try files.copyItem(at: checkpoint("2"), to: checkpoint(name)) }
        var passedOver: [String] = []
        let checkpoints = Checkpoints(outputDirectory: outputDirectory)
        let newest = try checkpoints.newest { passedOver.append("\($0.lastPathComponent): \($1)") }
        XCTAssertEqual(newest?.folder.lastPathComponent, "checkpoint-2")
        XCTAssertEqual(passedOver, ["checkpoint-1000: it is a copy of the checkpoint of step 2"])
        _ = try run(settings, in: outputDirectory, from: newest?.folder)
        let names = try files.contentsOfDirectory(atPath: outputDirectory.path).filter { $0.hasPrefix("checkpoint-") }
        XCTAssertEqual(names.sorted(), ["checkpoint-01", "checkpoint-1000", "checkpoint-3.bak", "checkpoint-6"])
    }

    func testALimitLeavesCheckpointsThatHoldMoreThanOnes() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        let files = FileManager.default
        var settings = TrainingSettings.toy(steps: 6)
        settings.saveSteps = 1
        _ = try run(settings, in: outputDirectory, stop: 4)
        try Data("mine".utf8).write(to: checkpoint("1").appendingPathComponent("notes"))
        // Moved to another disk.
        let moved = directory.appendingPathComponent("moved")
        try files.moveItem(at: checkpoint("2"), to: moved)
        try files.createSymbolicLink(at: checkpoint("2"), withDestinationURL: moved)
        settings.saveTotalLimit = 1
        _ = try run(settings, in: outputDirectory, from: checkpoint("4"))
        XCTAssertEqual(Checkpoints(outputDirectory: outputDirectory).steps(), [1, 2, 6])
        XCTAssert(files.fileExists(atPath: moved.appendingPathComponent("model.safetensors").path))
        XCTAssert(files.fileExists(atPath: checkpoint("1").appendingPathComponent("notes").path))
    }

    /// A run that goes on from an earlier checkpoint finds later ones of its own.
    func testALimitNeverTakesTheCheckpointJustSaved() throws {
        try writeModel(tasks: ["cola"])
        try writeData("cola", train: 40)
        var settings = TrainingSettings.toy(steps: 8)
        settings.saveSteps = 2
        _ = try run(settings, in: outputDirectory)
        settings.saveTotalLimit = 1
        let stopped = try run(settings, in: outputDirectory, from: checkpoint("2"), stop: 2)
        XCTAssertEqual(stopped.losses.count, 2)
        XCTAssertEqual(Checkpoints(outputDirectory: outputDirectory).steps(), [4, 6, 8])
    }
}
