import Foundation
import XCTest

/// Training and evaluation from raw files to a model's folder.
final class TrainingRunTests: CommandTestCase {
    private static let samplings = [
        ["--sampling", "proportional"], ["--sampling", "sequential"], ["--uniform_mt_sampling"],
        ["--use_mt_uncertainty", "--percent_of_max_data_size", "0.5"],
    ]

    func testEncodedDataIsKeptInTheCacheThatVariablesName() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        // HOME is the test's folder. A variable that is empty counts as none.
        let cases = [
            (["CAMTL_CACHE_DIR": "", "XDG_CACHE_HOME": ""], ".cache/camtl/features"),
            (["CAMTL_CACHE_DIR": "", "XDG_CACHE_HOME": "xdg"], "xdg/camtl/features"),
            (["CAMTL_CACHE_DIR": "own", "XDG_CACHE_HOME": "xdg"], "own/features"),
        ]
        let run = [
            "--model_name_or_path", encoder.path, "--data_dir", data.path, "--tasks", "rte", "--output_dir",
            output.path, "--overwrite_output_dir", "--max_seq_length", "16", "--threads", "1", "--do_train",
            "--max_steps", "1",
        ]
        for (environment, place) in cases {
            try camtl(run, environment: environment)
            let cache = folder.appendingPathComponent(place)
            XCTAssertFalse(try names(in: cache).isEmpty, place)
            try FileManager.default.removeItem(at: cache)
        }
        let outcome = try outcome(of: run, environment: ["XDG_CACHE_HOME": "", "HOME": ""])
        XCTAssertNotEqual(outcome.status, 0)
        XCTAssertTrue(outcome.messages.contains("there is no HOME to keep encoded data in"), outcome.messages)
    }

    private func assertRunsThrough(_ type: String, file: StaticString = #filePath, line: UInt = #line) throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b", "mnli"], to: data)
        for sampling in TrainingRunTests.samplings {
            let output = folder.appendingPathComponent("\(type) \(sampling.joined())")
            try camtl(
                arguments(tasks: ["rte", "sts-b", "mnli"], output: output)
                    + ["--encoder_type", type, "--do_train", "--do_eval", "--num_train_epochs", "1"] + sampling)
            try assertIsComplete(output, type: type, file: file, line: line)
        }
    }

    /// The folder has what it should and nothing else, and the files say what was done.
    private func assertIsComplete(
        _ output: URL, type: String, file: StaticString, line: UInt
    ) throws {
        XCTAssertEqual(
            try names(in: output),
            [
                ".camtl-run", "README.md", "all_results.json", "config.json", "eval_results.json",
                "model.safetensors", "run_config.json", "tokenizer_config.json", "train_results.json",
                "trainer_state.json", "vocab.txt",
            ], file: file, line: line)

        let training = try json(output.appendingPathComponent("train_results.json"))
        var expected = TinyEncoder().configuration
        var entry =
            [
                "encoder_type": type, "max_seq_length": 16,
                "tasks": [
                    ["name": "rte", "type": "classification", "labels": ["entailment", "not_entailment"]],
                    ["name": "sts-b", "type": "regression"],
                    [
                        "name": "mnli", "type": "classification",
                        "labels": ["contradiction", "entailment", "neutral"],
                    ],
                ],
            ] as [String: Any]
        // Uncertainty sampling may pick nothing of a task in so short a run.
        let untrained = ["rte", "sts-b", "mnli"].filter { training["train_\($0)_updates"] as? Int == 0 }
        if !untrained.isEmpty { entry["untrained_tasks"] = untrained }
        expected["camtl"] = entry
        XCTAssertEqual(
            try json(output.appendingPathComponent("config.json")) as NSDictionary, expected as NSDictionary,
            file: file, line: line)

        let evaluation = try json(output.appendingPathComponent("eval_results.json"))
        let sets = [
            "rte": ["acc"], "sts-b": ["pearson", "spearmanr", "corr"], "mnli": ["acc"], "mnli-mm": ["acc"],
        ]
        let keys = sets.flatMap { set, metrics in (metrics + ["loss", "samples"]).map { "eval_\(set)_\($0)" } }
        XCTAssertEqual(
            evaluation.keys.sorted(), (keys + ["eval_average", "eval_average_std"]).sorted(), file: file, line: line)
        for set in sets.keys { XCTAssertEqual(evaluation["eval_\(set)_samples"] as? Int, 13, file: file, line: line) }

        let steps = try XCTUnwrap(training["train_steps"] as? Int)
        let updates = ["rte", "sts-b", "mnli"].compactMap { training["train_\($0)_updates"] as? Int }
        XCTAssertGreaterThan(steps, 0, file: file, line: line)
        XCTAssertEqual(updates.reduce(0, +), steps * 8, "examples in updates of 8", file: file, line: line)
        for task in ["rte", "sts-b", "mnli"] {
            XCTAssertEqual(training["train_\(task)_samples"] as? Int, 24, file: file, line: line)
        }
    }

    func testBaseEncoderRunsThroughUnderEachSampling() throws { try assertRunsThrough("ca-mtl-base") }
    func testLargeEncoderRunsThroughUnderEachSampling() throws { try assertRunsThrough("ca-mtl-large") }
    func testPlainEncoderRunsThroughUnderEachSampling() throws { try assertRunsThrough("bert") }

    func testWithoutTasksAllNineAreTrainedInTheOriginalsOrder() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(TinyGLUE.all.map(\.task), to: data)
        let all = arguments(tasks: ["rte"], "--do_train", "--do_eval", "--max_steps", "2")
            .filter { !["--tasks", "rte"].contains($0) }
        let outcome = try camtl(all)
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        let names = (entry?["tasks"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
        XCTAssertEqual(
            names, ["cola", "mnli", "rte", "wnli", "qqp", "sts-b", "sst-2", "qnli", "mrpc"])
        for set in ["cola", "mnli", "mnli-mm", "rte", "wnli", "qqp", "sts-b", "sst-2", "qnli", "mrpc", "average"] {
            XCTAssert(outcome.lines.contains { $0.hasPrefix("\(set) ") }, "the table has no row \(set)")
        }
    }

    func testVariantsNameStandsForItsEncoderOnTheHubsModel() throws {
        let hub = folder.appendingPathComponent("hub")
        let model = hub.appendingPathComponent("models--bert-base-cased")
        let commit = String(repeating: "0a1b", count: 10)
        try TinyEncoder().write(to: model.appendingPathComponent("snapshots/\(commit)"))
        try TinyGLUE.write("\(commit)\n", to: model.appendingPathComponent("refs/main"))
        try TinyGLUE.write(["rte"], to: data)
        try camtl(
            arguments("--model_name_or_path", "CA-MTL-base", "--do_train", "--max_steps", "1"),
            environment: ["HF_HUB_CACHE": hub.path])
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        XCTAssertEqual(entry?["encoder_type"] as? String, "ca-mtl-base")
    }

    func testRunSaysWhichTensorsAreLoadedNewAndUnused() throws {
        var model = TinyEncoder()
        model.tensors["cls.predictions.bias"] = .init(shape: [80], values: Array(repeating: 0, count: 80))
        try model.write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        let messages = try camtl(arguments("--do_train", "--max_steps", "1")).messages
        XCTAssert(
            messages.contains(
                "model.safetensors: 39 tensors loaded (embeddings, layers 0-1, pooler); 2 new, at their initial values "
                    + "(decoders); 1 of the file not used (cls.predictions.bias)\n"), messages)
    }

    func testTrainingLearnsTheWordThatTellsTheClasses() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["cola"], to: data)
        try camtl(
            arguments(tasks: ["cola"], "--do_train", "--do_eval", "--num_train_epochs", "12", "--dropout", "0"))
        let results = try json(output.appendingPathComponent("eval_results.json"))
        let correlation = try XCTUnwrap(results["eval_cola_mcc"] as? Double)
        XCTAssertGreaterThan(correlation, 0.8)
    }

    func testEvaluationDuringTrainingComesEveryFewSteps() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        let messages = try camtl(
            arguments("--do_train", "--evaluate_during_training", "--logging_steps", "2", "--max_steps", "5")
        ).messages
        XCTAssertEqual(
            messages.split(separator: "\n").filter { $0.hasPrefix("after step ") }, ["after step 2:", "after step 4:"])
        XCTAssertEqual(messages.split(separator: "\n").filter { $0.hasPrefix("average") }.count, 2, messages)
    }

    func testStepsAreLoggedAsPlainLinesWithoutATerminal() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        let outcome = try camtl(
            arguments("--do_train", "--max_steps", "4", "--logging_steps", "2", "--gradient_accumulation_steps", "2"))
        let steps = outcome.messages.split(separator: "\n").filter { $0.hasPrefix("step ") }
        XCTAssertEqual(steps.map { $0.split(separator: " ")[1] }, ["2/4", "4/4"])
        for part in ["loss", "rate", "examples/s", "left"] {
            XCTAssert(steps.allSatisfy { $0.contains(part) }, "a step's line lacks its \(part)")
        }
        XCTAssertFalse(outcome.messages.contains("\u{1B}"), "no terminal, no bar")
    }

    #if arch(x86_64)
        func testTheProductsOfEitherLibrary() throws {
            try TinyEncoder().write(to: encoder)
            try TinyGLUE.write(["rte", "sts-b"], to: data)
            let losses = try ["mkl", "onednn"].map { library in
                let output = folder.appendingPathComponent(library)
                let outcome = try camtl(
                    arguments(tasks: ["rte", "sts-b"], output: output)
                        + ["--encoder_type", "ca-mtl-base", "--do_train", "--per_device_train_batch_size", "16"]
                        + ["--max_steps", "6", "--logging_steps", "1"],
                    environment: ["CAMTL_CPU_PRODUCTS": library, "ONEDNN_VERBOSE": "1"])
                // What oneDNN says of each product: of those of the forward pass, and of either gradient.
                let products = outcome.lines.filter { $0.contains("inner_product") }
                XCTAssertEqual(products.isEmpty, library == "mkl", outcome.text)
                return try trainingLosses(in: output)
            }
            XCTAssertEqual(losses[0].count, 6)
            XCTAssertEqual(losses[0].count, losses[1].count)
            for (one, other) in zip(losses[0], losses[1]) { XCTAssertEqual(one, other, accuracy: 1e-5 * one) }
        }

        private func trainingLosses(in output: URL) throws -> [Double] {
            let state = try json(output.appendingPathComponent("trainer_state.json"))
            let history = try XCTUnwrap(state["log_history"] as? [[String: Any]])
            return history.compactMap { $0["loss"] as? Double }
        }
    #endif
}
