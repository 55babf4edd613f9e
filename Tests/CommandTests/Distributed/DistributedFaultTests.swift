import Foundation
import TestSupport
import Torch
import XCTest

/// Whatever happens to one of several processes, the others end with a message that says it, and the run goes on later.
final class DistributedFaultTests: DistributedTestCase {
    private let steps = 400

    private func flags(timeout: Int = 60) -> [String] {
        ["--sampling", "uncertainty", "--max_steps", "\(steps)", "--save_steps", "20", "--ddp_timeout", "\(timeout)"]
    }

    private func start(_ output: URL, size: Int, timeout: Int = 60) throws -> [RunningProgram] {
        try startAll({ _ in training(output, size: size, flags(timeout: timeout)) }, size: size)
    }

    /// Checks that a process ended as it should: with an error's status and one message that has all of `parts`.
    private func assertEnds(
        _ run: RunningProgram, within seconds: Double = 60, _ parts: String..., file: StaticString = #filePath,
        line: UInt = #line
    ) throws {
        let outcome = try run.finish(within: seconds)
        XCTAssertEqual(outcome.status, 1, outcome.messages, file: file, line: line)
        XCTAssertFalse(outcome.wasKilled, file: file, line: line)
        let pieces = outcome.messages.components(separatedBy: "Error: ")
        XCTAssertEqual(pieces.count, 2, outcome.messages, file: file, line: line)
        for part in parts {
            XCTAssertTrue(pieces.last?.contains(part) ?? false, outcome.messages, file: file, line: line)
        }
    }

    /// Runs two or more processes, does something to them on the way, and checks that the run goes on from there to the
    /// bytes of one to which nothing happened.
    private func assertGoesOn(
        size: Int, timeout: Int = 60, _ disturb: ([RunningProgram]) throws -> Void
    ) throws {
        let whole = folder.appendingPathComponent("whole")
        try runAll(training(whole, size: size, flags()), size: size)
        let runs = try start(output, size: size, timeout: timeout)
        try runs[0].wait(for: "step 30/")
        try disturb(runs)
        try runAll(training(output, size: size, flags() + ["--resume_from_checkpoint"]), size: size)
        XCTAssertEqual(
            try Data(contentsOf: output.appendingPathComponent("model.safetensors")),
            try Data(contentsOf: whole.appendingPathComponent("model.safetensors")))
    }

    func testAKilledProcess() throws {
        try assertGoesOn(size: 3) { runs in
            runs[1].send(SIGKILL)
            for rank in [0, 2] { try assertEnds(runs[rank], within: 30, "rank 1 has died", "--resume_from_checkpoint") }
        }
    }

    func testTheFirstProcessKilled() throws {
        try assertGoesOn(size: 2) { runs in
            runs[0].send(SIGKILL)
            try assertEnds(runs[1], within: 30, "rank 0 or the launcher has died", "--resume_from_checkpoint")
        }
    }

    func testAFrozenProcess() throws {
        try assertGoesOn(size: 2, timeout: 4) { runs in
            runs[1].send(SIGSTOP)
            try assertEnds(runs[0], within: 30, "rank 1 has died, or can't be reached")
            runs[1].send(SIGCONT)
            try assertEnds(runs[1], within: 30, "rank 0")
        }
    }

    func testTheFirstProcessFrozen() throws {
        try assertGoesOn(size: 2, timeout: 4) { runs in
            runs[0].send(SIGSTOP)
            try assertEnds(runs[1], within: 30, "rank 0 or the launcher has died, or can't be reached")
            runs[0].send(SIGKILL)
            _ = try runs[0].finish()
        }
    }

    func testASignalToOneProcessStopsAllWithACheckpoint() throws {
        try assertGoesOn(size: 2) { runs in
            runs[1].send(SIGTERM)
            let first = try runs[0].finish(within: 30)
            XCTAssertTrue(first.messages.contains("stopped after step"), first.messages)
            XCTAssertNotEqual(first.status, 0)
            XCTAssertEqual(try runs[1].finish(within: 30).status, 143)
        }
    }

    /// As Slurm sends it before a job's time is over.
    func testASignalToAllProcessesStopsThemTogether() throws {
        try assertGoesOn(size: 2) { runs in
            for _ in 0..<2 { runs.forEach { $0.send(SIGUSR1) } }
            for run in runs { XCTAssertEqual(try run.finish(within: 30).status, 138) }
            XCTAssertTrue(try runs[0].messagesSoFar().contains("stopped after step"))
        }
    }

