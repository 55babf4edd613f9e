import Foundation
import XCTest

/// The same command gives the same model, whatever the cache has and whoever else runs.
final class ReproducibilityTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b"], to: data)
    }

    private func command(_ name: String, _ more: [String] = []) -> [String] {
        arguments(
            tasks: ["rte", "sts-b"], output: folder.appendingPathComponent(name), "--encoder_type", "ca-mtl-base",
            "--do_train", "--max_steps", "4") + more
    }

    private func weights(_ name: String) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("\(name)/model.safetensors"))
    }

    func testSameCommandGivesTheSameModelByteByByteAndAnotherSeedAnother() throws {
        for (name, seed) in [("a", "42"), ("b", "42"), ("c", "43")] { try camtl(command(name, ["--seed", seed])) }
        XCTAssertEqual(try weights("a"), try weights("b"))
        XCTAssertNotEqual(try weights("a"), try weights("c"))
    }

    func testUncertaintySamplingIsReproducibleToo() throws {
        for name in ["a", "b"] { try camtl(command(name, ["--use_mt_uncertainty"])) }
        XCTAssertEqual(try weights("a"), try weights("b"))
    }

    func testRunsAtOnceShareAFreshCache() throws {
        let names = ["first", "second", "third"]
        let runs = try names.map { try start(command($0)) }
        for run in runs {
            let outcome = try run.finish()
            XCTAssertEqual(outcome.status, 0, outcome.messages)
        }
        XCTAssertEqual(try weights("first"), try weights("second"))
        XCTAssertEqual(try weights("first"), try weights("third"))
        XCTAssertEqual(try self.names(in: cache).count, 2, "a file for each training set, and nothing left over")
    }

    func testCacheIsReadUnlessItIsToBeOverwrittenOrIsDamaged() throws {
        let built = try camtl(command("built"))
        XCTAssert(built.messages.contains("rte train: 24 examples (encoded)"), built.messages)
        let cached = try camtl(command("cached"))
        XCTAssert(cached.messages.contains("rte train: 24 examples (from the cache)"), cached.messages)

        let files = try contents(of: cache)
        for (name, content) in files {
            try content.prefix(content.count - 5).write(to: cache.appendingPathComponent(name))
        }
        let repaired = try camtl(command("repaired"))
        XCTAssert(repaired.messages.contains("rte train: 24 examples (encoded anew: "), repaired.messages)
        XCTAssertEqual(try contents(of: cache), files)

        let overwritten = try camtl(command("overwritten", ["--overwrite_cache"]))
        XCTAssert(overwritten.messages.contains("rte train: 24 examples (encoded)"), overwritten.messages)
        XCTAssertEqual(try contents(of: cache), files)
        for name in ["cached", "repaired", "overwritten"] {
            XCTAssertEqual(try weights(name), try weights("built"), name)
        }
    }

    func testChangedDataIsEncodedAnew() throws {
        try camtl(command("before"))
        let train = data.appendingPathComponent("RTE/train.tsv")
        try TinyGLUE.write(String(contentsOf: train, encoding: .utf8) + "24\tba.\tbe.\tentailment\n", to: train)
        let after = try camtl(command("after"))
        XCTAssert(after.messages.contains("rte train: 25 examples (encoded)"), after.messages)
        XCTAssert(after.messages.contains("sts-b train: 24 examples (from the cache)"), after.messages)
    }

    func testReproducingTheOriginalTakesOneStepMore() throws {
        func steps(_ name: String, _ more: String...) throws -> Int? {
            try camtl(arguments(output: folder.appendingPathComponent(name), "--do_train", "--max_steps", "3") + more)
            return try json(folder.appendingPathComponent("\(name)/train_results.json"))["train_steps"] as? Int
        }
        XCTAssertEqual(try steps("ours"), 3)
        XCTAssertEqual(try steps("original", "--reproduce_original"), 4)
    }

    func testOriginalsDefaultOfMaxStepsMeansEpochs() throws {
        try camtl(arguments("--do_train", "--max_steps", "-1", "--num_train_epochs", "1"))
        XCTAssertEqual(try json(output.appendingPathComponent("train_results.json"))["train_steps"] as? Int, 3)
    }

    /// Beside other processes, threads that spin for long make a step several times as slow.
    func testThreadsSpinOnlyBrieflyUnlessTheyAreToldOtherwise() throws {
        func spins(_ environment: [String: String]) throws -> String {
            let shown = ["OMP_DISPLAY_ENV": "verbose"].merging(environment) { $1 }
            let said = try camtl(["--version"], environment: shown).messages
            return try XCTUnwrap(said.firstMatch(of: /GOMP_SPINCOUNT = '(\w+)'/), said).output.1.description
        }
        XCTAssertEqual(try spins([:]), "10000")
        XCTAssertEqual(try spins(["GOMP_SPINCOUNT": "77"]), "77")
        XCTAssertEqual(try spins(["OMP_WAIT_POLICY": "passive"]), "0")
    }
}
