import Foundation
import Training
import XCTest

@testable import Reporting

/// The files of figures in the output folder.
final class ResultsFileTests: ReportingTestCase {
    private func figures(_ name: String) throws -> [String: Double?] {
        let data = try Data(contentsOf: output.appendingPathComponent(name))
        return try JSONDecoder().decode([String: Double?].self, from: data)
    }

    private func train() throws -> RunReporter {
        try tell(
            beginning() + [.training(step(1)), .training(step(2)), .trained(summary(steps: 2))])
    }

    func testTrainingsFiguresHaveTheTrainersNames() throws {
        _ = try train()
        let expected: [String: Double?] = [
            "epoch": 0.5, "train_loss": 0.7, "train_runtime": 2, "train_samples": 30, "train_samples_per_second": 8,
            "train_steps_per_second": 1, "train_steps": 2, "train_share_used": 0.1, "train_rte_samples": 20,
            "train_rte_used": 2, "train_rte_updates": 3, "train_sts-b_samples": 10, "train_sts-b_used": 1,
            "train_sts-b_updates": 1,
        ]
        XCTAssertEqual(try figures("train_results.json"), expected)
        XCTAssertEqual(try figures("all_results.json"), expected)
    }

    func testEvaluationsFiguresAreFreeOfTheMachinesAndAllOfThemAreInAllResults() throws {
        let reporter = try train()
        for event in [RunEvent.evaluating, .evaluated(try evaluation())] { try reporter.report(event) }
        let written = try figures("eval_results.json")
        let sets = [
            "rte": ["acc"], "sts-b": ["pearson", "spearmanr", "corr"], "mnli": ["acc"], "mnli-mm": ["acc"],
        ]
        let keys = sets.flatMap { set, metrics in (metrics + ["loss", "samples"]).map { "eval_\(set)_\($0)" } }
        XCTAssertEqual(Set(written.keys), Set(keys + ["eval_average", "eval_average_std"]))
        XCTAssertEqual(written["eval_rte_acc"], 0.75)
        XCTAssertEqual(written["eval_rte_samples"], 4)
        XCTAssertEqual(written["eval_mnli-mm_acc"], 2.0 / 3)
        XCTAssertEqual(written["eval_sts-b_pearson"], .some(.none), "what is not defined is null")

        let all = try figures("all_results.json")
        let expected = written.merging(try figures("train_results.json")) { $1 }
        XCTAssertEqual(all.filter { expected.keys.contains($0.key) }, expected)
        let timings = ["eval_runtime", "eval_samples", "eval_samples_per_second", "eval_steps_per_second"]
        XCTAssertEqual(Set(all.keys), Set(expected.keys).union(timings))
        let seconds = try XCTUnwrap(all["eval_runtime"] ?? nil)
        XCTAssertGreaterThan(seconds, 0)
        XCTAssertEqual(all["eval_samples"], 12)
        XCTAssertEqual(all["eval_samples_per_second"], 12 / seconds)
        XCTAssertEqual(all["eval_steps_per_second"], 4 / seconds)
    }

    func testEvaluationAloneKeepsTheTrainingsFiguresAndReplacesAnEarlierEvaluations() throws {
        _ = try train()
        let before = try figures("train_results.json")
        let old = try JSONSerialization.data(
            withJSONObject: ["train_loss": 0.1, "train_steps": 3, "eval_wnli_acc": 0.5])
        try old.write(to: output.appendingPathComponent("all_results.json"))
        let card = try Data(contentsOf: output.appendingPathComponent("README.md"))
        try tell(
            beginning() + [.evaluating, .evaluated(evaluation())], configuration { $0.trains = false })
        let all = try figures("all_results.json")
        XCTAssertEqual(all["train_loss"], 0.1)
        XCTAssertEqual(all["train_steps"], 3)
        XCTAssertEqual(all["eval_rte_acc"], 0.75)
        XCTAssertFalse(all.keys.contains("eval_wnli_acc"))
        XCTAssertEqual(try figures("train_results.json"), before)
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("README.md")), card)
        XCTAssertEqual(names(in: logs).count, 1, "an evaluation logs nothing")
    }

    func testFiguresOfTheModelBeforeGoWithIt() throws {
        try tell(beginning() + [.evaluating, .evaluated(evaluation())], configuration { $0.trains = false })
        XCTAssert(names(in: output).contains("eval_results.json"))
        try tell(beginning() + [.training(step(1)), .trained(summary(steps: 1))], configuration())
        XCTAssertFalse(names(in: output).contains("eval_results.json"))
        XCTAssertFalse(try figures("all_results.json").keys.contains("eval_rte_acc"))
    }

    func testFolderThatCannotBeWrittenToEndsTheRun() throws {
        let missing = directory.appendingPathComponent("missing")
        XCTAssertThrowsError(
            try tell(
                beginning() + [.evaluated(evaluation())],
                configuration { ($0.outputDirectory, $0.trains) = (missing, false) })
        ) {
            XCTAssert("\($0)".contains("missing/eval_results.json: not written"), "\($0)")
        }
        XCTAssertEqual(names(in: directory), ["output"])
    }
}
