import Foundation
import TestSupport
import XCTest

/// Tasks that a user describes in a file: from a CSV to predictions.
final class OwnTasksTests: CommandTestCase {
    private var tasks: URL { folder.appendingPathComponent("tasks.yaml") }

    private func write(_ lines: String..., to name: String) throws {
        try TinyGLUE.write(lines.map { $0 + "\n" }.joined(), to: folder.appendingPathComponent(name))
    }

    /// Three tasks of the three types in three formats, of the words of the tiny encoder's vocabulary.
    private func writeTasks() throws {
        try TinyEncoder(layerCount: 2).write(to: encoder)
        var (csv, jsonl, tsv) = ("subject,body,priority\n", "", "text\tvalue\n")
        for row in 0..<40 {
            csv += row % 2 == 0 ? "\"ba, \"\"be\"\"\",\"bi\nbo\",high\n" : "bu,bo ba,low\n"
            let tags = [row % 2 == 0 ? "\"even\"" : nil, row % 3 == 0 ? "\"third\"" : nil].compactMap { $0 }
            jsonl += "{\"doc\": {\"text\": \"ba \(row % 2 == 0 ? "be" : "bo")\"}, \"tags\": [\(tags.joined(separator: ", "))]}\n"
            tsv += "ba \(row % 4 == 0 ? "bu" : "be")\t\(Double(row % 4) / 2)\n"
        }
        try TinyGLUE.write(csv, to: folder.appendingPathComponent("p.csv"))
        try TinyGLUE.write(jsonl, to: folder.appendingPathComponent("t.jsonl"))
        try TinyGLUE.write(tsv, to: folder.appendingPathComponent("s.tsv"))
        try write(
            "tasks:",
            "  - {name: priority, type: classification, train: p.csv, dev: 25%, test: p.csv, text: [subject, body],",
            "     label: priority, metrics: [accuracy, macro_f1]}",
            "  - {name: topics, type: multilabel, train: t.jsonl, dev: 25%, text: doc.text, label: tags}",
            "  - {name: score, type: regression, train: s.tsv, dev: s.tsv, text: text, label: value, weight: 2}",
            to: "tasks.yaml")
    }

    private func run(_ flags: String...) -> [String] {
        [
            "--model_name_or_path", encoder.path, "--tasks", tasks.path, "--output_dir", output.path, "--cache_dir",
            cache.path, "--max_seq_length", "16", "--threads", "1", "--logging_dir",
            folder.appendingPathComponent("logs").path,
        ] + flags
    }

    private func objects(_ url: URL) throws -> [[String: Any]] {
        try Data(contentsOf: url).split(separator: 0x0A).map {
            try XCTUnwrap(try JSONSerialization.jsonObject(with: $0) as? [String: Any])
        }
    }

