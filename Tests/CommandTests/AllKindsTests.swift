import Foundation
import XCTest

/// Tasks of all types in one run: from files to predictions.
final class AllKindsTests: CommandTestCase {
    private var tasks: URL { folder.appendingPathComponent("tasks.yaml") }

    private func write(_ rows: [String], to name: String) throws {
        try TinyGLUE.write(rows.map { $0 + "\n" }.joined(), to: folder.appendingPathComponent(name))
    }

    /// Six tasks, of the words of the tiny encoder's vocabulary.
    private func writeTasks() throws {
        try TinyEncoder(layerCount: 2).write(to: encoder)
        let rows = Array(0..<24)
        let long = (0..<12).map { ["ba", "be", "bi"][$0 % 3] }
        try write(rows.map { #"{"text": "ba \#($0 % 2 == 0 ? "be" : "bo")", "label": "\#($0 % 2)"}"# }, to: "classes.jsonl")
        try write(rows.map { #"{"text": "bu \#($0 % 3 == 0 ? "be" : "bo")", "label": [\#($0 % 3 == 0 ? "\"x\"" : "")]}"# }, to: "several.jsonl")
        try write(rows.map { #"{"text": "bi \#($0 % 4 == 0 ? "be" : "bo")", "label": \#(Double($0 % 4) / 2)}"# }, to: "scores.jsonl")
        // Some rows are more than a sequence takes.
        try write(
            rows.map { row in
                let words = row % 3 == 0 ? long + long : ["ba", "be", "ga"]
                return words.map { "\($0)\t\($0 == "be" ? "B-x" : "O")\n" }.joined()
            }, to: "tags.conll")
        try write(
            rows.map { row in
                let context = (row % 4 == 0 ? long : []) + ["ga", "go", "ge"]
                let start = context.dropLast(2).joined(separator: " ").count + 1
                let answers = row % 5 == 0 ? #"{"text": [], "answer_start": []}"# : #"{"text": ["go ge"], "answer_start": [\#(start)]}"#
                return #"{"question": "bo", "context": "\#(context.joined(separator: " "))", "answers": \#(answers)}"#
            }, to: "answers.jsonl")
        try write(
            rows.map { row in
                let more = row % 2 == 0 ? #", "za zo""# : ""
                return #"{"text": "ba", "choices": ["be", "bo bu"\#(more)], "label": \#(row % 2)}"#
            }, to: "choices.jsonl")
        try write(
            [
                "tasks:",
                "  - {name: classes, type: classification, train: classes.jsonl, dev: 25%, test: classes.jsonl, text: text, label: label}",
                "  - {name: several, type: multilabel, train: several.jsonl, dev: 25%, text: text, label: label}",
                "  - {name: scores, type: regression, train: scores.jsonl, dev: 25%, text: text, label: label}",
                "  - {name: tags, type: tagging, train: tags.conll, dev: tags.conll, test: tags.conll, text: 0, label: 1}",
                "  - {name: answers, type: span, no_answer: true, train: answers.jsonl, dev: answers.jsonl, test: answers.jsonl}",
                "  - {name: choices, type: choice, train: choices.jsonl, dev: 25%, test: choices.jsonl, text: text,",
                "     choices: choices, label: label}",
            ], to: "tasks.yaml")
    }

    private func run(_ output: URL, _ flags: String...) -> [String] {
        [
            "--model_name_or_path", encoder.path, "--tasks", tasks.path, "--output_dir", output.path, "--cache_dir",
            cache.path, "--max_seq_length", "16", "--threads", "1", "--logging_dir",
            folder.appendingPathComponent("logs").path, "--encoder_type", "ca-mtl-base",
            "--per_device_train_batch_size", "12", "--learning_rate", "2e-3", "--do_train",
        ] + flags
    }

    func testAllTypesAreTrainedTogetherEvaluatedPredictedAndGoOnToTheSameBytes() throws {
        try writeTasks()
        try camtl(run(output, "--max_steps", "12", "--do_eval", "--do_predict"))
        let figures = try json(output.appendingPathComponent("eval_results.json"))
        let keys = ["classes_acc", "several_micro_f1", "scores_pearson", "tags_entity_f1", "answers_exact_match", "choices_acc"]
        for key in keys { XCTAssertNotNil(figures["eval_\(key)"], "\(key): \(figures.keys.sorted())") }
        for name in ["classes", "several", "scores", "tags", "answers", "choices"] {
            XCTAssertTrue(try XCTUnwrap(figures["eval_\(name)_loss"] as? Double, name).isFinite)
        }
        XCTAssertEqual(figures["eval_tags_samples"] as? Int, 24)
        XCTAssertEqual(figures["eval_answers_samples"] as? Int, 24)
        func lines(_ name: String) throws -> [String] {
            try String(contentsOf: output.appendingPathComponent("predictions/\(name).tsv"), encoding: .utf8)
                .split(separator: "\n").map(String.init)
        }
        for name in ["classes", "tags", "answers", "choices"] { XCTAssertEqual(try lines(name).count, 25, name) }
        // A tag for each of the 24 words of a row of several windows.
        XCTAssertEqual(try lines("tags")[1].split(separator: "\t").last?.split(separator: " ").count, 24)
        try assertAnswersRows()
        try assertStoppedRunEndsTheSame()
    }

    /// A row of each type, and of words in both ways.
    private func assertAnswersRows() throws {
        try write(
            [
                #"{"task": "classes", "text": "ba be"}"#, #"{"task": "several", "text": "bu be"}"#,
                #"{"task": "scores", "text": "bi be"}"#,
                #"{"task": "tags", "words": ["ba", "be", "ga", ""]}"#, #"{"task": "tags", "text": "ba be  ga"}"#,
                #"{"task": "answers", "question": "bo", "context": "ba be bi ba be bi ga go ge ba be bi ba be bi ba be"}"#,
                #"{"task": "choices", "text": "ba", "choices": ["be", "bo bu", "za", "zo"]}"#,
            ], to: "rows.jsonl")
        let answers = folder.appendingPathComponent("answers.out.jsonl")
        let predict = [
            "predict", "--model_name_or_path", output.path, "--input", folder.appendingPathComponent("rows.jsonl").path,
            "--output", answers.path,
        ]
        try camtl(predict)
        let found = try Data(contentsOf: answers).split(separator: 0x0A).map {
            try XCTUnwrap(try JSONSerialization.jsonObject(with: $0) as? [String: Any])
        }
        XCTAssertEqual(found.count, 7)
        XCTAssertTrue(["0", "1"].contains(found[0]["label"] as? String))
        XCTAssertNotNil(found[1]["labels"] as? [String])
        XCTAssertNotNil(found[2]["value"] as? Double)
        XCTAssertEqual(found[3]["words"] as? [String], ["ba", "be", "ga", ""])
        XCTAssertEqual((found[3]["tags"] as? [String])?.count, 4)
        XCTAssertEqual(found[4]["words"] as? [String], ["ba", "be", "ga"])
        XCTAssertEqual((found[4]["tags"] as? [String])?.count, 3)
        let span = try XCTUnwrap(found[5]["answer"] as? [String: Any])
        let text = try XCTUnwrap(span["text"] as? String)
        if let start = span["start"] as? Int, let end = span["end"] as? Int {
            let context = Array("ba be bi ba be bi ga go ge ba be bi ba be bi ba be")
            XCTAssertEqual(String(context[start..<end]), text)
        } else {
            XCTAssertEqual(text, "")
        }
        let choice = try XCTUnwrap(found[6]["choice"] as? Int)
        XCTAssertEqual(found[6]["label"] as? String, ["be", "bo bu", "za", "zo"][choice])
        XCTAssertEqual((found[6]["probabilities"] as? [Double])?.count, 4)

        try write([#"{"task": "choices", "text": "ba", "choices": ["be"]}"#], to: "rows.jsonl")
        let refused = try outcome(of: predict)
        XCTAssertEqual(refused.status, 1)
        XCTAssertTrue(refused.messages.contains("rows.jsonl:1: the row has 1 choices"), refused.messages)
    }

    /// A run under uncertainty sampling, and the same, stopped by a signal.
    private func assertStoppedRunEndsTheSame() throws {
        let (whole, other) = (folder.appendingPathComponent("whole"), folder.appendingPathComponent("stopped"))
        let flags = ["--sampling", "uncertainty", "--max_steps", "40", "--logging_steps", "1"]
        try camtl(run(whole) + flags)
        let run = try start(self.run(other) + flags)
        try run.wait(for: "step 4/40")
        run.send(SIGTERM)
        let stopped = try run.finish()
        XCTAssertEqual(stopped.status, 143, stopped.messages)
        let rest = try camtl(self.run(other, "--resume_from_checkpoint") + flags)
        XCTAssertTrue(rest.messages.contains("going on after step "), rest.messages)
        for name in ["model.safetensors", "config.json"] {
            XCTAssertEqual(
                try Data(contentsOf: other.appendingPathComponent(name)),
                try Data(contentsOf: whole.appendingPathComponent(name)), name)
        }
    }
}
