import Foundation
import TestSupport
import Torch
import XCTest

/// Tasks that are added to a trained model, and taken from it.
final class AddedTasksTests: CommandTestCase {
    private var trained: URL { folder.appendingPathComponent("trained") }
    private var rows: URL { folder.appendingPathComponent("rows.jsonl") }

    private func taskFile(_ name: String, _ tasks: String...) throws -> URL {
        let url = folder.appendingPathComponent(name)
        try TinyGLUE.write("tasks:\n" + tasks.map { "  - {\($0)}\n" }.joined(), to: url)
        return url
    }

    private let priority = "name: priority, type: classification, train: p.csv, dev: 25%, text: subject, label: priority"
    private let topic = "name: topic, type: classification, train: p.csv, dev: 25%, text: body, label: topic"
    private let score = "name: score, type: regression, train: p.csv, dev: 25%, text: subject, label: score"

    private func flags(_ model: URL, _ tasks: URL, _ output: URL, _ more: [String]) -> [String] {
        [
            "--model_name_or_path", model.path, "--tasks", tasks.path, "--output_dir", output.path, "--cache_dir",
            cache.path, "--threads", "1", "--logging_dir", folder.appendingPathComponent("logs").path,
            "--learning_rate", "1e-2", "--do_train", "--overwrite_output_dir",
        ] + more
    }

    /// A model of the tasks priority and topic, and rows of theirs to predict.
    private func train() throws {
        try TinyEncoder(layerCount: 2).write(to: encoder)
        let csv = (0..<24).map { row in
            "\(row % 2 == 0 ? "ba" : "bu") bo,\(row % 3 == 0 ? "be" : "bi") ba,\(row % 2 == 0 ? "high" : "low"),"
                + "\(["x", "y", "z"][row % 3]),\(row % 4)\n"
        }
        try TinyGLUE.write("subject,body,priority,topic,score\n" + csv.joined(), to: folder.appendingPathComponent("p.csv"))
        let tasks = try taskFile("two.yaml", priority, topic)
        try camtl(
            flags(encoder, tasks, trained, ["--encoder_type", "ca-mtl-base", "--max_seq_length", "16", "--max_steps", "4"]))
        try TinyGLUE.write(
            "{\"task\": \"priority\", \"subject\": \"ba be\"}\n{\"task\": \"topic\", \"body\": \"bi bo bu\"}\n", to: rows)
    }

    private func predictions(of model: URL, _ input: URL? = nil) throws -> Data {
        let output = folder.appendingPathComponent("predicted.jsonl")
        try camtl(["predict", "--model_name_or_path", model.path, "--input", (input ?? rows).path, "--output", output.path])
        return try Data(contentsOf: output)
    }

