import Foundation
import TestSupport
import XCTest

/// What a run logs for TensorBoard, and what it prints and writes besides, say the same.
final class LoggingTests: CommandTestCase {
    private var logs: URL { folder.appendingPathComponent("logs") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b"], to: data)
    }

    private func read() throws -> TensorBoardLog {
        let log = try XCTUnwrap(TensorBoardLog.read([logs]).first)
        XCTAssertEqual(log.readBytes, log.bytes, "a record is damaged")
        return log
    }

    private func training(_ more: String...) -> [String] {
        arguments(
            tasks: ["rte", "sts-b"], "--do_train", "--max_steps", "5", "--logging_steps", "2", "--logging_dir",
            logs.path) + more
    }

    /// The curves that `trainer_state.json` has the points of, in single precision.
    private func curvesOfTheState() throws -> [String: [TensorBoardLog.Point]] {
        struct State: Decodable {
            let log_history: [[String: Double?]]
        }
        let state = try JSONDecoder().decode(
            State.self, from: Data(contentsOf: output.appendingPathComponent("trainer_state.json")))
        var curves: [String: [TensorBoardLog.Point]] = [:]
        for entry in state.log_history {
            let step = try XCTUnwrap(entry["step"] ?? nil)
            for (name, value) in entry where !["step", "total_flos"].contains(name) {
                let isEvaluation = name.hasPrefix("eval_")
                // The epoch comes with each log, and not with the others.
                if name == "epoch", entry["loss"] == nil { continue }
                let tag = isEvaluation ? "eval/" + name.dropFirst(5) : "train/" + name
                curves[tag, default: []].append(.init(Int(step), value.map { Double(Float($0)) } ?? .nan))
            }
        }
        return curves
    }

    func testEveryPointIsThatOfTheTrainersState() throws {
        let run = try camtl(
            training("--evaluate_during_training", "--logging_first_step", "--use_mt_uncertainty"))
        var scalars = try read().scalars
        let speeds = try XCTUnwrap(scalars.removeValue(forKey: "train/samples_per_second"))
        XCTAssertEqual(speeds.map(\.step), [1, 2, 4, 5])
        XCTAssert(speeds.allSatisfy { $0.value > 0 })
        let expected = try curvesOfTheState()
        for name in ["loss", "grad_norm", "learning_rate", "epoch", "loss_rte", "share_rte", "entropy_rte"] {
            XCTAssertNotNil(expected["train/\(name)"], name)
        }
        XCTAssertEqual(scalars.keys.sorted(), expected.keys.sorted())
        for (tag, points) in expected {
            let read = scalars[tag] ?? []
            if tag.hasPrefix("train/share_") {
                XCTAssertEqual(read.filter { $0.value > 0 }, points, tag)
                XCTAssertEqual(read.map(\.step), [1, 2, 4, 5], tag)
            } else if !points.contains(where: \.value.isNaN) {
                XCTAssertEqual(read, points, tag)
            }
        }
        let printed = run.messages.split(separator: "\n").filter { $0.hasPrefix("step ") }.map { line in
            let words = line.split(separator: " ")
            return words.firstIndex(of: "loss").map { String(words[$0 + 1]) }
        }
        XCTAssertEqual(scalars["train/loss"]?.map { String(format: "%.4f", $0.value) }, printed)
    }

    /// What the first run logged after the checkpoint is in its file, and no longer in the curves.
    func testRunThatGoesOnFromACheckpointGoesOnInItsLog() throws {
        let command = arguments(
            tasks: ["rte", "sts-b"], "--do_train", "--max_steps", "8", "--logging_steps", "2", "--save_steps", "4")
        try camtl(command)
        let runs = folder.appendingPathComponent("runs")
        let log = runs.appendingPathComponent(try XCTUnwrap(names(in: runs).first))
        let before = try XCTUnwrap(TensorBoardLog.read([log]).first)
        let checkpoint = output.appendingPathComponent("checkpoint-4").path
        try camtl(command + ["--resume_from_checkpoint", checkpoint, "--overwrite_output_dir"])
        XCTAssertEqual(try names(in: runs).count, 1)
        let after = try XCTUnwrap(TensorBoardLog.read([log]).first)
        XCTAssertEqual(before.events.count, 1)
        XCTAssertEqual(after.events.count, 2)
        XCTAssertEqual(after.events.last?.prefix(2), ["0 brain.Event:2", "5 START"])
        XCTAssertEqual(after.scalars["train/loss"]?.map(\.step), [2, 4, 6, 8])
        for tag in ["train/loss", "train/grad_norm", "train/learning_rate", "train/loss_rte", "train/train_loss"] {
            XCTAssertEqual(after.scalars[tag], before.scalars[tag], tag)
        }
    }

