import Foundation
import XCTest

/// `camtl bench` on a small encoder: what it writes, and that its figures fit together.
final class BenchTests: CommandTestCase {
    private struct Report: Decodable {
        struct Training: Decodable {
            var sampling: String
            var batchSize: Int
            var seconds: [Double]
            var examples: [Int]
            var tokens: [Int]
            var operations: [Double]
        }
        struct Evaluation: Decodable {
            var examples: Int
            var tokens: Int
            var operations: Double
            var seconds: Double
        }
        struct Tokenizer: Decodable {
            var rows: Int
            var bytes: Int
            var tokens: Int
            var seconds: [Double]
        }
        struct Picks: Decodable {
            var steps: Int
            var picked: Int
            var equal: Int
        }
        var tasks: [String]
        var threads: Int
        var instructions: String
        var gemmPeak: Double
        var secondsToFirstStep: Double?
        var training: [Training]
        var picks: Picks?
        var evaluation: Evaluation?
        var tokenizer: Tokenizer?
        var peakMemory: Int?
    }

    private struct Row: Decodable, Equatable {
        var input_ids: [Int]
        var token_type_ids: [Int]
        var label: Double?
        var task: String
    }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sst-2"], to: data)
    }

    private func file(_ name: String) -> URL { folder.appendingPathComponent(name) }

    private func bench(_ more: String...) -> [String] {
        [
            "bench", "--model_name_or_path", encoder.path, "--data_dir", data.path, "--cache_dir", cache.path,
            "--encoder_type", "ca-mtl-base", "--max_seq_length", "16", "--threads", "1", "--tasks", "rte", "sst-2",
            "--per_device_train_batch_size", "5", "--bench_steps", "4", "--bench_warmup", "2", "--json",
            file("bench.json").path,
        ] + more
    }

    private func report() throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Report.self, from: Data(contentsOf: file("bench.json")))
    }

    private func lines<Value: Decodable>(_ name: String, _: Value.Type = Value.self) throws -> [Value] {
        try String(contentsOf: file(name), encoding: .utf8).split(separator: "\n")
            .map { try JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
    }

    func testEveryPartIsMeasuredAndNothingElseIsWritten() throws {
        let outcome = try camtl(bench())
        let report = try report()
        XCTAssertEqual(report.tasks, ["rte", "sst-2"])
        XCTAssertEqual(report.threads, 1)
        XCTAssertGreaterThan(report.gemmPeak, 1e9)
        XCTAssertGreaterThan(try XCTUnwrap(report.secondsToFirstStep), 0.01)
        XCTAssertLessThan(try XCTUnwrap(report.secondsToFirstStep), 60)
        // libtorch alone takes more than this.
        XCTAssertGreaterThan(try XCTUnwrap(report.peakMemory), 50_000_000)
        let training = try XCTUnwrap(report.training.first)
        XCTAssertEqual(report.training.count, 1)
        XCTAssertEqual([training.seconds.count, training.batchSize], [4, 5])
        XCTAssert(training.seconds.allSatisfy { $0 > 0 })
        for number in 0..<4 {
            let rate = training.operations[number] / training.seconds[number]
            XCTAssert(rate > 0 && rate < report.gemmPeak, "\(rate) of \(report.gemmPeak)")
        }
        XCTAssertEqual(report.evaluation?.examples, 26)
        XCTAssertEqual(report.tokenizer?.rows, 48)
        XCTAssertEqual(report.tokenizer?.seconds.count, 5)
        for part in ["proportional", "evaluation", "tokenizer", "peak memory"] {
            XCTAssert(outcome.text.contains(part), outcome.text)
        }
        try assertTable(outcome.text, has: training)
        XCTAssertEqual(try names(in: folder), ["bench.json", "encoder", "glue"])
    }

    /// The rates that the table prints are those of the written figures, to the digits that it has.
    private func assertTable(_ text: String, has training: Report.Training) throws {
        let line = try XCTUnwrap(text.split(separator: "\n").first { $0.hasPrefix("step of 5, proportional") })
        let cells = line.replacingOccurrences(of: "  +", with: "\t", options: .regularExpression)
            .split(separator: "\t").suffix(4).dropLast().map { Double($0) ?? .nan }
        let amounts = [
            training.examples.map(Double.init), training.tokens.map(Double.init), training.operations.map { $0 / 1e9 },
        ]
        for (cell, amounts) in zip(cells, amounts) {
            let rates = zip(amounts, training.seconds).map { $0 / $1 }.sorted()
            let median = (rates[1] + rates[2]) / 2
            XCTAssertEqual(cell, median, accuracy: 0.01 * median + 6e-4, String(line))
        }
        XCTAssertEqual(cells.count, 3)
    }

    func testInexactPicksAreComparedWithExactOnes() throws {
        let outcome = try camtl(
            bench(
                "--measure", "training", "--sampling", "uncertainty", "--uncertainty_scoring", "int8", "--bench_picks",
                "3"))
        let picks = try XCTUnwrap(report().picks)
        XCTAssertEqual([picks.steps, picks.picked], [3, 15])
        XCTAssert((8...15).contains(picks.equal), "\(picks.equal)")
        XCTAssert(outcome.text.contains("equal picks, 3 steps"), outcome.text)
    }

    func testComparingExactPicksWithThemselvesAndAnUnwritableFileAreRefused() throws {
        try assertRefuses(bench("--measure", "training", "--bench_picks", "3"), "--bench_picks compares")
        try assertRefuses(
            bench("--measure", "training", "--write_batches", folder.appendingPathComponent("no/batches").path),
            "no/batches: not written")
        let file = folder.appendingPathComponent("figures").path
        try assertRefuses(bench("--json", file, "--write_texts", file), "two results are to be written to this file")
    }

    func testEveryPositionTakesTheSameSteps() throws {
        try camtl(
            bench("--measure", "training", "--every_position"), environment: ["CAMTL_CPU_CAPABILITY": "portable"])
        XCTAssertEqual(try XCTUnwrap(report().training.first).examples, [5, 5, 5, 5])
        XCTAssertEqual(try report().instructions, "portable")
    }

    func testWrittenBatchesAreThoseThatWereMeasured() throws {
        try camtl(bench("--write_batches", file("a.jsonl").path, "--measure", "training"))
        let batches = try lines("a.jsonl", [Row].self)
        XCTAssertEqual(batches.count, 6)
        let training = try XCTUnwrap(report().training.first)
        XCTAssertEqual(batches[2...].map { $0.map(\.input_ids.count).reduce(0, +) }, training.tokens)
        XCTAssertEqual(batches[2...].map(\.count), training.examples)
        for row in batches.joined() {
            XCTAssertEqual(row.input_ids.count, row.token_type_ids.count)
            XCTAssertEqual(row.token_type_ids.max(), row.task == "rte" ? 1 : 0)
            XCTAssert([0, 1].contains(row.label))
        }
        XCTAssertNil(try report().evaluation)

        // The same rows in the same order for the same seed, and others for another.
        try camtl(bench("--write_batches", file("b.jsonl").path, "--measure", "training"))
        XCTAssertEqual(try lines("b.jsonl", [Row].self), batches)
        try camtl(bench("--write_batches", file("c.jsonl").path, "--measure", "training", "--seed", "7"))
        XCTAssertNotEqual(try lines("c.jsonl", [Row].self), batches)
    }

    func testWrittenTextsAreThoseThatWereTokenizedAndGiveThoseRows() throws {
        try camtl(
            bench(
                "--write_texts", file("texts.jsonl").path, "--write_eval_rows", file("eval.jsonl").path, "--measure",
                "evaluation", "tokenizer"))
        struct Text: Decodable {
            var task: String
            var sentence: String?
            var sentence1: String?
            var sentence2: String?
        }
        let texts = try lines("texts.jsonl", Text.self)
        let tokenizer = try XCTUnwrap(report().tokenizer)
        XCTAssertEqual(texts.count, tokenizer.rows)
        let all = texts.map { ($0.sentence ?? "") + ($0.sentence1 ?? "") + ($0.sentence2 ?? "") }
        XCTAssertEqual(all.map(\.utf8.count).reduce(0, +), tokenizer.bytes)
        let rows = try lines("eval.jsonl", Row.self)
        let evaluation = try XCTUnwrap(report().evaluation)
        XCTAssertEqual(rows.count, evaluation.examples)
        XCTAssertEqual(rows.map(\.input_ids.count).reduce(0, +), evaluation.tokens)
        XCTAssert(try report().training.isEmpty)
    }

    func testUncertaintyIsMeasuredBesideAStepOfTheSameBatchWithoutIt() throws {
        let outcome = try camtl(bench("--sampling", "uncertainty", "--measure", "training"))
        let training = try report().training
        XCTAssertEqual(training.map(\.sampling), ["uniform", "uncertainty"])
        // It scores 10 candidates to train on 5.
        let perToken = training.map { $0.operations.reduce(0, +) / Double($0.tokens.reduce(0, +)) }
        XCTAssertGreaterThan(perToken[1], 1.3 * perToken[0])
        XCTAssertLessThan(perToken[1], 2.2 * perToken[0])
        XCTAssert(outcome.text.contains("uncertainty to uniform"), outcome.text)
    }

    func testTaskCountAddsCopiesOfTheTasks() throws {
        try camtl(bench("--task_count", "5", "--measure", "training", "--write_batches", file("a.jsonl").path))
        XCTAssertEqual(try report().tasks, ["rte", "sst-2", "rte-2", "sst-2-2", "rte-3"])
        let drawn = Set(try lines("a.jsonl", [Row].self).joined().map(\.task))
        XCTAssert(drawn.contains("rte-2") || drawn.contains("sst-2-2") || drawn.contains("rte-3"), "\(drawn)")
    }

    func testWhatCannotBeMeasuredIsRefused() throws {
        try assertRefuses(bench("--task_count", "1"), "--task_count is 1", "2 tasks")
        try assertRefuses(
            bench("--sampling", "uncertainty", "--write_batches", file("a.jsonl").path), "--write_batches")
        try assertRefuses(
            bench("--bench_steps", "0", "--bench_warmup", "-1"), "--bench_steps is 0", "--bench_warmup is -1", lines: 2)
        try assertRefuses(
            bench("--measure", "tokenizer", "--write_batches", file("a.jsonl").path), "--measure leaves that out")
        try assertRefuses(bench("--json", file("missing/bench.json").path), "missing/bench.json")
    }

    func testOneProcessIsMeasuredAndNotOneOfSeveral() throws {
        let torchrun = ["RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"]
        let srun = ["SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"]
        for environment in [torchrun, srun] {
            try assertRefuses(
                bench(), "camtl bench measures one process; start it without torchrun or srun",
                environment: environment)
        }
        try camtl(bench("--measure", "tokenizer"), environment: ["RANK": "0", "WORLD_SIZE": "1"])
    }
}
