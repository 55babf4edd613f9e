import Foundation
import TestSupport
import XCTest

/// `--do_predict`: the test sets' predictions, as GLUE's server reads them.
final class SubmissionTests: CommandTestCase {
    private struct Prediction: Decodable {
        var task: String
        var label: String?
        var value: Double?
        var probabilities: [Double]?
        var logits: [Float]
    }

    /// Each task comes to be trained within these steps.
    private let training = [
        "--encoder_type", "ca-mtl-base", "--do_train", "--sampling", "uniform", "--max_steps", "12",
        "--per_device_train_batch_size", "24", "--dropout", "0",
    ]
    private var archive: URL { output.appendingPathComponent("submission.zip") }
    private var predictions: URL { output.appendingPathComponent("predictions") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
    }

    /// The rows of a table, its header first.
    private func table(_ name: String) throws -> [[String]] {
        let text = try String(contentsOf: predictions.appendingPathComponent(name), encoding: .utf8)
        XCTAssert(text.hasSuffix("\n"), name)
        return text.dropLast().components(separatedBy: "\n").map { $0.components(separatedBy: "\t") }
    }

    /// What `camtl predict` says of the rows of a set.
    private func predictedAlone(_ task: TinyGLUE, _ set: (name: String, path: String, submitted: String)) throws
        -> [Prediction]
    {
        let rows = folder.appendingPathComponent("\(set.name).jsonl")
        let result = folder.appendingPathComponent("\(set.name).predicted.jsonl")
        let lines = try task.rows(of: set.path).map { row in
            let fields = row.second.map { ["task": set.name, "sentence1": row.first, "sentence2": $0] }
                ?? ["task": set.name, "sentence": row.first]
            return String(decoding: try JSONEncoder().encode(fields), as: UTF8.self) + "\n"
        }
        try TinyGLUE.write(lines.joined(), to: rows)
        try camtl(
            ["predict", "--model_name_or_path", output.path, "--input", rows.path, "--output", result.path])
        return try Data(contentsOf: result).split(separator: 0x0A)
            .map { try JSONDecoder().decode(Prediction.self, from: $0) }
    }

    /// Runs the checker on the archive.
    private func check(_ more: String...) throws -> (status: Int32, text: String) {
        try SystemPython.run([SystemPython.script(named: "check_submission.py").path, archive.path] + more)
    }

    func testAllNineTasksAreSubmittedWithTheirRowsInOrder() throws {
        let names = TinyGLUE.all.map(\.task)
        try TinyGLUE.write(names, to: data)
        let messages = try camtl(
            arguments(tasks: names) + training + ["--do_predict", "--predict_probabilities"]
        ).messages

        var files: [String] = []
        for task in TinyGLUE.all {
            for set in task.testSets {
                files.append(set.submitted)
                let expected = try predictedAlone(task, set)
                XCTAssertEqual(expected.map(\.task), expected.map { _ in set.name })
                try assertIsSubmitted(expected, task, set)
                XCTAssert(
                    messages.contains("\n  \(set.submitted) has 13 rows, and the official test set has "), messages)
            }
        }
        XCTAssertEqual(
            try self.names(in: predictions),
            (files + files.map { $0.dropLast(4) + ".probabilities.tsv" }).sorted())
        XCTAssert(messages.contains("warning: \(archive.path) is not a complete submission\n"), messages)
        try assertArchiveHolds(files)
        let partial = try check("--partial")
        XCTAssertEqual(partial.status, 0, partial.text)
        let complete = try check()
        XCTAssertEqual(complete.status, 1)
        let counts = complete.text.split(separator: "\n").filter {
            $0.contains("it has 13 rows, and the test set has ")
        }
        XCTAssertEqual(counts.count, 11, complete.text)
    }

    /// The tables of a set say what was predicted of its rows one by one.
    private func assertIsSubmitted(
        _ expected: [Prediction], _ task: TinyGLUE, _ set: (name: String, path: String, submitted: String)
    ) throws {
        let submitted = try table(set.submitted)
        let texts = expected.map { row in row.label ?? String(format: "%.3f", min(max(row.value ?? .nan, 0), 5)) }
        XCTAssertEqual(
            submitted, [["index", "prediction"]] + texts.enumerated().map { ["\($0)", $1] }, set.submitted)
        let detailed = try table(set.submitted.dropLast(4) + ".probabilities.tsv")
        let columns = task.labels.isEmpty
            ? ["logit"] : task.labels.map { "probability_\($0)" } + task.labels.map { "logit_\($0)" }
        XCTAssertEqual(detailed[0], ["index", "prediction"] + columns)
        for (row, cells) in zip(expected, detailed.dropFirst()) {
            let numbers = cells.dropFirst(2)
            XCTAssertEqual(
                numbers.prefix(numbers.count - row.logits.count).compactMap { Double($0) }, row.probabilities ?? [])
            XCTAssertEqual(numbers.suffix(row.logits.count).compactMap { Float($0) }, row.logits)
        }
        XCTAssertEqual(detailed.dropFirst().map { Array($0.prefix(2)) }, Array(submitted.dropFirst()))
    }

