import XCTest

@testable import Training

final class LaunchTests: XCTestCase {
    private let byRank = [
        "RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "node1", "MASTER_PORT": "29400",
    ]

    func testOneProcessAloneHasNoLauncher() throws {
        XCTAssertNil(try Launch.find([:]))
        XCTAssertNil(try Launch.find(["WORLD_SIZE": "1"]))
        // A batch script of Slurm's, which is no task of a step, and a step with one task.
        XCTAssertNil(
            try Launch.find([
                "SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_NODELIST": "a", "ENVIRONMENT": "BATCH",
            ]))
        XCTAssertNil(try Launch.find(["SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "4"]))
        // torchrun's only process, and one that torchrun has started alone in a task of Slurm's.
        let only = ["RANK": "0", "WORLD_SIZE": "1"]
        XCTAssertNil(try Launch.find(only))
        XCTAssertNil(try Launch.find(only, localRank: 0))
        XCTAssertNil(try Launch.find(byRank.merging(only) { $1 }))
        XCTAssertNil(
            try Launch.find(only.merging(["SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_NODELIST": "a"]) { $1 }))
    }

    func testTheVariablesOfTorchrun() throws {
        let expected = Launch(rank: 3, size: 8, host: "node1", port: 29400, localRank: 1)
        XCTAssertEqual(try Launch.find(byRank), expected)
        XCTAssertEqual(try Launch.find(byRank, localRank: 1), expected)
        let elastic = byRank.merging(
            ["TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"]) { $1 }
        XCTAssertEqual(
            try Launch.find(elastic),
            Launch(rank: 3, size: 8, host: "node1", port: 29400, launcherServesStore: true, restarts: 2, localRank: 1))
    }

    func testTheVariablesOfSlurm() throws {
        let step = [
            "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "16", "SLURM_STEP_NODELIST": "gpu[07-08]",
            "SLURM_JOB_ID": "123456", "ENVIRONMENT": "BATCH",
        ]
        XCTAssertEqual(
            try Launch.find(step),
            Launch(rank: 5, size: 16, host: "gpu07", port: UInt16(20_000 + 123456 % 20_000), isSlurmStep: true))
        let named = step.merging(["MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "1234"]) { $1 }
        XCTAssertEqual(
            try Launch.find(named), Launch(rank: 5, size: 16, host: "10.0.0.1", port: 1234, isSlurmStep: true))
        let older = ["SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_NODELIST": "a,b", "SLURM_JOB_ID": "7"]
        XCTAssertEqual(try Launch.find(older), Launch(rank: 1, size: 2, host: "a", port: 20_007, isSlurmStep: true))
        XCTAssertEqual(try Launch.find(older.merging(["MASTER_ADDR": ""]) { $1 })?.host, "a")
        // What torchrun says counts, where it runs in a job of Slurm's.
        XCTAssertEqual(try Launch.find(step.merging(byRank) { $1 })?.size, 8)
    }

    func testRestartsOfTorchrunAndOfSlurmCountForOneProcessToo() throws {
        XCTAssertEqual(try Launch.restarts([:]), 0)
        XCTAssertEqual(try Launch.restarts(["SLURM_RESTART_COUNT": "2"]), 2)
        let both = ["TORCHELASTIC_RESTART_COUNT": "0", "SLURM_RESTART_COUNT": "1"]
        XCTAssertEqual(try Launch.find(byRank.merging(both) { $1 })?.restarts, 1)
        XCTAssertThrowsError(try Launch.restarts(["SLURM_RESTART_COUNT": "often"]))
        let beyond = ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"].map { ($0, "\(Int.max - 1)") }
        XCTAssertThrowsError(try Launch.restarts(Dictionary(uniqueKeysWithValues: beyond)))
    }

    func testTheFirstNodeOfAList() {
        for (list, first) in [
            ("node1", "node1"), ("a,b", "a"), ("gpu[007-010,12],login", "gpu007"), ("gpu[12,14-15]", "gpu12"),
            ("r[1-2]n[3-4]", "r1n3"), ("my-node-[1-3]", "my-node-1"), ("rack[2]-x", "rack2-x"),
        ] { XCTAssertEqual(firstNode(list), first) }
    }

    func testWhatDoesNotFitTogetherIsNamed() {
        func assertRefuses(_ environment: [String: String], localRank: Int = -1, _ expected: LaunchError) {
            XCTAssertThrowsError(try Launch.find(environment, localRank: localRank)) {
                XCTAssertEqual($0 as? LaunchError, expected)
            }
        }
        for name in ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"] {
            var environment = byRank
            environment[name] = nil
            assertRefuses(environment, .missing(variable: name, beside: name == "RANK" ? "WORLD_SIZE" : "RANK"))
        }
        func with(_ name: String, _ value: String) -> [String: String] { byRank.merging([name: value]) { $1 } }
        assertRefuses(
            with("RANK", "8"), .badValue(variable: "RANK", value: "8", wanted: "a whole number from 0 to 7"))
        assertRefuses(
            with("WORLD_SIZE", "two"),
            .badValue(variable: "WORLD_SIZE", value: "two", wanted: "a whole number from 1 to 65536"))
        assertRefuses(
            with("WORLD_SIZE", "65537"),
            .badValue(variable: "WORLD_SIZE", value: "65537", wanted: "a whole number from 1 to 65536"))
        assertRefuses(
            ["SLURM_PROCID": "1", "SLURM_NTASKS": "4000000000", "SLURM_NODELIST": "a"],
            .badValue(variable: "SLURM_NTASKS", value: "4000000000", wanted: "a whole number from 1 to 65536"))
        assertRefuses(with("MASTER_ADDR", ""), .missing(variable: "MASTER_ADDR", beside: "RANK"))
        assertRefuses(
            ["RANK": "1", "WORLD_SIZE": "1"],
            .badValue(variable: "RANK", value: "1", wanted: "a whole number from 0 to 0"))
        assertRefuses(
            with("MASTER_PORT", "70000"),
            .badValue(variable: "MASTER_PORT", value: "70000", wanted: "a whole number from 1 to 65535"))
        assertRefuses([:], localRank: 0, .onlyLocalRank(0))
    }
}
