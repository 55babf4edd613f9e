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

    /// Tasks with an option each of all that types have.
    private func writeTasksWithOptions(smoothing: String = "0.1", dev: String = "25%") throws {
        try write(
            "tasks:",
            "  - {name: priority, type: classification, train: p.csv, dev: \(dev), text: [subject, body],",
            "     label: priority, class_weights: balanced, label_smoothing: \(smoothing), positive: low,",
            "     metrics: [f1, auroc, ece]}",
            "  - {name: topics, type: multilabel, train: t.jsonl, dev: 25%, text: doc.text, label: tags,",
            "     threshold: best}",
            "  - {name: score, type: regression, train: s.tsv, dev: s.tsv, test: s.tsv, text: text, label: value,",
            "     standardize: true, metrics: [mae, r2]}",
            to: "tasks.yaml")
    }

    func testOptionsAreTrainedWithRecordedAndKeptByWhatGoesOn() throws {
        try writeTasks()
        try writeTasksWithOptions()
        let train = run(
            "--encoder_type", "ca-mtl-base", "--do_train", "--do_eval", "--do_predict", "--max_steps", "4",
            "--save_steps", "2", "--per_device_train_batch_size", "8")
        let first = try camtl(train)
        let warning = "warning: score is evaluated on \(folder.appendingPathComponent("s.tsv").path), which it is trained on"
        XCTAssertEqual(first.messages.components(separatedBy: warning).count, 2, first.messages)
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        let heads = try XCTUnwrap(entry?["tasks"] as? [[String: Any]])
        XCTAssertEqual(heads[0]["class_weights"] as? [String: Double], ["high": 1, "low": 1])
        XCTAssertEqual(heads[0]["label_smoothing"] as? Double, 0.1)
        let thresholds = try XCTUnwrap(heads[1]["threshold"] as? [String: Double])
        XCTAssertEqual(thresholds.keys.sorted(), ["even", "third"])
        // The values are 0, 0.5, 1 and 1.5, each as often.
        let standardization = try XCTUnwrap(heads[2]["standardize"] as? [String: Double])
        XCTAssertEqual(try XCTUnwrap(standardization["mean"]), 0.75, accuracy: 1e-12)
        XCTAssertEqual(try XCTUnwrap(standardization["deviation"]), 0.3125.squareRoot(), accuracy: 1e-12)
        let figures = try json(output.appendingPathComponent("eval_results.json"))
        for key in ["eval_priority_f1", "eval_priority_auroc", "eval_priority_ece", "eval_score_mae"] {
            XCTAssertNotNil(figures[key] as? Double, key)
        }

        // Evaluated again it is the same, and predicted with the model's thresholds and unit.
        let before = try Data(contentsOf: output.appendingPathComponent("eval_results.json"))
        try camtl(run("--do_eval", "--model_name_or_path", output.path))
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("eval_results.json")), before)
        try write(#"{"task": "topics", "doc.text": "ba be"}"#, #"{"task": "score", "text": "ba bu"}"#, to: "rows.jsonl")
        let answers = folder.appendingPathComponent("answers.jsonl")
        try camtl([
            "predict", "--model_name_or_path", output.path, "--input", folder.appendingPathComponent("rows.jsonl").path,
            "--output", answers.path,
        ])
        let found = try objects(answers)
        let probabilities = try XCTUnwrap(found[0]["probabilities"] as? [Double])
        XCTAssertEqual(
            found[0]["labels"] as? [String],
            zip(["even", "third"], probabilities).filter { $1 >= thresholds[$0, default: 2] }.map(\.0))
        let value = try XCTUnwrap(found[1]["value"] as? Double)
        let logit = try XCTUnwrap((found[1]["logits"] as? [Double])?.first)
        XCTAssertEqual(value, logit * 0.3125.squareRoot() + 0.75, accuracy: 1e-6)
        // The first row of the test file is that text.
        let table = try String(contentsOf: output.appendingPathComponent("predictions/score.tsv"), encoding: .utf8)
        let predicted = try XCTUnwrap(table.split(separator: "\n")[1].split(separator: "\t").last)
        XCTAssertEqual(try XCTUnwrap(Double(predicted)), value, accuracy: 1e-6)

        // What is not defined is said.
        try write("subject,body,priority", "ba,be,low", "bu,bo,low", to: "one.csv")
        try writeTasksWithOptions(dev: "one.csv")
        let undefined = try camtl(run("--do_eval", "--model_name_or_path", output.path))
        XCTAssertTrue(
            undefined.messages.contains(
                "warning: priority_auroc is not defined, as a class or label is that of no example, or of all"),
            undefined.messages)
        XCTAssertTrue(
            try json(output.appendingPathComponent("eval_results.json"))["eval_priority_auroc"] is NSNull)

        // It goes on to the same bytes, and not with other options.
        let whole = try Data(contentsOf: output.appendingPathComponent("model.safetensors"))
        let configuration = try Data(contentsOf: output.appendingPathComponent("config.json"))
        try FileManager.default.removeItem(at: output.appendingPathComponent("checkpoint-4"))
        try writeTasksWithOptions(smoothing: "0.2")
        let refused = try outcome(of: train + ["--resume_from_checkpoint"])
        XCTAssertEqual(refused.status, 1)
        XCTAssertTrue(refused.messages.contains("label_smoothing of priority was 0.1 and is 0.2"), refused.messages)
        try writeTasksWithOptions()
        try camtl(train + ["--resume_from_checkpoint"])
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("model.safetensors")), whole)
        XCTAssertEqual(try Data(contentsOf: output.appendingPathComponent("config.json")), configuration)
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
