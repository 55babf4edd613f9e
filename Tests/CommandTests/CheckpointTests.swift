import Foundation
import Torch
import XCTest

/// What a run leaves loads again, and says the same.
final class CheckpointTests: CommandTestCase {
    private let tasks = ["rte", "sts-b"]

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder(layerCount: 4).write(to: encoder)
        try TinyGLUE.write(tasks, to: data)
    }

    private func file(_ name: String, in folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent(name))
    }

    private func weights(in folder: URL) throws -> [String: Data] {
        let file = try CheckpointFile.open(folder.appendingPathComponent("model.safetensors"))
        return try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.withBytes(of: $0) { Data($0) }) })
    }

    /// A command line on a model's folder that leaves it to the folder what the model is.
    private func evaluation(of model: URL, to output: URL) -> [String] {
        [
            "--model_name_or_path", model.path, "--data_dir", data.path, "--cache_dir", cache.path, "--output_dir",
            output.path, "--threads", "1", "--do_eval",
        ]
    }

    func testLoadedModelHasTheFiguresOfTheEndOfItsTraining() throws {
        for type in ["ca-mtl-base", "ca-mtl-large", "bert"] {
            let trained = folder.appendingPathComponent(type)
            let again = folder.appendingPathComponent("\(type) again")
            let run = try camtl(
                arguments(
                    tasks: tasks, output: trained, "--encoder_type", type, "--do_train", "--do_eval",
                    "--max_steps", "4"))
            let evaluated = try camtl(evaluation(of: trained, to: again))
            XCTAssertEqual(
                try file("eval_results.json", in: again), try file("eval_results.json", in: trained), type)
            XCTAssert(run.text.hasSuffix(evaluated.text), "\(type): another table\n\(run.text)\n\(evaluated.text)")
            XCTAssertEqual(
                try names(in: again), ["all_results.json", "eval_results.json"], "an evaluation writes nothing else")
        }
    }

    func testCheckpointsAreModelsOfTheirSteps() throws {
        try camtl(
            arguments(
                tasks: tasks, "--encoder_type", "ca-mtl-base", "--do_train", "--max_steps", "6", "--save_steps", "3"))
        let checkpoints = ["checkpoint-3", "checkpoint-6"]
        let reports = [
            ".camtl-run", "README.md", "all_results.json", "run_config.json", "train_results.json",
            "trainer_state.json",
        ]
        let model = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
        XCTAssertEqual(try names(in: output), (checkpoints + model + reports).sorted())
        for name in checkpoints {
            let checkpoint = output.appendingPathComponent(name)
            XCTAssertEqual(
                try names(in: checkpoint),
                (model + ["optimizer.safetensors", "resume_state.json", "trainer_state.json"]).sorted())
            try camtl(evaluation(of: checkpoint, to: folder.appendingPathComponent("of \(name)")))
        }
        for name in model {
            XCTAssertEqual(
                try file(name, in: output.appendingPathComponent("checkpoint-6")), try file(name, in: output), name)
        }
        XCTAssertNotEqual(
            try file("model.safetensors", in: output.appendingPathComponent("checkpoint-3")),
            try file("model.safetensors", in: output))
    }

    func testTrainedModelTrainsOn() throws {
        try camtl(arguments(tasks: tasks, "--encoder_type", "ca-mtl-large", "--do_train", "--max_steps", "3"))
        let second = folder.appendingPathComponent("second")
        try camtl(
            [
                "--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path,
                "--output_dir", second.path, "--threads", "1", "--do_train", "--max_steps", "3",
            ])
        XCTAssertEqual(try file("config.json", in: second), try file("config.json", in: output))
        XCTAssertNotEqual(try file("model.safetensors", in: second), try file("model.safetensors", in: output))
    }

    func testSavedModelHasTheOriginalsParameterNamesAndTheVocabularyAsItWas() throws {
        try camtl(arguments(tasks: tasks, "--encoder_type", "ca-mtl-base", "--do_train", "--max_steps", "1"))
        let names = try Set(weights(in: output).keys)
        let some = [
            "bert.task_type_embeddings.weight", "bert.embeddings.word_embeddings.weight",
            "bert.encoder.task_transformation.weight", "bert.encoder.layer.0.attention.self.query.weight",
            "bert.encoder.layer.2.output.LayerNorm.ln_weight_modulation.gb_weights.weight",
            "bert.encoder.layer.3.new_attention.self.key.bias", "bert.encoder.layer.3.adapter.condlayernorm.weight",
            "bert.pooler.dense.weight", "decoders.0.model.weight", "decoders.1.model.bias",
        ]
        for name in some { XCTAssert(names.contains(name), "the model has no \(name): \(names.sorted())") }
        XCTAssertEqual(try file("vocab.txt", in: output), try file("vocab.txt", in: encoder))
        XCTAssertEqual(
            try json(output.appendingPathComponent("tokenizer_config.json"))["do_lower_case"] as? Bool, true)
    }

    func testFrozenTensorsStayAndAllOthersMove() throws {
        func train(steps: Int) throws -> [String: Data] {
            let output = folder.appendingPathComponent("\(steps) steps")
            try camtl(
                arguments(
                    tasks: tasks, output: output, "--encoder_type", "ca-mtl-base", "--do_train", "--max_steps",
                    "\(steps)", "--freeze_encoder_layers", "0-1"))
            return try weights(in: output)
        }
        // The first update has the rate 0, so that a single one leaves the model as it started.
        let (start, end) = (try train(steps: 1), try train(steps: 4))
        let pretrained = try weights(in: encoder)
        let frozen = pretrained.keys.filter {
            $0.hasPrefix("bert.embeddings.") || $0.hasPrefix("bert.encoder.layer.0.")
                || $0.hasPrefix("bert.encoder.layer.1.")
        }
        XCTAssertEqual(frozen.count, 5 + 2 * 16)
        for (name, values) in end {
            if frozen.contains(name) {
                XCTAssertEqual(values, pretrained[name], "\(name) is frozen")
            } else {
                XCTAssertNotEqual(values, start[name], "\(name) is to train")
            }
        }
    }
}