    func testTasksOfAllTypesAreTrainedEvaluatedAndPredictedWithoutGLUE() throws {
        try writeTasks()
        try camtl(
            run("--encoder_type", "ca-mtl-base", "--do_train", "--do_eval", "--do_predict", "--max_steps", "4"))
        let figures = try json(output.appendingPathComponent("eval_results.json"))
        for key in [
            "eval_priority_acc", "eval_priority_macro_f1", "eval_topics_micro_f1", "eval_score_pearson", "eval_average",
        ] { XCTAssertNotNil(figures[key], key) }
        XCTAssertEqual(figures["eval_priority_samples"] as? Int, 10)
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        let heads = try XCTUnwrap(entry?["tasks"] as? [[String: Any]])
        XCTAssertEqual(heads[0]["labels"] as? [String], ["high", "low"])
        XCTAssertEqual(heads[0]["text"] as? [String], ["subject", "body"])
        XCTAssertEqual(heads[1]["type"] as? String, "multilabel")
        XCTAssertEqual(heads[1]["labels"] as? [String], ["even", "third"])
        let table = try String(contentsOf: output.appendingPathComponent("predictions/priority.tsv"), encoding: .utf8)
        XCTAssertEqual(table.split(separator: "\n").count, 41)
        XCTAssertFalse(FileManager.default.fileExists(atPath: output.appendingPathComponent("submission.zip").path))
        let card = try String(contentsOf: output.appendingPathComponent("README.md"), encoding: .utf8)
        XCTAssertFalse(card.contains("GLUE"), card)

        // The model says what the tasks are; the file where their data lie.
        let before = try Data(contentsOf: output.appendingPathComponent("eval_results.json"))
        try camtl(run("--do_eval", "--model_name_or_path", output.path))
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("eval_results.json")), before)
        try write(
            #"{"task": "priority", "subject": "ba", "body": "be"}"#, #"{"task": "topics", "doc.text": "ba bo"}"#,
            #"{"task": "score", "text": "bu"}"#, #"{"task": "score", "sentence": "bu"}"#, to: "rows.jsonl")
        let answers = folder.appendingPathComponent("answers.jsonl")
        let predict = [
            "predict", "--model_name_or_path", output.path, "--input", folder.appendingPathComponent("rows.jsonl").path,
            "--output", answers.path,
        ]
        try camtl(predict)
        let found = try objects(answers)
        XCTAssertTrue(["high", "low"].contains(found[0]["label"] as? String))
        XCTAssertNotNil(found[1]["labels"] as? [String])
        XCTAssertEqual((found[1]["probabilities"] as? [Double])?.count, 2)
        XCTAssertEqual(found[2]["value"] as? Double, found[3]["value"] as? Double)
        try write(#"{"task": "priority", "subject": "ba"}"#, to: "rows.jsonl")
        let refused = try outcome(of: predict)
        XCTAssertEqual(refused.status, 1)
        XCTAssertTrue(refused.messages.contains("rows.jsonl:1: the row has no text \"body\""), refused.messages)
    }

    func testTasksStandBesideGLUEsAndGoOnToTheSameBytes() throws {
        try writeTasks()
        try TinyGLUE.write(["rte"], to: data)
        func train(_ flags: String...) throws -> Outcome {
            try camtl(
                run("--do_train", "--tasks", "rte", "--data_dir", data.path, "--save_steps", "2")
                    + ["--sampling", "uncertainty", "--per_device_train_batch_size", "4"] + flags)
        }
        _ = try train("--max_steps", "4")
        let whole = try Data(contentsOf: output.appendingPathComponent("model.safetensors"))
        try FileManager.default.removeItem(at: output.appendingPathComponent("checkpoint-4"))
        _ = try train("--max_steps", "4", "--resume_from_checkpoint")
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("model.safetensors")), whole)
        let record = try json(output.appendingPathComponent("run_config.json"))
        XCTAssertEqual(record["tasks"] as? [String], [tasks.path, "rte"])
    }

    func testAllThatIsWrongWithATaskFileIsSaidAtOnceAndWithItsLines() throws {
        try writeTasks()
        try write(
            "tasks:", "  - name: ../x", "    type: clasification", "    train: nope.csv", "    text: [a, b, c]",
            "    label: l", "    metric: acc", to: "bad.yaml")
        let run = try outcome(of: run("--do_train", "--tasks", folder.appendingPathComponent("bad.yaml").path))
        XCTAssertEqual(run.status, 1)
        for text in [
            "bad.yaml:2: the task name \"../x\"", "bad.yaml:3: \"type\" is one of", "did you mean classification",
            "bad.yaml:4: \"train\": there is no file", "bad.yaml:7: \"metric\" is no field of a task; did you mean",
        ] { XCTAssertTrue(run.messages.contains(text), "\(text)\n\(run.messages)") }
        XCTAssertFalse(FileManager.default.fileExists(atPath: output.path))
    }

    /// The three lines of the README, in a folder that has what they name.
    func testTheREADMEsThreeCommandsRunAsWritten() throws {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: project.appendingPathComponent("README.md"), encoding: .utf8)
        let section = try XCTUnwrap(readme.components(separatedBy: "## Your own tasks").last)
        let lines = section.components(separatedBy: "\n").filter { $0.hasPrefix("    ") }.prefix(3)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        XCTAssertEqual(lines.count, 3)
        guard ProcessInfo.processInfo.environment["CAMTL_PRETRAINED"] != nil else {
            throw XCTSkip("CAMTL_PRETRAINED is not set")
        }
        for name in ["Examples", ".pretrained"] {
            try FileManager.default.createSymbolicLink(
                at: folder.appendingPathComponent(name), withDestinationURL: project.appendingPathComponent(name))
        }
        let logs = ["--cache_dir", cache.path, "--logging_dir", folder.appendingPathComponent("logs").path]
        for line in lines.prefix(2) {
            let words = line.split(separator: " ").map(String.init)
            XCTAssertEqual(words[0], "camtl")
            // One epoch shows that it runs; what is learnt in six is in the README's own words.
            try camtl(
                words.dropFirst() + (words[1] == "predict" ? [] : logs + ["--num_train_epochs", "1"]), within: 300)
        }
        XCTAssertEqual(try objects(folder.appendingPathComponent("output/answers.jsonl")).count, 3)
    }
}
