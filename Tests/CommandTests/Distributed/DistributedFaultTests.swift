import Foundation
import Synchronization
import TestSupport
import Torch
import XCTest

/// Whatever happens to one of several processes, the others end with a message that says it, and the run goes on later.
final class DistributedFaultTests: DistributedTestCase {
    /// So many that a run which is disturbed early can't be done before it notices.
    private let steps = 120

    private func flags(timeout: Int = 60) -> [String] {
        ["--sampling", "uncertainty", "--max_steps", "\(steps)", "--save_steps", "10", "--ddp_timeout", "\(timeout)"]
    }

    private func start(_ output: URL, size: Int, timeout: Int = 60) throws -> [RunningProgram] {
        try startAll({ _ in training(output, size: size, flags(timeout: timeout)) }, size: size)
    }

    /// Checks that a process ended as it should: with an error's status and one message that has all of `parts`.
    @discardableResult
    private func assertEnds(
        _ run: RunningProgram, within seconds: Double = 60, _ parts: String..., file: StaticString = #filePath,
        line: UInt = #line
    ) throws -> Outcome {
        let outcome = try run.finish(within: seconds)
        XCTAssertEqual(outcome.status, 1, outcome.messages, file: file, line: line)
        XCTAssertFalse(outcome.wasKilled, file: file, line: line)
        let pieces = outcome.messages.components(separatedBy: "Error: ")
        XCTAssertEqual(pieces.count, 2, outcome.messages, file: file, line: line)
        for part in parts {
            XCTAssertTrue(pieces.last?.contains(part) ?? false, outcome.messages, file: file, line: line)
        }
        return outcome
    }

    /// By the number of processes, the models of runs to which nothing happened.
    private static let wholeModels = Mutex<[Int: Data]>([:])

    private func wholeModel(size: Int) throws -> Data {
        if let model = DistributedFaultTests.wholeModels.withLock({ $0[size] }) { return model }
        let whole = folder.appendingPathComponent("whole")
        try runAll(training(whole, size: size, flags()), size: size)
        let model = try model(in: whole)
        DistributedFaultTests.wholeModels.withLock { $0[size] = model }
        return model
    }

