import Foundation
import XCTest

/// A run that was stopped, by whatever it was, goes on and ends with the bytes of one that was not.
final class StoppedRunTests: CommandTestCase {
    private let tasks = ["rte", "sts-b"]

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder(layerCount: 4).write(to: encoder)
        try TinyGLUE.write(tasks, to: data)
    }

    private func training(_ output: URL, steps: Int, _ more: String...) -> [String] {
        arguments(
            tasks: tasks, output: output, "--encoder_type", "ca-mtl-base", "--do_train", "--max_steps", "\(steps)")
            + more
    }

    private func model(in folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("model.safetensors"))
    }

    /// The model of a run that was not stopped.
    private func wholeModel(steps: Int) throws -> Data {
        let whole = folder.appendingPathComponent("whole")
        try camtl(training(whole, steps: steps))
        return try model(in: whole)
    }

    // MARK: - Killed

    private func assertKilledRunsEndTheSame(_ flags: [String], runs: Int) throws {
        let script = Process()
        script.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        script.arguments =
            [
                "python3", Program.packageRoot.appendingPathComponent("Scripts/kill_and_resume.py").path,
                try Program.url().path, "--model", encoder.path, "--data_dir", data.path, "--runs", "\(runs)", "--",
                "--encoder_type", "ca-mtl-base", "--tasks",
            ] + tasks + ["--max_seq_length", "16"] + flags
        let output = Pipe()
        (script.standardOutput, script.standardError) = (output, output)
        script.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
        try script.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        script.waitUntilExit()
        XCTAssertEqual(script.terminationStatus, 0, text)
        XCTAssertTrue(text.contains("every run ended with the same"), text)
    }

    func testKilledRunsGoOnToTheSameBytes() throws { try assertKilledRunsEndTheSame([], runs: 4) }

    func testKilledRunsUnderUncertaintySamplingGoOnToTheSameBytes() throws {
        try assertKilledRunsEndTheSame(["--use_mt_uncertainty", "--evaluate_during_training"], runs: 2)
    }

    // MARK: - Told to stop

    func testSignalsSaveAndSayHowToGoOn() throws {
        let whole = try wholeModel(steps: 300)
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)] {
            let output = folder.appendingPathComponent("signal \(signal)")
            let run = try start(training(output, steps: 300, "--logging_steps", "5"))
            try run.wait(for: "step 5/300")
            run.send(signal)
            let stopped = try run.finish()
            XCTAssertEqual(stopped.status, status, stopped.messages)
            XCTAssertFalse(stopped.wasKilled)
            XCTAssertTrue(stopped.messages.contains("camtl: stopping after this step"), stopped.messages)
            XCTAssertTrue(stopped.messages.contains("camtl: stopped after step "), stopped.messages)
            XCTAssertTrue(stopped.messages.contains("--resume_from_checkpoint"), stopped.messages)
            let rest = try camtl(training(output, steps: 300, "--resume_from_checkpoint"))
            XCTAssertTrue(rest.messages.contains("going on after step "), rest.messages)
            XCTAssertEqual(try model(in: output), whole)
        }
    }

    /// As often as they come: a terminal that is closed sends two, the system's and the shell's.
    func testSignalsOfTerminalsAndClustersSaveAndStop() throws {
        // The tests may run under nohup, and what they start would keep to that.
        signal(SIGHUP, SIG_DFL)
        for (signal, status) in [(SIGHUP, 129), (SIGUSR1, 138), (SIGUSR2, 140), (SIGXCPU, 152)] as [(Int32, Int32)] {
            let output = folder.appendingPathComponent("signal \(signal)")
            let run = try start(training(output, steps: 100_000, "--logging_steps", "5"))
            try run.wait(for: "step 5/")
            for _ in 0..<5 where run.isRunning {
                run.send(signal)
                usleep(1_000)
            }
            let stopped = try run.finish()
            XCTAssertEqual(stopped.status, status, stopped.messages)
            XCTAssertFalse(stopped.wasKilled)
            XCTAssertTrue(stopped.messages.contains("camtl: stopped after step "), stopped.messages)
            XCTAssertTrue(try names(in: output).contains { $0.hasPrefix("checkpoint-") })
        }
    }

    func testUnderNohupAClosedTerminalEndsNothing() throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments =
            ["-c", "trap '' HUP; \"$@\" 2> \"$0.messages\" & "
                    + "for i in $(seq 40); do kill -HUP $! || break; sleep 0.05; done; wait $!",
                folder.path, try Program.url().path] + training(output, steps: 20)
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        shell.waitUntilExit()
        let messages = try String(contentsOfFile: folder.path + ".messages", encoding: .utf8)
        XCTAssertEqual(shell.terminationStatus, 0, messages)
        XCTAssertFalse(messages.contains("stop"), messages)
        XCTAssert(try names(in: output).contains("model.safetensors"))
    }

    func testASecondSignalStopsAtOnce() throws {
        let run = try start(training(output, steps: 100_000, "--logging_steps", "5"))
        try run.wait(for: "step 5/")
        // Both at once may come as one.
        for _ in 0..<50 where run.isRunning {
            run.send(SIGINT)
            usleep(1_000)
        }
        XCTAssertEqual(try run.finish().status, 130)
    }

    func testMessagesThatCannotBeWrittenEndNoRun() throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments =
            ["-c", "exec \"$@\" > /dev/null 2> /dev/full", "sh", try Program.url().path]
            + training(output, steps: 2, "--do_eval")
        try shell.run()
        shell.waitUntilExit()
        XCTAssertEqual(shell.terminationReason, .exit)
        XCTAssertEqual(shell.terminationStatus, 0)
        XCTAssert(try names(in: output).contains("eval_results.json"))
    }

    // MARK: - Checkpoints that are damaged or others'

    private func checkpoint(_ step: Int) -> URL { output.appendingPathComponent("checkpoint-\(step)") }

    func testADamagedCheckpointIsPassedOverAndOneThatIsNamedIsRefused() throws {
        try TinyEncoder(layerCount: 1).write(to: encoder)
        let command = arguments("--encoder_type", "bert", "--do_train", "--max_steps", "4", "--save_steps", "2")
        try camtl(command)
        let whole = try model(in: output)
        let saved = folder.appendingPathComponent("saved")
        try FileManager.default.copyItem(at: checkpoint(4), to: saved)
        for name in ["model.safetensors", "resume_state.json"] {
            let file = checkpoint(4).appendingPathComponent(name)
            let bytes = try Data(contentsOf: saved.appendingPathComponent(name))
            // A cut and a flipped bit. Where each file may be cut or changed is tested without the program.
            var flipped = bytes
            flipped[bytes.count / 2] ^= 1
            for damaged in name == "model.safetensors" ? [bytes.prefix(4096), flipped] : [flipped] {
                try? FileManager.default.removeItem(at: checkpoint(4))
                try FileManager.default.copyItem(at: saved, to: checkpoint(4))
                try damaged.write(to: file)
                try? FileManager.default.removeItem(at: output.appendingPathComponent("model.safetensors"))
                let run = try camtl(command + ["--resume_from_checkpoint"])
                XCTAssertTrue(run.messages.contains("checkpoint-4 is passed over: "), run.messages)
                XCTAssertTrue(run.messages.contains("going on after step 2"), run.messages)
                XCTAssertEqual(try model(in: output), whole, "\(name) of \(damaged.count) bytes")
            }
        }
        try Data().write(to: checkpoint(4).appendingPathComponent("optimizer.safetensors"))
        try assertRefuses(
            command + ["--resume_from_checkpoint", checkpoint(4).path],
            "checkpoint-4", "no whole checkpoint", "optimizer.safetensors has 0 bytes")
    }

    func testWithoutAWholeCheckpointNothingIsStartedAnew() throws {
        try camtl(training(output, steps: 2, "--save_steps", "2"))
        try Data().write(to: checkpoint(2).appendingPathComponent("resume_state.json"))
        try assertRefusesAfterReports(
            training(output, steps: 2, "--resume_from_checkpoint"), "has no checkpoint to go on from",
            "resume_state.json is damaged")
    }

    func testACheckpointOfOtherSettingsIsRefusedByTheirNames() throws {
        try camtl(training(output, steps: 4, "--save_steps", "2"))
        try assertRefusesAfterReports(
            training(output, steps: 4, "--save_steps", "2", "--seed", "5", "--resume_from_checkpoint"),
            "of a run with other settings", "seed was 42 and is 5", "--model_name_or_path")
        try assertRefusesAfterReports(
            training(output, steps: 4, "--resume_from_checkpoint", "--freeze_encoder_layers", "0-1"),
            "parameters that train")
    }

    func testARunGoesOnFromItsOwnCheckpointsAndNotFromThoseOfAnEarlierRun() throws {
        try camtl(training(output, steps: 6, "--save_steps", "2"))
        // The same settings on another model: nothing but the folder's last run tells the two apart.
        let second = training(output, steps: 6, "--save_steps", "5", "--model_name_or_path", output.path)
        let run = try start(second + ["--overwrite_output_dir", "--logging_steps", "1", "--max_steps", "6"])
        try run.wait(for: "step 1/")
        run.send(SIGKILL)
        _ = try run.finish()
        let resumed = try camtl(second + ["--resume_from_checkpoint"])
        if !FileManager.default.fileExists(atPath: checkpoint(5).path) {
            XCTAssertTrue(resumed.messages.contains("there is no checkpoint to go on from"), resumed.messages)
        }
        XCTAssertFalse(resumed.messages.contains("going on after step 6"), resumed.messages)
        XCTAssertTrue(try names(in: output).contains("checkpoint-2"), "the earlier run's are left alone")
    }

    /// As `assertRefuses`, for a run that is refused once the model is loaded.
    private func assertRefusesAfterReports(
        _ arguments: [String], _ parts: String..., file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let before = try contents(of: folder)
        let outcome = try outcome(of: arguments)
        XCTAssertEqual(outcome.status, 1, outcome.messages, file: file, line: line)
        for part in parts { XCTAssertTrue(outcome.messages.contains(part), outcome.messages, file: file, line: line) }
        XCTAssertEqual(outcome.messages.components(separatedBy: "Error: ").count, 2, file: file, line: line)
        let after = try contents(of: folder)
        XCTAssertEqual(
            Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }, [], file: file, line: line)
    }

    func testWithoutACheckpointTheRunStartsAtTheBeginning() throws {
        let whole = try wholeModel(steps: 3)
        let run = try camtl(training(output, steps: 3, "--resume_from_checkpoint"))
        XCTAssertTrue(run.messages.contains("there is no checkpoint to go on from"), run.messages)
        XCTAssertEqual(try model(in: output), whole)
    }

    func testAFolderInUseIsRefused() throws {
        let run = try start(training(output, steps: 100_000, "--logging_steps", "5"))
        try run.wait(for: "step 5/")
        let second = try outcome(of: training(output, steps: 3, "--overwrite_output_dir"))
        XCTAssertEqual(second.status, 1)
        XCTAssertTrue(second.messages.contains("is in use by another run"), second.messages)
        let model = folder.appendingPathComponent("model")
        try camtl(training(model, steps: 1))
        let evaluation = try outcome(
            of: ["--model_name_or_path", model.path, "--data_dir", data.path, "--cache_dir", cache.path]
                + ["--output_dir", output.path, "--do_eval"])
        XCTAssertEqual(evaluation.status, 1)
        XCTAssertTrue(evaluation.messages.contains("is in use by another run"), evaluation.messages)
        run.send(SIGKILL)
        _ = try run.finish()
    }

    // MARK: - Disks

    /// In a mount namespace of its own: a disk that fills up during a save, then can't be written to, then has room.
    func testAFullOrReadOnlyDiskLosesNothing() throws {
        let whole = try wholeModel(steps: 6)
        let sizes = try contents(of: folder.appendingPathComponent("whole")).values.map(\.count)
        // Room for a checkpoint, which has the model and its moments, and for a part of another.
        let room = sizes.reduce(0, +) * 5
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        let command = training(output, steps: 6, "--save_steps", "2").map(quoted).joined(separator: " ")
        let report = folder.appendingPathComponent("report")
        try FileManager.default.createDirectory(at: report, withIntermediateDirectories: true)
        let script = """
            cd \(quoted(report.path)) && mount -t tmpfs -o size=\(room) tmpfs \(quoted(output.path)) || exit 77
            run() { \(quoted(try Program.url().path)) \(command) "$@"; }
            run 2> full.err > full.out; echo $? > full.status; ls -A \(quoted(output.path)) > full.files
            mount -o remount,ro \(quoted(output.path))
            run --resume_from_checkpoint 2> readonly.err > readonly.out; echo $? > readonly.status
            mount -o remount,rw,size=1g \(quoted(output.path))
            run --resume_from_checkpoint 2> room.err > room.out; echo $? > room.status
            cp -r \(quoted(output.path)) copy
            """
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        shell.arguments = ["unshare", "-rm", "sh", "-c", script]
        shell.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        shell.waitUntilExit()
        func text(_ name: String) throws -> String {
            try String(contentsOf: report.appendingPathComponent(name), encoding: .utf8)
        }
        guard shell.terminationStatus == 0 else {
            throw XCTSkip("skipped: needs the right to mount a file system of its own (unshare -rm)")
        }
        var reports: [String: String] = [:]
        for name in try names(in: report) where !["copy", "runs"].contains(name) { reports[name] = try text(name) }
        func assertSaid(_ part: String, in name: String) {
            let text = reports[name] ?? ""
            XCTAssertTrue(text.contains(part), "\(name): \(text)")
        }
        func assert(_ name: String, is expected: String) { XCTAssertEqual(reports[name], expected, "\(reports)") }
        assert("full.status", is: "1\n")
        assertSaid("No space left on device; free some space", in: "full.err")
        assert("full.files", is: ".camtl-run\ncheckpoint-2\nrun_config.json\n")
        assert("readonly.status", is: "1\n")
        assertSaid("not writable", in: "readonly.err")
        assert("room.status", is: "0\n")
        assertSaid("going on after step 2", in: "room.err")
        XCTAssertEqual(try model(in: report.appendingPathComponent("copy")), whole)
    }

    private func quoted(_ text: String) -> String { "'\(text.replacingOccurrences(of: "'", with: "'\\''"))'" }
}
