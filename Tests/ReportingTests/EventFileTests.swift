import Foundation
import TestSupport
import Training
import XCTest

@testable import Reporting

/// Event files, as TensorBoard reads them.
final class EventFileTests: ReportingTestCase {
    private typealias Point = TensorBoardLog.Point

    private func read() throws -> TensorBoardLog {
        try XCTUnwrap(TensorBoardLog.read([logs]).first)
    }

    /// The values in single precision, which is what an event file has.
    private func points(_ values: [(Int, Double)]) -> [Point] { values.map { Point($0, Double(Float($1))) } }

    func testEveryFigureOfALogIsReadUnderItsTag() throws {
        let uncertain = configuration { $0.training.sampling = .uncertainty(share: 1, score: .original) }
        try tell(
            beginning() + [.training(step(1)), .training(step(2)), .training(log(2, loss: 0.625))], uncertain)
        let read = try read()
        let expected = [
            "train/loss": 0.625, "train/grad_norm": 4.5, "train/learning_rate": 5e-5, "train/epoch": 0.5,
            "train/samples_per_second": 16.5, "train/loss_rte": 0.7, "train/loss_sts-b": 1.9,
            "train/share_rte": 0.75, "train/share_sts-b": 0.25, "train/share_mnli": 0, "train/entropy_rte": 0.9,
            "train/entropy_mnli": 0.8,
        ]
        XCTAssertEqual(read.scalars, expected.mapValues { points([(2, $0)]) })
        XCTAssertEqual(read.readBytes, read.bytes, "a record is damaged")
        XCTAssertEqual(read.events, [["0 brain.Event:2", "0 START", "0 summary", "2 summary"]])
    }

    func testEachFileOfAFolderHasANameOfItsOwn() throws {
        try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
        let first = try EventFile(in: logs, firstStep: 0).url
        // What no clock shows leaves room for later ones.
        try Data().write(to: logs.appendingPathComponent("events.out.tfevents.\(Int.max).host.1.0"))
        let files = try (0..<4).map { _ in try EventFile(in: logs, firstStep: 0).url }
        XCTAssertEqual(Set([first] + files).count, 5)
        XCTAssertEqual(files.map(\.lastPathComponent).sorted(), files.map(\.lastPathComponent))
    }

    func testSharesAndEntropiesAreLoggedUnderUncertaintySamplingAlone() throws {
        try tell(beginning() + [.training(step(1)), .training(log(1))])
        let tags = try read().scalars.keys
        XCTAssert(tags.contains("train/loss_rte"))
        XCTAssertEqual(tags.filter { $0.hasPrefix("train/share_") || $0.hasPrefix("train/entropy_") }, [])
    }

    func testSettingsAreATextWithTheModelsTasksFilledIn() throws {
        try tell(beginning() + [.training(step(1)), .training(log(1))])
        let json = """
                {
                  "learning_rate": 2e-05,
                  "tasks": ["rte","sts-b","mnli"]
                }

            """
        XCTAssertEqual(try read().texts, ["args/text_summary": [json]])
    }

    func testEvaluationsAreLoggedAtTheirStepsAndTheLastOnceOnly() throws {
        let evaluation = try evaluation()
        try tell(
            beginning() + [.training(step(1)), .training(.evaluated(step: 1, evaluation)), .training(step(2))]
                + [.trained(summary(steps: 2)), .evaluating, .evaluated(evaluation)])
        let scalars = try read().scalars
        XCTAssertEqual(scalars["eval/rte_acc"], points([(1, 0.75), (2, 0.75)]))
        XCTAssertEqual(scalars["eval/mnli-mm_acc"], points([(1, 2.0 / 3), (2, 2.0 / 3)]))
        XCTAssertEqual(scalars["eval/rte_loss"], points([(1, 0.25), (2, 0.25)]))
        XCTAssertEqual(scalars["eval/sts-b_pearson"]?.map(\.value.isNaN), [true, true])
        XCTAssertNotNil(scalars["eval/average"])
        XCTAssertNotNil(scalars["eval/average_std"])

        try tell(
            beginning() + [.training(step(1)), .training(.evaluated(step: 1, evaluation))]
                + [.trained(summary(steps: 1)), .evaluating, .evaluated(evaluation)])
        XCTAssertEqual(try read().scalars["eval/rte_acc"], points([(1, 0.75)]), "the same model twice")
    }

    func testTrainingsFiguresStandAtItsLastStep() throws {
        try tell(
            beginning() + [.training(step(1)), .training(step(2)), .trained(summary(steps: 2))])
        let scalars = try read().scalars
        let expected = [
            "train_loss": 0.7, "train_runtime": 2, "train_samples_per_second": 8, "train_steps_per_second": 1,
        ]
        for (name, value) in expected { XCTAssertEqual(scalars["train/\(name)"], points([(2, value)]), name) }
    }