    func testCurvesOfTheDevFiguresEndWithTheFiguresOfTheResults() throws {
        let run = try camtl(training("--do_eval", "--evaluate_during_training"))
        let log = try read()
        let figures = try figures(output.appendingPathComponent("eval_results.json"))
            .filter { !$0.key.hasSuffix("_samples") }
        XCTAssertEqual(
            log.scalars.keys.filter { $0.hasPrefix("eval/") }.sorted(),
            figures.keys.map { $0.replacingOccurrences(of: "eval_", with: "eval/") }.sorted())
        for (name, value) in figures {
            let points = log.scalars[name.replacingOccurrences(of: "eval_", with: "eval/")]
            XCTAssertEqual(points?.map(\.step), [2, 4, 5], name)
            XCTAssertEqual(points?.last?.value, Double(Float(value)), name)
        }
        let printed = run.messages.split(separator: "\n").filter { $0.hasPrefix("average ") }
            .compactMap { $0.split(separator: " ").last.map(String.init) }
        let averages = log.scalars["eval/average"]?.map { String(format: "%.4f", $0.value) }
        XCTAssertEqual(averages?.dropLast(), printed[...])
    }

    func testSettingsAreLoggedAsTheyAreSaved() throws {
        try camtl(training())
        let saved = try String(contentsOf: output.appendingPathComponent("run_config.json"), encoding: .utf8)
        let lines = try XCTUnwrap(read().texts["args/text_summary"]?.first).split(separator: "\n")
        XCTAssert(lines.allSatisfy { $0.hasPrefix("    ") }, "a line is not left as it is")
        XCTAssertEqual(lines.map { $0.dropFirst(4) }, saved.split(separator: "\n"))
    }

    func testTrainingsFiguresAreThoseOfTheResults() throws {
        try camtl(training())
        let scalars = try read().scalars
        let figures = try figures(output.appendingPathComponent("train_results.json"))
        for name in ["train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"] {
            let value = try XCTUnwrap(figures[name], name)
            XCTAssertEqual(scalars["train/\(name)"], [.init(5, Double(Float(value)))], name)
        }
        XCTAssertEqual(figures["train_samples"], 48)
        XCTAssertEqual(try XCTUnwrap(figures["epoch"]), 5.0 / 6, accuracy: 1e-12)
    }

    func testWithoutAFolderNamedTheLogGoesToOneByTheTimeAndTheMachine() throws {
        try camtl(arguments("--do_train", "--max_steps", "1"))
        let runs = try names(in: folder.appendingPathComponent("runs"))
        XCTAssertEqual(runs.count, 1)
        let pattern = "^(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\d\\d_\\d\\d-\\d\\d-\\d\\d_."
        XCTAssertNotNil(runs[0].range(of: pattern, options: .regularExpression), runs[0])
        let files = try names(in: folder.appendingPathComponent("runs/\(runs[0])"))
        XCTAssertEqual(files.map { $0.hasPrefix("events.out.tfevents.") }, [true])
    }

    func testRunsThatBeginInOneSecondHaveFoldersOfTheirOwn() throws {
        let runs = try (1...3).map { number in
            try start(
                arguments(output: folder.appendingPathComponent("\(number)"), "--do_train", "--max_steps", "1"))
        }
        for run in runs { XCTAssertEqual(try run.finish().status, 0) }
        let logs = folder.appendingPathComponent("runs")
        XCTAssertEqual(try names(in: logs).count, 3)
        for name in try names(in: logs) {
            XCTAssertEqual(try names(in: logs.appendingPathComponent(name)).count, 1, name)
        }
    }

    func testEvaluationAloneLogsNothing() throws {
        try camtl(training())
        let before = try contents(of: logs)
        try camtl(
            arguments(
                tasks: ["rte", "sts-b"], output: folder.appendingPathComponent("evaluated"), "--do_eval",
                "--logging_dir", logs.path, "--model_name_or_path", output.path))
        XCTAssertEqual(try contents(of: logs), before)
    }

    func testLogFolderThatCannotBeIsRefused() throws {
        let file = folder.appendingPathComponent("file")
        try TinyGLUE.write("mine", to: file)
        try assertRefuses(
            arguments("--do_train", "--logging_dir", file.path), "the log folder \(file.path) can't be used",
            "name another --logging_dir")
    }
}