    /// Python's own reader finds the files' bytes, and nothing else, in the archive.
    private func assertArchiveHolds(_ files: [String]) throws {
        let script = """
            import os, sys, zipfile
            archive = zipfile.ZipFile(sys.argv[1])
            assert archive.testzip() is None
            for name in archive.namelist():
                print(name, archive.read(name) == open(os.path.join(sys.argv[2], name), "rb").read())
            """
        let (status, text) = try SystemPython.run(["-c", script, archive.path, predictions.path])
        XCTAssertEqual(status, 0, text)
        XCTAssertEqual(text.split(separator: "\n").sorted(), files.map { "\($0) True"[...] }.sorted())
    }

    func testALoadedModelSubmitsTheSameBytes() throws {
        try TinyGLUE.write(["rte", "mnli"], to: data)
        try camtl(arguments(tasks: ["rte", "mnli"]) + training + ["--do_predict", "--predict_probabilities"])
        let first = try Data(contentsOf: archive)
        let again = folder.appendingPathComponent("again")
        try camtl([
            "--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path, "--threads", "1",
            "--output_dir", again.path, "--do_predict",
        ])
        XCTAssertEqual(try Data(contentsOf: again.appendingPathComponent("submission.zip")), first)
        XCTAssertEqual(try names(in: again), ["predictions", "submission.zip"])
        // Into the first run's folder: probabilities of other predictions must not stay.
        try camtl([
            "--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path, "--threads", "1",
            "--output_dir", output.path, "--do_predict",
        ])
        XCTAssertEqual(try names(in: predictions), ["AX.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "RTE.tsv"])
    }

    func testTasksOutsideOfTheRunAreNamedAndNotMadeUp() throws {
        try TinyGLUE.write(["rte"], to: data)
        let messages = try camtl(arguments() + training + ["--do_predict"]).messages
        try assertArchiveHolds(["RTE.tsv"])
        for (file, task) in [("CoLA.tsv", "cola"), ("AX.tsv", "mnli"), ("MNLI-mm.tsv", "mnli"), ("QQP.tsv", "qqp")] {
            XCTAssert(
                messages.contains("\n  \(file) is missing: \(task) is not among the tasks of this run\n"), messages)
        }
        XCTAssertEqual(try check("--partial").status, 0)
        XCTAssertEqual(try check().status, 1)
        // What an earlier run predicted of other sets doesn't stay beside it.
        try TinyGLUE.write("index\tprediction\n", to: predictions.appendingPathComponent("QQP.tsv"))
        try camtl(
            ["--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path, "--output_dir"]
                + [output.path, "--do_predict"])
        XCTAssertEqual(try names(in: predictions), ["RTE.tsv"])
    }

    func testADecoderThatNoUpdateCameToIsNotPredictedWith() throws {
        try TinyGLUE.write(["rte", "sts-b"], to: data)
        let training = arguments(
            tasks: ["rte", "sts-b"], "--do_train", "--sampling", "sequential", "--max_steps", "1", "--do_predict")
        let loading = [
            "--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path, "--output_dir",
            output.path, "--do_predict",
        ]
        for run in [training, loading] {
            let messages = try camtl(run).messages
            try assertArchiveHolds(["RTE.tsv"])
            XCTAssert(
                messages.contains(
                    "\n  STS-B.tsv is missing: sts-b is not trained, its decoder is at its random start\n"), messages)
        }
        let rows = folder.appendingPathComponent("rows.jsonl")
        try TinyGLUE.write(#"{"task": "sts-b", "sentence1": "ba", "sentence2": "be"}"#, to: rows)
        try assertRefuses(
            [
                "predict", "--model_name_or_path", output.path, "--input", rows.path, "--output",
                folder.appendingPathComponent("out.jsonl").path,
            ], "\(rows.path):1: sts-b is not trained, its decoder is at its random start")
        // Once it is trained, it is.
        try camtl(
            arguments(
                tasks: ["sts-b"], "--model_name_or_path", output.path, "--do_train", "--max_steps", "2",
                "--do_predict", "--overwrite_output_dir"))
        try assertArchiveHolds(["STS-B.tsv"])
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        XCTAssertNil(try XCTUnwrap(entry)["untrained_tasks"])
    }

    func testATrainingThatComesToNoTaskWithATestSetPredictsNothing() throws {
        try TinyGLUE.write(["rte", "sts-b"], to: data)
        let missing = data.appendingPathComponent("RTE/test.tsv")
        try FileManager.default.removeItem(at: missing)
        let outcome = try outcome(
            of: arguments(
                tasks: ["rte", "sts-b"], "--do_train", "--sampling", "sequential", "--max_steps", "1", "--do_predict"))
        XCTAssertNotEqual(outcome.status, 0)
        XCTAssertFalse(outcome.wasKilled)
        XCTAssert(
            outcome.messages.contains("Error: there is nothing to predict: \(missing.path): there is no such file"),
            outcome.messages)
        XCTAssert(outcome.messages.hasSuffix("sts-b is not trained, its decoder is at its random start\n"))
        XCTAssertTrue(try names(in: output).contains("model.safetensors"), "what was trained is kept")
        XCTAssertFalse(FileManager.default.fileExists(atPath: archive.path))
    }

    func testAMissingTestFileIsNamed() throws {
        try TinyGLUE.write(["rte", "mnli"], to: data)
        let missing = data.appendingPathComponent("MNLI/test_mismatched.tsv")
        try FileManager.default.removeItem(at: missing)
        let messages = try camtl(arguments(tasks: ["rte", "mnli"]) + training + ["--do_predict"]).messages
        XCTAssert(messages.contains("\n  MNLI-mm.tsv is missing: \(missing.path): there is no such file"), messages)
        try assertArchiveHolds(["RTE.tsv", "MNLI-m.tsv", "AX.tsv"])
    }

    // MARK: Refusals

    func testNothingToPredictIsRefusedBeforeTraining() throws {
        try TinyGLUE.write(["rte"], to: data)
        try assertRefuses(arguments("--do_predict"), "this is a pretrained encoder and no trained model")
        let missing = data.appendingPathComponent("RTE/test.tsv")
        try FileManager.default.removeItem(at: missing)
        try assertRefuses(
            arguments("--do_train", "--do_predict"),
            "there is nothing to predict: \(missing.path): there is no such file; rte is read from this file")
    }

    func testARowOfATestFileThatWouldShiftTheOthersIsRefusedBeforeTraining() throws {
        try TinyGLUE.write(["rte", "qqp"], to: data)
        for (task, columns) in [("rte", 3), ("qqp", 3)] {
            let set = TinyGLUE.task(task).testSets[0]
            let url = data.appendingPathComponent(set.path)
            let right = try String(contentsOf: url, encoding: .utf8)
            let lines = right.components(separatedBy: "\n")
            let index = task == "qqp" ? "id" : "index"
            func assertRefusesLines(_ lines: [[String]], _ message: String, line: UInt = #line) throws {
                let lines = lines.flatMap { $0 }
                try TinyGLUE.write(lines.joined(separator: "\n"), to: url)
                try assertRefuses(
                    arguments(tasks: [task], "--do_train", "--do_predict"), "\(url.path):\(message)", line: line)
            }
            let cut = lines[6].components(separatedBy: "\t").dropLast().joined(separator: "\t")
            try assertRefusesLines(
                [Array(lines[..<6]), [cut], Array(lines[7...])], "7: found \(columns - 1) tab-separated columns")
            try assertRefusesLines(
                [Array(lines[..<6]), [""], Array(lines[6...])], "7: the line is blank, with rows after it")
            try assertRefusesLines(
                [Array(lines[..<6]), Array(lines[7...])], "7: the row's number is \"6\", and 5 is due")
            try assertRefusesLines(
                [Array(lines[..<6]), Array(lines[5...])], "7: the row's number is \"4\", and 5 is due")
            let strange = [Array(lines[..<3]), ["x\tba be.\tbi bo."], Array(lines[4...])]
            try assertRefusesLines(strange, "4: the row's number is \"x\", and 2 is due")
            try assertRefusesLines([["\(index)\tsentence1"], Array(lines[1...])], "1: the header has no column")
            try TinyGLUE.write(right, to: url)
        }
    }

    func testAnOutputThatCannotTakeTheSubmissionIsRefusedBeforeTraining() throws {
        try TinyGLUE.write(["rte"], to: data)
        let flags = arguments("--do_train", "--do_predict", "--overwrite_output_dir")
        try TinyGLUE.write("notes", to: predictions)
        try assertRefuses(flags, "the output folder \(output.path) can't be used: \(predictions.path) is a file")
        try FileManager.default.removeItem(at: predictions)
        try FileManager.default.createDirectory(at: archive, withIntermediateDirectories: true)
        try assertRefuses(flags, "\(archive.path): not written: a folder or a device has this path")
    }

    func testFlagsThatPredictionNeedsAreNamed() throws {
        try TinyGLUE.write(["rte"], to: data)
        try assertRefuses(
            ["--model_name_or_path", encoder.path, "--data_dir", data.path, "--do_predict"],
            "--output_dir is missing: where what --do_predict makes goes")
        try assertRefuses(
            arguments("--do_train", "--predict_probabilities"),
            "--predict_probabilities says what --do_predict writes, which isn't given")
    }
}