    func testResumedRunTakesBackWhatWasLoggedAfterItsCheckpoint() throws {
        let first = [2, 4, 6].flatMap { [step($0), log($0, loss: Double($0))] }
        try tell(beginning() + first.map(RunEvent.training))
        let resumed = TrainingEvent.resumed(step: 4, from: output)
        let second = [resumed] + [6, 8].flatMap { [step($0), log($0, loss: 10 * Double($0))] }
        // In the same second as the first, and yet read after it.
        try tell(beginning() + second.map(RunEvent.training))
        let read = try read()
        XCTAssertEqual(read.scalars["train/loss"], points([(2, 2), (4, 4), (6, 60), (8, 80)]))
        XCTAssertEqual(read.events.last?.prefix(2), ["0 brain.Event:2", "5 START"])
    }

    func testNewRunInTheFolderTakesTheEarlierOnesPlace() throws {
        for loss in [1.0, 2] {
            try tell(beginning() + [.training(step(1)), .training(log(1, loss: loss))])
        }
        let read = try read()
        XCTAssertEqual(read.scalars["train/loss"], points([(1, 2)]))
        XCTAssertEqual(read.events.count, 2)
    }

    func testAFileOfAnImpossibleTimeIsNotCountedOnFrom() throws {
        try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
        try Data().write(to: logs.appendingPathComponent("events.out.tfevents.\(Int.max).elsewhere"))
        try tell(beginning() + [.training(step(1)), .training(log(1, loss: 1))])
        XCTAssertEqual(names(in: logs).count, 2)
    }

    func testFileOfAKilledRunIsReadUpToItsLastWholeRecord() throws {
        try tell(beginning() + (1...3).flatMap { [step($0), log($0)] }.map(RunEvent.training))
        let name = try XCTUnwrap(names(in: logs).first)
        let whole = try Data(contentsOf: logs.appendingPathComponent(name))
        let lengths = [1, 4, 5, 100, whole.count - 30]
        let folders = try lengths.map { cut in
            let folder = directory.appendingPathComponent("less \(cut)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try whole.dropLast(cut).write(to: folder.appendingPathComponent(name))
            return folder
        }
        let steps = try TensorBoardLog.read(folders).map { $0.scalars["train/loss"]?.map(\.step) }
        XCTAssertEqual(steps, [[1, 2], [1, 2], [1, 2], [1, 2], nil])
    }

    /// What makes the other tests' equal sizes mean something.
    func testDamagedRecordIsSeenByTheReader() throws {
        try tell(beginning() + (1...2).flatMap { [step($0), log($0)] }.map(RunEvent.training))
        let url = logs.appendingPathComponent(try XCTUnwrap(names(in: logs).first))
        var bytes = try Data(contentsOf: url)
        bytes[bytes.count - 20] ^= 1
        try bytes.write(to: url)
        let read = try read()
        XCTAssertLessThan(read.readBytes[0], read.bytes[0])
        XCTAssertEqual(read.scalars["train/loss"]?.map(\.step), [1])
    }

    func testRunThatFailsBeforeItLogsLeavesNoFolder() throws {
        try tell(beginning() + [.training(step(1))])
        XCTAssertEqual(names(in: directory), ["output"])
    }

    func testLogThatCannotBeWrittenAnyMoreIsSaidOnceAndEndsNoRun() throws {
        var warnings: [String] = []
        let reporter = try RunReporter(configuration()) { warnings.append($0) }
        for event in try beginning() { try reporter.report(event) }
        try Data().write(to: logs)
        for number in 1...2 { try reporter.report(.training(log(number))) }
        XCTAssertEqual(warnings.count, 1)
        XCTAssertEqual(
            warnings.first?.hasPrefix("TensorBoard's log lacks points from here on, and the run goes on: the log folder"),
            true, "\(warnings)")
        // With room again there are points again, after the settings.
        try FileManager.default.removeItem(at: logs)
        try reporter.report(.training(log(3)))
        let read = try read()
        XCTAssertEqual(read.scalars["train/loss"]?.map(\.step), [3])
        XCTAssertEqual(read.events, [["0 brain.Event:2", "0 START", "0 summary", "3 summary"]])
        // A file that grows no further ends with its last whole record.
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        var low = rlimit(rlim_cur: rlim_t(read.bytes[0] + 10), rlim_max: limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
        XCTAssertNoThrow(try reporter.report(.training(log(4))))
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        let cut = try self.read()
        XCTAssertEqual(cut.bytes, read.bytes)
        XCTAssertEqual(cut.readBytes, cut.bytes)
    }

    func testLogFolderThatCannotBeIsRefusedBeforeTheRun() throws {
        let file = directory.appendingPathComponent("file")
        try Data().write(to: file)
        let folder = file.appendingPathComponent("logs")
        XCTAssertThrowsError(try RunReporter(configuration { $0.loggingDirectory = folder })) {
            XCTAssertEqual(
                "\($0)",
                "the log folder \(folder.path) can't be used: \(file.path) is a file; name another --logging_dir")
        }
        let evaluates = configuration { ($0.loggingDirectory, $0.trains) = (folder, false) }
        XCTAssertNoThrow(try RunReporter(evaluates), "a run that doesn't train logs nothing")
    }
}
