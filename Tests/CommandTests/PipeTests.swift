import Foundation
import XCTest

/// Pipes and devices in place of files.
final class PipeTests: CommandTestCase {
    private static let row = "{\"task\": \"rte\", \"sentence1\": \"ba be\", \"sentence2\": \"bi\"}\n"
    private var rows: URL { folder.appendingPathComponent("rows.jsonl") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        var model = TinyEncoder(layerCount: 1)
        model.addDecoders([("rte", TinyGLUE.task("rte").labels)])
        try model.write(to: encoder)
        try TinyGLUE.write(PipeTests.row, to: rows)
    }

    private func predict(_ input: String, _ output: String) -> [String] {
        ["predict", "--model_name_or_path", encoder.path, "--input", input, "--output", output]
    }

    /// Runs a script with `$P`, the program, and `$M`, the model's folder.
    @discardableResult
    private func shell(_ script: String) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["P": try Program.url().path, "M": encoder.path, "HOME": folder.path, "OMP_NUM_THREADS": "1"]) { $1 }
        let file = folder.appendingPathComponent("script.out")
        try Data().write(to: file)
        let stream = try FileHandle(forWritingTo: file)
        (process.standardOutput, process.standardError) = (stream, stream)
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: file, encoding: .utf8))
    }

    func testPredictReadsAndWritesPipes() throws {
        let expected = folder.appendingPathComponent("expected")
        try camtl(predict(rows.path, expected.path))
        let text = try String(contentsOf: expected, encoding: .utf8)
        let named = "$P predict --model_name_or_path \"$M\""
        XCTAssertEqual(try shell("\(named) --input <(cat rows.jsonl) --output /dev/stdout | cat").text, text)
        XCTAssertEqual(try shell("cat rows.jsonl | \(named) --input /dev/stdin --output /dev/stdout").text, text)
        let fifo = try shell("mkfifo f; cat f & \(named) --input rows.jsonl --output f; wait; test -p f")
        XCTAssertEqual(fifo.text, text)
        XCTAssertEqual(fifo.status, 0)
        // Where standard output is a file, it is added to.
        try shell("echo before > added; \(named) --input rows.jsonl --output /dev/stdout >> added")
        let added = try String(contentsOf: folder.appendingPathComponent("added"), encoding: .utf8)
        XCTAssertEqual(added, "before\n" + text)
    }

    func testTheInputIsNotOverwrittenByTheOutput() throws {
        let link = folder.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: rows)
        for output in [rows, link] {
            try assertRefuses(predict(rows.path, output.path), "the input and the output are the same file")
        }
        // Each end would wait for the other.
        let (status, text) = try shell(
            "mkfifo f; timeout 20 $P predict --model_name_or_path \"$M\" --input f --output f")
        XCTAssertEqual(status, 1)
        XCTAssert(text.contains("the same file"), text)
    }

    func testWhatCannotBeReadOrWrittenIsOneClearLine() throws {
        try assertRefuses(predict(rows.path, "/dev/full"), "/dev/full: not written: No space left on device")
        try assertRefuses(predict("/dev/zero", folder.path + "/o"), "/dev/zero", "can't be read: This is a device")
        for command in ["tokenize --model_name_or_path \"$M\"", "convert --model_name_or_path \"$M\" --output_dir o"] {
            let full = try shell("echo ba | $P \(command) > /dev/full")
            XCTAssertEqual(full.status, 1)
            XCTAssertEqual(
                full.text, "Error: standard output: not written: No space left on device; free some space, or choose "
                    + "another folder.\n")
        }
        try TinyGLUE.write(["rte"], to: data)
        let evaluation = try shell(
            "$P --model_name_or_path \"$M\" --data_dir glue --cache_dir ../cache --output_dir out --do_eval >/dev/full")
        XCTAssertEqual(evaluation.status, 1)
        XCTAssert(evaluation.text.contains("Error: standard output: not written: No space left"), evaluation.text)
        XCTAssertEqual(
            try names(in: folder.appendingPathComponent("out")), ["all_results.json", "eval_results.json"])
        let folders = try shell("$P tokenize --model_name_or_path \"$M\" < \"$M\"")
        XCTAssertEqual(folders.text, "Error: standard input can't be read: Is a directory\n")
        XCTAssertEqual(folders.status, 1)
    }

    func testTokenizeEndsQuietlyWhenNobodyReads() throws {
        let script = "(yes ba | head -100000) 2>/dev/null | $P tokenize --model_name_or_path \"$M\" | head -1"
        // Whether SIGPIPE ends the process or is ignored, as some parents have it.
        for ignored in ["", "trap '' PIPE; "] {
            let lines = try shell("\(ignored)\(script); echo ${PIPESTATUS[1]}").text.split(separator: "\n")
            XCTAssertEqual(lines.count, 2, "\(lines)")
            XCTAssert(lines[0].hasPrefix("{\"input_ids\""), "\(lines)")
            XCTAssertEqual(lines.last, "141")
        }
    }

    /// Messages would go into the first file that is opened, and that is the log's.
    func testClosedStandardStreamsAreTakenByNoFile() throws {
        try TinyEncoder(layerCount: 1).write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        let (status, _) = try shell(
            "$P --model_name_or_path \"$M\" --data_dir glue --tasks rte --cache_dir ../cache --output_dir out "
                + "--do_train --max_seq_length 16 --max_steps 3 --logging_steps 1 --logging_dir logs --threads 1 0>&- 1>&- 2>&-")
        // A table without a place to go ends no training.
        XCTAssertEqual(status, 0)
        XCTAssert(try names(in: folder.appendingPathComponent("out")).contains("model.safetensors"))
        let logs = try contents(of: folder.appendingPathComponent("logs"))
        XCTAssertEqual(logs.count, 1)
        XCTAssertNil(logs.values.first?.range(of: Data("examples/s".utf8)))
        let (refused, _) = try shell("echo ba | $P tokenize --model_name_or_path \"$M\" >&-")
        XCTAssertEqual(refused, 1)
    }

    func testSettingsComeThroughAPipe() throws {
        try TinyGLUE.write(["rte"], to: data)
        let (status, text) = try shell(
            """
            mkfifo s.json; echo '{"model_name_or_path": "'"$M"'", "data_dir": "glue", "do_eval": true, \
            "cache_dir": "../cache"}' > s.json & $P s.json; s=$?; wait; test -p s.json && exit $s
            """)
        XCTAssertEqual(status, 0, text)
    }
}