    private func model(in folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("model.safetensors"))
    }

    /// Runs two or more processes, does something to them on the way, and checks that the run goes on from there to the
    /// bytes of one to which nothing happened.
    private func assertGoesOn(
        size: Int, timeout: Int = 60, _ disturb: ([RunningProgram]) throws -> Void
    ) throws {
        let runs = try start(output, size: size, timeout: timeout)
        try runs[0].wait(for: "step 12/")
        try disturb(runs)
        let rest = try runAll(training(output, size: size, flags() + ["--resume_from_checkpoint"]), size: size)
        XCTAssertTrue(rest.messages.contains("going on after step "), rest.messages)
        XCTAssertEqual(try model(in: output), try wholeModel(size: size))
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
                training(output, size: 1, flags(timeout: $0 == 0 ? 60 : 3)),
                environment: environment(rank: $0, size: size, port: port))
        }
        // What processes derive where no launcher names the run, and no secret is given.
        let store = try KeyValueStore(host: "127.0.0.1", port: UInt16(port), timeout: 30)
            .sealed(by: StoreSeal(secret: Array("derived ".utf8)))
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
        try store.set("camtl/0/here/2", "third 3 elsewhere")
        Thread.sleep(forTimeInterval: 0.5)
        try withFrozen(runs[0]) {
            try assertEnds(runs[1], within: 15, "port \(port) of 127.0.0.1, doesn't answer any more", "rank 0")
        }
    }

    /// While rank 1 hasn't come, strangers connect to rank 0's port, close, and set what they think it looks for.
    func testAMeetingThatStrangersReach() throws {
        let port = try freePort()
        let flags = training(output, size: 2, ["--max_steps", "1"])
        let first = try start(flags, environment: environment(rank: 0, size: 2, port: port))
        let stranger = try KeyValueStore(host: "127.0.0.1", port: UInt16(port), timeout: 30)
        for name in ["here/1", "over/0", "end/0", "knock/1", "identity/1", "left/1"] {
            try stranger.set("camtl/0/\(name)", "error: forged")
        }
        XCTAssertEqual(try first.listeningAddresses(), ["127.0.0.1:\(port)"])
        let second = try start(flags, environment: environment(rank: 1, size: 2, port: port))
        for run in [first, second] {
            let outcome = try run.finish(within: 60)
            XCTAssertEqual(outcome.status, 0, outcome.messages)
        }
    }

    func testConnectionsOfStrangersDoNotUseUpDescriptors() throws {
        let runs = try start(output, size: 2)
        try runs[0].wait(for: "step 1/")
        let counts = try runs.map { try $0.descriptorCount() }
        for run in runs {
            for address in try run.listeningAddresses() {
                XCTAssertTrue(address.hasPrefix("127.0.0.1:"), address)
                let port = try XCTUnwrap(UInt16(address.dropFirst("127.0.0.1:".count)))
                for _ in 0..<20 { connectAndClose(port) }
            }
        }
        for (run, count) in zip(runs, counts) {
            XCTAssertLessThan(try run.descriptorCount(), count + 20)
            run.send(SIGTERM)
        }
        for run in runs { XCTAssertEqual(try run.finish(within: 30).status, 143) }
    }

    /// Connects without waiting for it, and closes at once.
    private func connectAndClose(_ port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        usleep(2000)
        close(descriptor)
    }

    /// Checks that a process which ended has said what it waited for.
    private func assertSaid(_ outcome: Outcome, _ part: String, file: StaticString = #filePath, line: UInt = #line) {
        let notice = outcome.messages.split(separator: "\n").first { $0.contains("has waited for") } ?? ""
        XCTAssertTrue(notice.hasPrefix("camtl: rank "), outcome.messages, file: file, line: line)
        XCTAssertTrue(notice.contains(part), outcome.messages, file: file, line: line)
    }

    func testEachThatWaitsSaysWhatFor() throws {
        let (port, other) = (try freePort(), try freePort())
        let first = try start(
            training(output, size: 2, flags(timeout: 2)), environment: environment(rank: 0, size: 2, port: port))
        let second = try start(
            training(output, size: 2, flags(timeout: 2)), environment: environment(rank: 1, size: 2, port: other))
        assertSaid(
            try assertEnds(first, within: 15, "rank 1 of 2 did not come within 2 s"),
            "rank 1 of 2 has not come to port \(port) of 127.0.0.1")
        assertSaid(
            try assertEnds(second, within: 15, "could not be reached within 2 s"),
            "meeting place, port \(other) of 127.0.0.1, comes about: nothing listens there yet")
    }

    func testAStepOfSlurmsWithoutSrunSaysHowToStart() throws {
        let run = try start(
            training(output, size: 4, flags(timeout: 2)),
            environment: [
                "SLURM_JOB_ID": "77", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4", "MASTER_ADDR": "127.0.0.1",
                "SLURM_STEP_NODELIST": "node[01-02]", "MASTER_PORT": "\(try freePort())",
            ])
        assertSaid(
            try assertEnds(run, within: 15, "ranks 1, 2, 3 of 4 did not come within 2 s"),
            "this is task 0 of a step of 4 tasks: start all with `srun camtl …`")
    }

    func testAPlaceThatCannotBeIsRefusedAtOnce() throws {
        for (host, rank, part) in [
            ("no-such-host.invalid", 0, "the host no-such-host.invalid, where the processes are to meet"),
            ("no-such-host.invalid", 1, "has no known address"),
            ("192.0.2.1", 0, "192.0.2.1 is no address of this machine"),
        ] {
            var environment = environment(rank: rank, size: 2, port: try freePort())
            environment["MASTER_ADDR"] = host
            let run = try start(training(output, size: 2, flags(timeout: 1800)), environment: environment)
            try assertEnds(run, within: 15, part)
        }
        var environment = environment(rank: 0, size: 2, port: try freePort())
        environment["GLOO_SOCKET_IFNAME"] = "lo,nope0"
        let run = try start(training(output, size: 2, flags(timeout: 1800)), environment: environment)
        try assertEnds(run, within: 15, "the network interface nope0, which this machine doesn't have")
    }

    func testAnotherSecretIsSaid() throws {
        let port = try freePort()
        let runs = try (0..<2).map { rank in
            var environment = environment(rank: rank, size: 2, port: port)
            environment["CAMTL_TEAM_SECRET"] = "a secret of its own \(rank)"
            return try start(training(output, size: 2, flags(timeout: 2)), environment: environment)
        }
        for (rank, run) in runs.enumerated() {
            try assertEnds(run, within: 15, "rank \(1 - rank) of 2 came with another CAMTL_TEAM_SECRET")
        }
        var short = environment(rank: 0, size: 2, port: port)
        short["CAMTL_TEAM_SECRET"] = "short"
        let run = try start(training(output, size: 2, flags()), environment: short)
        try assertEnds(run, within: 15, "the variable CAMTL_TEAM_SECRET has 5 bytes")
    }

    func testAnotherWorldSizeIsRefusedAtOnce() throws {
        let port = try freePort()
        let runs = try (0..<2).map {
            try start(training(output, size: 2, flags()), environment: environment(rank: $0, size: 2 + $0, port: port))
        }
        try assertEnds(runs[0], within: 15, "WORLD_SIZE is 3, and 2 for rank 0")
        try assertEnds(runs[1], within: 15, "WORLD_SIZE is 2, and 3 for rank 1")
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
        // Rank 1 dies in its first life, when there is a checkpoint.
        let script = folder.appendingPathComponent("worker.sh")
        let checkpoint = output.appendingPathComponent("checkpoint-20").path
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
        XCTAssertEqual(try model(in: output), try wholeModel(size: 2))
    }
}
