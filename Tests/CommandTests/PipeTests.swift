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
        XCTAssertEqual(try String(contentsOf: folder.appendingPathComponent("added"), encoding: .utf8), "before\n" + text)
    }

    func testTheInputIsNotOverwrittenByTheOutput() throws {
        let link = folder.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: rows)
        for output in [rows, link] {
            try assertRefuses(predict(rows.path, output.path), "the input and the output are the same file")
        }
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
        let folders = try shell("$P tokenize --model_name_or_path \"$M\" < \"$M\"")
        XCTAssertEqual(folders.text, "Error: standard input: it can't be read: Is a directory\n")
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

    /// Messages would go into the first file that is opened.
    func testClosedStandardStreamsAreTakenByNoFile() throws {
        let (status, _) = try shell(
            "$P predict --model_name_or_path \"$M\" --input rows.jsonl --output o 0>&- 1>&- 2>&-; cp o p; "
                + "$P predict --model_name_or_path \"$M\" --input rows.jsonl --output q && cmp p q")
        XCTAssertEqual(status, 0)
        let (refused, _) = try shell("echo ba | $P tokenize --model_name_or_path \"$M\" >&-")
        XCTAssertEqual(refused, 1)
    }

    /// One that is in a model's folder has nobody who writes to it.
    func testPipesInPlaceOfAModelsFilesAreRefusedAndNotWaitedFor() throws {
        for name in ["config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"] {
            let file = encoder.appendingPathComponent(name)
            let whole = try? Data(contentsOf: file)
            try? FileManager.default.removeItem(at: file)
            XCTAssertEqual(mkfifo(file.path, 0o600), 0)
            let outcome = try outcome(of: predict(rows.path, folder.path + "/o"), within: 20)
            XCTAssertEqual(outcome.status, 1, name)
            XCTAssert(outcome.messages.contains(file.path), outcome.messages)
            try FileManager.default.removeItem(at: file)
            try whole?.write(to: file)
        }
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
