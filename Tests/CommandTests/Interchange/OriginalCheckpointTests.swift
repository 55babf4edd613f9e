import Foundation
import TestSupport
import Torch
import XCTest

/// A checkpoint of the original code, made here of the golden models by real `torch.save`, computes in camtl what it
/// computed there.
final class OriginalCheckpointTests: CommandTestCase {
    private static let golden = PeerPython.folder.deletingLastPathComponent().appendingPathComponent("Fixtures/golden")

    private var original: URL { checkpoint("base", "zip") }
    private var vocabulary: URL { folder.appendingPathComponent("vocabulary") }
    private var converted: URL { folder.appendingPathComponent("converted") }
    /// Of the golden models, in their order.
    private let tasks = ["cola", "mnli", "sts-b"]

    private func checkpoint(_ kind: String, _ format: String) -> URL {
        folder.appendingPathComponent("\(kind) \(format)")
    }

    private func golden(_ name: String) throws -> CheckpointFile {
        try CheckpointFile.open(Self.golden.appendingPathComponent(name + ".safetensors"))
    }

    private func values(_ file: CheckpointFile, _ name: String) throws -> [[Double]] {
        let info = try XCTUnwrap(file.info(name))
        let tensor = try file.withBytes(of: name) { try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype) }
        let width = info.shape.count < 2 ? 1 : info.shape[1]
        let all: [Double] = try tensor.elements()
        return stride(from: 0, to: all.count, by: width).map { Array(all[$0..<$0 + width]) }
    }

    /// Writes what the original leaves of models: a state dict, and a configuration of transformers 2.11. Its
    /// tokenizer's files it does not write.
    private func write(_ kinds: [String], _ formats: [String] = ["zip"]) throws {
        let models = try json(Self.golden.appendingPathComponent("tiny.json"))
        var jobs: [String] = []
        for kind in kinds {
            let model = try XCTUnwrap(models[kind] as? [String: Any])
            var configuration = try XCTUnwrap(model["config"] as? [String: Any])
            let fields: [String: Any] = [
                "architectures": ["BertForMaskedLM"], "model_type": "bert", "hidden_act": "gelu", "type_vocab_size": 2,
                "layer_norm_eps": 1e-12, "pad_token_id": 0, "num_labels": 2, "output_past": true, "pruned_heads": [:],
                "id2label": ["0": "LABEL_0", "1": "LABEL_1"], "finetuning_task": NSNull(), "bos_token_id": NSNull(),
            ]
            configuration.merge(fields) { $1 }
            let size = try XCTUnwrap(configuration["vocab_size"] as? Int)
            let parameters = Self.golden.appendingPathComponent("tiny_\(kind).params.safetensors")
            for format in formats {
                let folder = checkpoint(kind, format)
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                try JSONSerialization.data(withJSONObject: configuration)
                    .write(to: folder.appendingPathComponent("config.json"))
                jobs += [parameters.path, folder.appendingPathComponent("pytorch_model.bin").path, format]
            }
            try TinyGLUE.write(
                TinyEncoder.vocabulary.prefix(size).joined(separator: "\n"),
                to: vocabulary.appendingPathComponent("vocab.txt"))
        }
        try PeerPython.run(file: "save_checkpoints.py", jobs)
    }

    private func convert(_ source: URL? = nil, _ more: String...) -> [String] {
        [
            "convert", "--model_name_or_path", (source ?? original).path, "--output_dir", converted.path,
            "--tokenizer_name", vocabulary.path,
        ] + more
    }

    /// The rows of a golden batch for `camtl predict`, and the logits of each task's.
    private func batch(_ kind: String, _ name: String) throws -> (rows: String, logits: [[Double]]) {
        let inputs = try golden("tiny_\(kind).inputs")
        let outputs = try golden("tiny_\(kind).\(name).f32")
        let (ids, types) = (try values(inputs, "\(name).input_ids"), try values(inputs, "\(name).token_type_ids"))
        let mask = try values(inputs, "\(name).attention_mask")
        let taskIDs = try values(inputs, "\(name).task_id").map { Int($0[0]) }
        var left = try tasks.indices.map { task in
            outputs.info("out.logits.task\(task)") == nil ? [] : try values(outputs, "out.logits.task\(task)")
        }
        var (rows, logits) = ("", [[Double]]())
        for (row, task) in taskIDs.enumerated() {
            let kept = mask[row].indices.filter { mask[row][$0] != 0 }
            let fields: [String: Any] = [
                "task": tasks[task], "input_ids": kept.map { Int(ids[row][$0]) },
                "token_type_ids": kept.map { Int(types[row][$0]) },
            ]
            rows += String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self) + "\n"
            logits.append(left[task].removeFirst())
        }
        XCTAssert(left.allSatisfy(\.isEmpty))
        return (rows, logits)
    }

    func testConvertedCheckpointsHaveTheOriginalsLogits() throws {
        let types = ["base": "ca-mtl-base", "large": "ca-mtl-large", "bert": "bert"]
        let formats = ["zip", "legacy"]
        try write(types.keys.sorted(), formats)
        for (kind, type) in types.sorted(by: { $0.key < $1.key }) {
            for format in formats {
                let what = "\(kind), \(format)"
                let said = try camtl(
                    convert(
                        checkpoint(kind, format), "--encoder_type", type, "--overwrite_output_dir", "--max_seq_length",
                        "16", "--tasks") + tasks)
                XCTAssertEqual(said.text, converted.path + "\n")
                XCTAssertEqual(said.messages, "", "every tensor is used: \(what)")
                XCTAssertEqual(
                    try names(in: converted),
                    ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"])
                let entry = try json(converted.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
                XCTAssertEqual(entry?["encoder_type"] as? String, type)
                XCTAssertEqual(entry?["max_seq_length"] as? Int, 16)
                for name in ["b1", "b2"] {
                    let (rows, logits) = try batch(kind, name)
                    assertClose(try predictions(converted, rows: rows).map(\.logits), logits, "\(what), \(name)")
                }
            }
        }
    }

    func testTensorsSayTheEncoderAndTheLength() throws {
        let types = ["base": "ca-mtl-base", "large": "ca-mtl-large"]
        try write(types.keys.sorted())
        for (kind, type) in types {
            let source = checkpoint(kind, "zip")
            try camtl(convert(source, "--overwrite_output_dir", "--tasks") + tasks)
            let entry = try json(converted.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
            XCTAssertEqual(entry?["encoder_type"] as? String, type)
            XCTAssertEqual(entry?["max_seq_length"] as? Int, 16)
            try FileManager.default.removeItem(at: converted)
            try assertRefuses(
                convert(source, "--encoder_type", "bert", "--tasks") + tasks,
                "this checkpoint's encoder is \(type), not bert")
            try assertRefuses(
                convert(source, "--max_seq_length", "8", "--tasks") + tasks,
                "was made for --max_seq_length 16, not 8")
        }
    }

    func testTasksThatDoNotFitTheDecodersAreRefused() throws {
        try write(["base"])
        try assertRefuses(
            convert(), "this checkpoint has 3 decoders, of 2, 3, 1 outputs, and the tasks are 9", "give --tasks")
        try assertRefuses(
            convert(nil, "--tasks", "mnli", "cola", "sts-b"), "--tasks has mnli, of 3, where the decoder has 2",
            "that order")
        try assertRefuses(
            convert(nil, "--tasks", "rte", "mnli", "rte"), "--tasks has rte, of 2, where the decoder has 1")
    }

    func testVocabularyIsAskedForWhereThereIsNone() throws {
        try write(["base"])
        let without = convert(nil, "--tasks").filter { !["--tokenizer_name", vocabulary.path].contains($0) } + tasks
        try assertRefuses(without, original.appendingPathComponent("vocab.txt").path, "--tokenizer_name")
        try FileManager.default.moveItem(
            at: vocabulary.appendingPathComponent("vocab.txt"), to: original.appendingPathComponent("vocab.txt"))
        try camtl(without)
        // With a vocabulary it is evaluated as it is, too.
        try TinyGLUE.write(tasks, to: data)
        let results = try [original, converted].map { model in
            try camtl(arguments(tasks: tasks, "--model_name_or_path", model.path, "--do_eval"))
            return try Data(contentsOf: output.appendingPathComponent("eval_results.json"))
        }
        XCTAssertEqual(results[0], results[1])
    }

    func testNineDecodersAreTheNineTasksInTheOriginalsOrder() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(TinyGLUE.all.map(\.task), to: data)
        try camtl(
            arguments(
                tasks: TinyGLUE.all.map(\.task), "--encoder_type", "ca-mtl-base", "--do_train", "--max_steps", "2"))
        // What the original would have left of this model.
        try FileManager.default.createDirectory(at: original, withIntermediateDirectories: true)
        var configuration = try json(output.appendingPathComponent("config.json"))
        var entry = try XCTUnwrap(configuration.removeValue(forKey: "camtl") as? [String: Any])
        // No file of the original's says how far training came.
        entry["untrained_tasks"] = nil
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: original.appendingPathComponent("config.json"))
        try PeerPython.run(
            file: "save_checkpoints.py",
            [output.path + "/model.safetensors", original.path + "/pytorch_model.bin", "zip"])
        try camtl(
            [
                "convert", "--model_name_or_path", original.path, "--output_dir", converted.path, "--tokenizer_name",
                output.path,
            ])
        XCTAssertEqual(
            try json(converted.appendingPathComponent("config.json"))["camtl"] as? NSDictionary, entry as NSDictionary)
        let weights = "model.safetensors"
        XCTAssertEqual(
            try Data(contentsOf: converted.appendingPathComponent(weights)),
            try Data(contentsOf: output.appendingPathComponent(weights)))
    }
}
