import Foundation
import Torch
import XCTest

/// 8-bit integers are for processors with the instructions for them: on others the program says that they cost time.
final class PrecisionTests: CommandTestCase {
    /// Makes libtorch's library for 8-bit integers take any processor for one that lacks them.
    private let olderProcessor = ["ONEDNN_MAX_CPU_ISA": "AVX2"]
    private let warning = "on this processor, which has no AVX-512 VNNI, 8-bit integers are slower than exact numbers"

    override func setUpWithError() throws {
        try super.setUpWithError()
        var model = TinyEncoder()
        model.addDecoders([("rte", TinyGLUE.task("rte").labels)])
        try model.write(to: output)
        try TinyGLUE.write(["rte"], to: data)
        try TinyEncoder().write(to: encoder)
    }

    /// What the program warns of.
    private func warnings(_ arguments: [String], _ environment: [String: String]) throws -> [String] {
        try camtl(arguments, environment: environment).messages.split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix("Warning: ") }
    }

    private func predict(_ more: String...) throws -> [String] {
        let rows = folder.appendingPathComponent("rows.jsonl")
        try TinyGLUE.write(#"{"task": "rte", "sentence1": "ba be", "sentence2": "bi"}"# + "\n", to: rows)
        return [
            "predict", "--model_name_or_path", output.path, "--input", rows.path, "--output", rows.path + ".predicted",
        ] + more
    }

    private func evaluate(_ more: String...) -> [String] {
        arguments(tasks: ["rte"], "--model_name_or_path", output.path, "--do_eval") + more
    }

    func testSlowIntegersAreWarnedOfOnce() throws {
        let precise = ["--eval_precision", "int8"]
        for command in [evaluate(), try predict()] {
            XCTAssertEqual(
                try warnings(command + precise, olderProcessor),
                ["Warning: --eval_precision int8: \(warning); the flag can be left out"])
            XCTAssertEqual(try warnings(command, olderProcessor), [])
            // The processor's own answer.
            XCTAssertEqual(try warnings(command + precise, [:]).isEmpty, QuantizedLinear.isAccelerated)
        }
    }

    /// On the CPU half precision is for trying things out: it is warned of, and computes all the same.
    func testHalfPrecisionOnTheCPUIsWarnedOf() throws {
        func warning(_ name: String) -> String {
            "Warning: --\(name) is for CUDA devices; on the CPU it is slower than float32, and less exact"
        }
        XCTAssertEqual(try warnings(try predict("--no_cuda", "--bf16"), [:]), [warning("bf16")])
        for name in ["bf16", "fp16"] {
            let evaluation = try camtl(evaluate("--no_cuda", "--\(name)"))
            XCTAssert(evaluation.messages.contains("computing on cpu\n"), evaluation.messages)
            XCTAssert(evaluation.messages.contains(warning(name)), evaluation.messages)
            let output = folder.appendingPathComponent(name)
            let training = try camtl(
                arguments(output: output, "--do_train", "--no_cuda", "--max_steps", "2", "--\(name)"))
            XCTAssert(training.messages.contains(warning(name)), training.messages)
        }
    }

    func testFlagsOfBothUsesShareAWarning() throws {
        let both = ["--uncertainty_scoring", "int8", "--eval_precision", "int8"]
        let expected =
            "Warning: --uncertainty_scoring int8 and --eval_precision int8: \(warning); both flags can be left out"
        let training = arguments(
            output: folder.appendingPathComponent("trained"), "--do_train", "--do_eval", "--max_steps", "1",
            "--use_mt_uncertainty")
        XCTAssertEqual(try warnings(training + both, olderProcessor), [expected])
        let bench = [
            "bench", "--model_name_or_path", encoder.path, "--data_dir", data.path, "--cache_dir", cache.path,
            "--tasks", "rte", "--use_mt_uncertainty", "--max_seq_length", "16", "--threads", "1", "--measure",
            "training", "--bench_steps", "1", "--bench_warmup", "1",
        ]
        XCTAssertEqual(try warnings(bench + both, olderProcessor), [expected])
        XCTAssertEqual(try warnings(bench, olderProcessor), [])
    }
}
