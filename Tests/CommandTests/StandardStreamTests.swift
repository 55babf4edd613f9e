import Foundation
import TestSupport
import XCTest

/// A stream that is closed, full or without a reader ends no run, and no command with a crash.
final class StandardStreamTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder(layerCount: 1).write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
    }

    /// Runs the program as a shell does by `script`, in which `run` stands for it and its arguments: the status that
    /// the program had, and what it said on standard error.
    private func shell(
        _ script: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> (status: Int32, messages: String) {
        let streams = cache.deletingLastPathComponent()
        let inputFile = streams.appendingPathComponent("input")
        let (status, messages) = (streams.appendingPathComponent("status"), streams.appendingPathComponent("messages"))
        try Data(input.utf8).write(to: inputFile)
        try Data().write(to: messages)
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "run() { \"$@\"; echo $? > \"$STATUS\"; }\n\(script)", "sh", try Program.url().path]
            + arguments
        shell.environment = ProcessInfo.processInfo.environment
            .merging(["OMP_NUM_THREADS": "1", "STATUS": status.path, "HOME": folder.path]) { $1 }
            .merging(environment) { $1 }
        shell.standardInput = try FileHandle(forReadingFrom: inputFile)
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = try FileHandle(forWritingTo: messages)
        try shell.run()
        shell.waitUntilExit()
        let text = try String(contentsOf: status, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        return (try XCTUnwrap(Int32(text)), try String(contentsOf: messages, encoding: .utf8))
    }

    private var training: [String] {
        arguments("--encoder_type", "bert", "--do_train", "--do_eval", "--max_steps", "4", "--logging_steps", "1")
    }

    private func assertIsWhole(line: UInt = #line) throws {
        let found = try contents(of: output)
        XCTAssertNotNil(found["model.safetensors"], line: line)
        XCTAssertNotNil(found["eval_results.json"], line: line)
        for (name, content) in found where content.range(of: Data("examples/s  left".utf8)) != nil {
            XCTFail("the log is in \(name)", line: line)
        }
    }

    func testALogWithoutAReaderEndsNoRun() throws {
        let run = try shell(#"run "$@" 2>&1 | true"#, training)
        XCTAssertEqual(run.status, 0, run.messages)
        try assertIsWhole()
    }

    func testTablesThatCannotBeWrittenAreSaidOnceAndEndNoRun() throws {
        let run = try shell(#"run "$@" > /dev/full"#, training)
        XCTAssertEqual(run.status, 0, run.messages)
        let warning = "warning: standard output: not written: No space left on device"
        XCTAssertEqual(run.messages.components(separatedBy: warning).count, 2, run.messages)
        try assertIsWhole()
    }

    func testNoFileTakesTheNumberOfAClosedStream() throws {
        let run = try shell(#"run "$@" <&- >&- 2>&-"#, training)
        XCTAssertEqual(run.status, 0, run.messages)
        try assertIsWhole()
        // A download is kept while messages go on.
        let served = folder.appendingPathComponent("hub/tiny/model")
        try FileManager.default.createDirectory(
            at: served.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: encoder, to: served)
        let server = try LoopbackServer(folder)
        _ = try shell(
            #"run "$@" >&- 2>&-"#, ["tokenize", "--model_name_or_path", "tiny/model"],
            environment: ["HF_ENDPOINT": server.hub, "HF_HOME": folder.appendingPathComponent("hf").path])
        let snapshots = folder.appendingPathComponent("hf/hub/models--tiny--model/snapshots")
        let snapshot = snapshots.appendingPathComponent(try XCTUnwrap(names(in: snapshots).first))
        XCTAssertEqual(try names(in: snapshot).sorted(), ["config.json", "model.safetensors", "vocab.txt"])
        for name in try names(in: snapshot) {
            XCTAssertEqual(
                try Data(contentsOf: snapshot.appendingPathComponent(name)),
                try Data(contentsOf: served.appendingPathComponent(name)), name)
        }
    }

    func testTheFileSizeLimitIsAnErrorThatLeavesWhatWasThere() throws {
        // The first run leaves encoded data, which the second one doesn't write.
        let whole = folder.appendingPathComponent("whole")
        try camtl(training + ["--output_dir", whole.path])
        let size = try Data(contentsOf: whole.appendingPathComponent("model.safetensors")).count
        // In blocks of 512 bytes: half of the model.
        let run = try shell("ulimit -f \(size / 1024); run \"$@\"", training + ["--save_steps", "2"])
        XCTAssertEqual(run.status, 1, run.messages)
        XCTAssertTrue(
            run.messages.contains("not written: File too large; raise the file size limit (ulimit -f)"), run.messages)
        let left = try contents(of: folder).keys.filter { $0.contains(".folder") || $0.contains("checkpoint-") }
        XCTAssertEqual(left, [])
        XCTAssertNotNil(try contents(of: whole)["model.safetensors"])
    }

    func testACommandWhoseReaderHasEnoughEndsQuietly() throws {
        let tokenize = ["tokenize", "--model_name_or_path", encoder.path]
        let lines = String(repeating: "the cat sat\n", count: 5000)
        let gone = try shell(#"{ sleep 0.1; run "$@"; } | true"#, tokenize, input: lines)
        XCTAssertEqual(gone.status, 128 + SIGPIPE)
        XCTAssertEqual(gone.messages, "")
        let help = try shell(#"{ sleep 0.1; run "$@"; } | true"#, ["--help"])
        XCTAssertEqual(help.status, 0)
        XCTAssertEqual(help.messages, "")
    }

    func testResultsThatCannotBeWrittenAreAnError() throws {
        let tokenize = ["tokenize", "--model_name_or_path", encoder.path]
        for (redirection, reason) in [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")] {
            let run = try shell(#"run "$@" "# + redirection, tokenize, input: "the cat sat\n")
            XCTAssertEqual(run.status, 1)
            XCTAssertTrue(run.messages.contains("standard output: not written: \(reason)"), run.messages)
        }
        let run = try shell(#"run "$@" <&-"#, tokenize)
        XCTAssertEqual(run.status, 1)
        XCTAssertTrue(run.messages.contains("standard input can't be read: Bad file descriptor"), run.messages)
    }
}