    // MARK: - At the start

    func testAProcessThatNeverComes() throws {
        let port = try freePort()
        let runs = try [0, 2].map {
            try start(
                training(output, size: 1, flags(timeout: 3)), environment: environment(rank: $0, size: 3, port: port))
        }
        for run in runs { try assertEnds(run, within: 30, "rank 1 of 3 did not come within 3 s", "--ddp_timeout") }
        XCTAssertFalse(FileManager.default.fileExists(atPath: output.path))
    }

    func testAnUnreachableMaster() throws {
        let port = try freePort()
        let run = try start(
            training(output, size: 2, flags(timeout: 2)), environment: environment(rank: 1, size: 2, port: port))
        try assertEnds(run, within: 30, "port \(port) of 127.0.0.1, could not be reached within 2 s")
    }

    /// Calls `body` with a port of this machine at which connections are taken, and nothing is ever answered.
    private func withSilentPort(_ body: (_ port: Int) throws -> Void) throws {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 1) == 0
                    ? getsockname(descriptor, $0, &length) : -1
            }
        }
        XCTAssertEqual(status, 0)
        try body(Int(UInt16(bigEndian: address.sin6_port)))
    }

    func testAPortInUse() throws {
        try withSilentPort { port in
            let run = try start(
                training(output, size: 2, flags(timeout: 5)), environment: environment(rank: 0, size: 2, port: port))
            try assertEnds(run, within: 30, "port \(port) is in use", "MASTER_PORT")
        }
    }

    func testAMasterThatAnswersNothing() throws {
        try withSilentPort { port in
            let run = try start(
                training(output, size: 2, flags(timeout: 2)), environment: environment(rank: 1, size: 2, port: port))
            try assertEnds(run, within: 15, "port \(port) of 127.0.0.1, could not be reached within 2 s")
        }
    }

    /// Starts processes from 0 on, and waits for them to say at the store that they are there.
    private func startSome(_ count: Int, of size: Int) throws -> (runs: [RunningProgram], store: KeyValueStore, Int) {
        let port = try freePort()
        let runs = try (0..<count).map {
            try start(
                training(output, size: 1, flags(timeout: $0 == 0 ? 60 : 4)),
                environment: environment(rank: $0, size: size, port: port))
        }
        let store = try KeyValueStore(host: "127.0.0.1", port: UInt16(port), serves: false, timeout: 30)
        for rank in 0..<count { _ = try store.value(of: "camtl/0/here/\(rank)", timeout: 30) }
        return (runs, store, port)
    }

    /// Stops a process while `body` runs, and then ends it.
    private func withFrozen(_ run: RunningProgram, _ body: () throws -> Void) throws {
        run.send(SIGSTOP)
        try body()
        run.send(SIGKILL)
        _ = try run.finish()
    }

    func testTheFirstProcessFrozenBeforeAnotherComes() throws {
        let (runs, _, port) = try startSome(1, of: 2)
        try withFrozen(runs[0]) {
            let run = try start(
                training(output, size: 2, flags(timeout: 2)), environment: environment(rank: 1, size: 2, port: port))
            try assertEnds(run, within: 15, "port \(port) of 127.0.0.1, could not be reached within 2 s")
        }
    }

    func testTheFirstProcessFrozenWhileAnotherWaitsForAThird() throws {
        let (runs, _, port) = try startSome(2, of: 3)
        try withFrozen(runs[0]) {
            try assertEnds(runs[1], within: 15, "port \(port) of 127.0.0.1, doesn't answer any more", "rank 0")
        }
    }

    func testTheFirstProcessFrozenWhenAllHaveComeAndAThirdCannotBeReached() throws {
        let (runs, store, port) = try startSome(2, of: 3)
        try store.set("camtl/0/here/2", "elsewhere")
        Thread.sleep(forTimeInterval: 0.5)
        try withFrozen(runs[0]) {
            try assertEnds(runs[1], within: 15, "port \(port) of 127.0.0.1, doesn't answer any more", "rank 0")
        }
    }

    func testTwoProcessesOfOneRank() throws {
        let port = try freePort()
        let runs = try [0, 1, 1].map {
            try start(
                training(output, size: 1, flags(timeout: 3)), environment: environment(rank: $0, size: 3, port: port))
        }
        let messages = try runs.map { try $0.finish(within: 30).messages }
        XCTAssertEqual(messages.count { $0.contains("another process is rank 1, too") }, 1, "\(messages)")
        XCTAssertEqual(messages.count { $0.contains("rank 2 of 3 did not come") }, 2, "\(messages)")
    }

    func testOtherSettingsAreRefusedByAll() throws {
        let runs = try startAll(
            { training(output, size: 2, flags() + ["--weight_decay", $0 == 1 ? "0.5" : "0"]) }, size: 2)
        for run in runs {
            try assertEnds(
                run, "rank 1 has other settings or data than rank 0: weight_decay is 0.5, and 0.0 for rank 0")
        }
        XCTAssertFalse(FileManager.default.fileExists(atPath: output.path))
    }

    func testOtherStepsToEvaluateAfterAreRefusedByAll() throws {
        let runs = try startAll(
            {
                training(
                    output, size: 2,
                    flags() + ["--do_eval", "--evaluate_during_training", "--logging_steps", "\($0 + 1)"])
            }, size: 2)
        for run in runs { try assertEnds(run, "logging_steps is 2, and 1 for rank 0") }
    }

    /// With other numbers of threads sums are other ones.
    func testProcessesMayHaveOtherNumbersOfThreads() throws {
        let runs = try startAll(
            { training(output, size: 2, ["--max_steps", "1", "--threads", "\($0 + 1)"]) }, size: 2)
        for outcome in try runs.map({ try $0.finish() }) { XCTAssertEqual(outcome.status, 0, outcome.messages) }
    }

    func testOtherDataIsRefusedByAll() throws {
        let other = folder.appendingPathComponent("other")
        try FileManager.default.copyItem(at: data, to: other)
        let task = TinyGLUE.task("rte")
        let rows = task.rows(of: task.trainPath)
        try TinyGLUE.write(task.file(rows + [rows[4]]), to: other.appendingPathComponent(task.trainPath))
        let runs = try startAll(
            { training(output, size: 2, flags() + ["--data_dir", $0 == 1 ? other.path : data.path]) }, size: 2)
        for run in runs { try assertEnds(run, "rank 1 has other settings or data than rank 0: data of rte is ") }
    }

    func testAnErrorOfOneProcessIsToldToTheOthers() throws {
        let runs = try startAll(
            { training(output, size: 2, flags() + ["--data_dir", $0 == 1 ? "/nowhere" : data.path]) }, size: 2)
        try assertEnds(runs[0], within: 30, "rank 1 has ended: ", "/nowhere")
        try assertEnds(runs[1], within: 30, "/nowhere")
    }

    func testWrongVariables() throws {
        func assertRefuses(_ environment: [String: String], _ part: String) throws {
            let run = try start(training(output, size: 1, flags()), environment: environment)
            try assertEnds(run, part)
        }
        try assertRefuses(["RANK": "0", "WORLD_SIZE": "2"], "MASTER_ADDR is not set")
        try assertRefuses(environment(rank: 2, size: 2, port: 1), "RANK is \"2\"")
    }

    // MARK: - Launchers that start anew

    func testTorchrunStartsAnewFromTheLastCheckpoint() throws {
        let whole = folder.appendingPathComponent("whole")
        try runAll(training(whole, size: 2, flags()), size: 2)
        // Rank 1 dies in its first life, when there is a checkpoint.
        let script = folder.appendingPathComponent("worker.sh")
        let checkpoint = output.appendingPathComponent("checkpoint-40").path
        try Data(
            """
            #!/bin/sh
            if [ "$TORCHELASTIC_RESTART_COUNT$RANK" != 01 ]; then exec "$@"; fi
            "$@" &
            while [ ! -d '\(checkpoint)' ]; do sleep 0.05; done
            kill -9 $!
            wait $!
            """.utf8
        ).write(to: script)
        let command = ["sh", script.path, try Program.url().path] + training(output, size: 2, flags())
        try PeerPython.run(
            "import sys; from torch.distributed.run import main; main(sys.argv[1:])",
            ["--standalone", "--nproc-per-node", "2", "--max-restarts", "1", "--monitor-interval", "0.2", "--no-python"]
                + command, environment: ["HOME": folder.path])
        XCTAssertEqual(
            try Data(contentsOf: output.appendingPathComponent("model.safetensors")),
            try Data(contentsOf: whole.appendingPathComponent("model.safetensors")))
    }
}