    private func tensors(of model: URL) throws -> [String: [Float]] {
        let file = try CheckpointFile.open(model.appendingPathComponent("model.safetensors"))
        return try Dictionary(
            uniqueKeysWithValues: file.names.map { name in
                let info = try XCTUnwrap(file.info(name))
                return (
                    name,
                    try file.withBytes(of: name) { try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype).elements() }
                )
            })
    }

    /// What is found once the model is looked at, when the program has said what it computes on.
    private func assertRefusesAfterReports(_ arguments: [String], _ part: String, line: UInt = #line) throws {
        let outcome = try outcome(of: arguments)
        XCTAssertFalse(outcome.wasKilled, line: line)
        XCTAssertNotEqual(outcome.status, 0, line: line)
        XCTAssertTrue(outcome.messages.contains(part), outcome.messages, line: line)
    }

    private let embeddings = "bert.task_type_embeddings.weight"

    func testOnlyANewTaskTrainsAndAllElseStaysBitForBit() throws {
        try train()
        let before = try tensors(of: trained)
        let tasks = try taskFile("new.yaml", score)
        let added = ["--train_only_new_tasks", "--weight_decay", "0.1", "--max_steps", "3", "--do_eval"]
        let log = try camtl(flags(trained, tasks, output, added + ["--save_steps", "2"])).messages
        XCTAssertTrue(log.contains("tasks priority, topic, score"), log)
        let after = try tensors(of: output)
        XCTAssertEqual(Set(after.keys).subtracting(before.keys), ["decoders.2.model.weight", "decoders.2.model.bias"])
        for (name, values) in before where name != embeddings { XCTAssertEqual(after[name], values, name) }
        let (old, new) = (try XCTUnwrap(before[embeddings]), try XCTUnwrap(after[embeddings]))
        XCTAssertEqual(Array(new.prefix(old.count)), old)
        let width = old.count / 2
        let mean = (0..<width).map { (old[$0] + old[width + $0]) / 2 }
        XCTAssertNotEqual(Array(new.suffix(width)), mean)
        for (found, start) in zip(new.suffix(width), mean) { XCTAssertEqual(found, start, accuracy: 0.1) }
        XCTAssertEqual(try predictions(of: output), try predictions(of: trained))
        XCTAssertNotNil(try json(output.appendingPathComponent("eval_results.json"))["eval_score_pearson"])

        // A run that goes on from a checkpoint in the middle ends with the same bytes.
        let weights = try Data(contentsOf: output.appendingPathComponent("model.safetensors"))
        let resume = ["--resume_from_checkpoint", output.appendingPathComponent("checkpoint-2").path]
        try camtl(flags(trained, tasks, output, added + resume).filter { $0 != "--overwrite_output_dir" })
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("model.safetensors")), weights)
    }

    func testADroppedTaskLeavesTheOthersAsTheyAre() throws {
        try train()
        let tasks = try taskFile("new.yaml", score)
        try camtl(
            flags(trained, tasks, output, ["--drop_tasks", "priority", "--train_only_new_tasks", "--max_steps", "2"]))
        let (before, after) = (try tensors(of: trained), try tensors(of: output))
        XCTAssertEqual(after["decoders.0.model.weight"], before["decoders.1.model.weight"])
        let width = try XCTUnwrap(before[embeddings]).count / 2
        XCTAssertEqual(after[embeddings]?.prefix(width), before[embeddings]?.suffix(width))
        let topic = folder.appendingPathComponent("topic.jsonl")
        try TinyGLUE.write("{\"task\": \"topic\", \"body\": \"bi bo bu\"}\n", to: topic)
        XCTAssertEqual(try predictions(of: output, topic), try predictions(of: trained, topic))
        try assertRefusesAfterReports(
            flags(trained, tasks, output, ["--drop_tasks", "toppic"]),
            "there is no task toppic to drop; the model's are priority, topic; did you mean topic?")
    }

    func testANewTasksEmbeddingStartsAsItIsAskedTo() throws {
        try train()
        let tasks = try taskFile("new.yaml", score)
        let old = try XCTUnwrap(tensors(of: trained)[embeddings])
        let width = old.count / 2
        func start(_ name: String) throws -> (row: [Float], log: String) {
            // So low a rate that nothing moves.
            let log = try camtl(
                flags(trained, tasks, output, ["--new_task_init", name, "--max_steps", "1", "--learning_rate", "1e-30"])
            ).messages
            return (Array(try XCTUnwrap(tensors(of: output)[embeddings]).suffix(width)), log)
        }
        XCTAssertEqual(try start("topic").row, Array(old.suffix(width)))
        let nearest = try start("nearest")
        XCTAssertTrue([Array(old.prefix(width)), Array(old.suffix(width))].contains(nearest.row))
        XCTAssertTrue(nearest.log.contains("score starts with the task embedding of "), nearest.log)
        let random = try start("random").row
        XCTAssertEqual(random, try start("random").row)
        XCTAssertFalse([Array(old.prefix(width)), Array(old.suffix(width))].contains(random))
        try assertRefusesAfterReports(
            flags(trained, tasks, output, ["--new_task_init", "topics"]), "--new_task_init topics: the model has no such task")
        try assertRefusesAfterReports(
            flags(trained, try taskFile("old.yaml", topic), output, ["--train_only_new_tasks"]),
            "there are no new tasks to train: --tasks names none that the model doesn't know; its tasks are priority, topic")
        try assertRefusesAfterReports(
            flags(encoder, tasks, output, ["--train_only_new_tasks", "--max_seq_length", "16"]),
            "there are no new tasks to train: --model_name_or_path is no trained model")
    }
}
