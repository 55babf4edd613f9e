import Foundation
import TestSupport
import XCTest

/// Own tasks of types that are not of a sequence become other classes of transformers, and are read back from these.
final class OtherClassesTests: CommandTestCase {
    private struct Row: Codable {
        var words: [String]?
        var tags: [String]?
        var question: String?
        var context: String?
        var text: String?
        var choices: [String]?
    }

    private struct Job: Encodable {
        var folder: String
        var `class`: String
        var rows: [Row]
        /// Where transformers saves what it has loaded.
        var saved: String
    }

    /// What transformers computes.
    private struct Computed: Decodable {
        var logits: [[Double]]
        var tags: [String]?
        var answer: String?
        var pipeline: [String]?
    }

    private struct Predicted: Decodable {
        struct Part: Decodable { var text: String }
        var tags: [String]?
        var choice: Int?
        var answer: Part?
        var logits: [Double]?
    }

    private let classes = [
        "names": "BertForTokenClassification", "answers": "BertForQuestionAnswering", "endings": "BertForMultipleChoice",
    ]
    private let types = [
        "names": "type: tagging, train: names.jsonl, dev: names.jsonl, text: words, label: tags",
        "answers": "type: span, train: answers.jsonl, dev: answers.jsonl",
        "endings": "type: choice, train: endings.jsonl, dev: endings.jsonl, text: text, choices: [first, second, third], "
            + "label: label",
    ]
    private var exported: URL { folder.appendingPathComponent("exported") }

    private func taskFile(_ names: [String]) -> URL { folder.appendingPathComponent(names.joined(separator: " ") + ".yaml") }

    private func writeTasks(_ names: [String]) throws {
        let lines = try names.map { "  - {name: \($0), \(try XCTUnwrap(types[$0]))}\n" }
        try TinyGLUE.write("tasks:\n" + lines.joined(), to: taskFile(names))
    }

    private let rows: [String: [Row]] = {
        var random = SeededRandom(seed: 5)
        func words(_ counts: ClosedRange<Int>) -> [String] {
            (0..<Int.random(in: counts, using: &random)).map { _ in
                TinyEncoder.words.randomElement(using: &random).map { Bool.random(using: &random) ? $0 : $0 + "na" } ?? ""
            }
        }
        return [
            "names": (0..<8).map { _ in Row(words: words(2...8)) },
            "answers": (0..<8).map { _ in
                Row(question: words(1...3).joined(separator: " "), context: words(3...7).joined(separator: " "))
            },
            "endings": (0..<8).map { _ in
                Row(text: words(1...5).joined(separator: " "), choices: (0..<3).map { _ in words(1...3).joined(separator: " ") })
            },
        ]
    }()

    /// Trains the three tasks on the rows, with labels that their texts tell.
    private func train() throws {
        try TinyEncoder().write(to: encoder)
        for (name, rows) in rows {
            let lines: [[String: Any]] = rows.map { row in
                switch name {
                case "names":
                    let words = row.words ?? []
                    return ["words": words, "tags": words.map { $0 < "l" ? "B-per" : $0.hasPrefix("z") ? "B-loc" : "O" }]
                case "answers":
                    let (question, context) = (row.question ?? "", row.context ?? "")
                    let first = String(context.split(separator: " ")[1])
                    return [
                        "question": question, "context": context,
                        "answers": ["text": [first], "answer_start": [context.split(separator: " ")[0].count + 1]],
                    ] as [String: Any]
                default:
                    let choices = row.choices ?? []
                    return ["text": row.text ?? "", "first": choices[0], "second": choices[1], "third": choices[2], "label": 1]
                }
            }
            let data = try lines.map { try JSONSerialization.data(withJSONObject: $0) + Data("\n".utf8) }
            try Data(data.joined()).write(to: folder.appendingPathComponent("\(name).jsonl"))
        }
        let names = classes.keys.sorted()
        try writeTasks(names)
        for name in names { try writeTasks([name]) }
        try camtl(
            arguments(
                tasks: [taskFile(names).path], "--encoder_type", "bert", "--do_train", "--do_eval", "--max_steps", "60",
                "--max_seq_length", "32", "--save_steps", "0"))
    }

    /// What camtl predicts of a task's rows.
    private func predicted(_ model: URL, _ name: String, _ more: String...) throws -> [Predicted] {
        let lines = try (rows[name] ?? []).map { row in
            var fields: [String: Any] = ["task": name]
            fields["words"] = row.words
            (fields["question"], fields["context"], fields["text"]) = (row.question, row.context, row.text)
            for (field, choice) in zip(["first", "second", "third"], row.choices ?? []) { fields[field] = choice }
            return String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self) + "\n"
        }
        let (input, output) = (folder.appendingPathComponent("in.jsonl"), folder.appendingPathComponent("out.jsonl"))
        try Data(lines.joined().utf8).write(to: input)
        try camtl(
            ["predict", "--model_name_or_path", model.path, "--input", input.path, "--output", output.path] + more)
        return try Data(contentsOf: output).split(separator: 0x0A).map {
            try JSONDecoder().decode(Predicted.self, from: $0)
        }
    }

    func testTransformersPredictsAsCamtlDoesAndCamtlFromWhatItSaves() throws {
        try train()
        let names = classes.keys.sorted()
        try camtl(["convert", "--model_name_or_path", output.path, "--output_dir", exported.path])
        let jobs = names.map {
            Job(
                folder: exported.appendingPathComponent($0).path, class: classes[$0] ?? "",
                rows: rows[$0] ?? [], saved: folder.appendingPathComponent("saved \($0)").path)
        }
        let file = folder.appendingPathComponent("jobs.json")
        try JSONEncoder().encode(jobs).write(to: file)
        let results = try JSONDecoder().decode(
            [[Computed]].self, from: Data(PeerPython.run(file: "decoder_models.py", [file.path]).utf8))
        for (name, theirs) in zip(names, results) {
            let ours = try predicted(output, name)
            let tasks = ["--tasks", taskFile([name]).path]
            let back = try predicted(folder.appendingPathComponent("saved \(name)"), name, tasks[0], tasks[1])
            for predictions in [ours, back] {
                XCTAssertEqual(predictions.map(\.tags), theirs.map(\.tags))
                XCTAssertEqual(predictions.map { $0.answer?.text }, theirs.map(\.answer))
                if name == "endings" {
                    assertClose(predictions.map { $0.logits ?? [] }, theirs.map { $0.logits.map { $0[0] } }, name)
                    XCTAssertEqual(
                        predictions.map(\.choice),
                        theirs.map { row in row.logits.indices.max { row.logits[$0][0] < row.logits[$1][0] } })
                }
            }
            // The pipeline says a tag of each piece.
            if name == "names" {
                for row in theirs { XCTAssertEqual(row.pipeline?.count, row.logits.count - 2) }
                XCTAssertGreaterThan(Set(ours.flatMap { $0.tags ?? [] }).count, 1, "tags that are all the same show little")
            }
            // The figures are the trained model's, too.
            let evaluated = folder.appendingPathComponent("evaluated \(name)")
            try camtl(
                [
                    "--model_name_or_path", jobs[names.firstIndex(of: name) ?? 0].folder, "--cache_dir", cache.path, "--output_dir", evaluated.path,
                    "--threads", "1", "--max_seq_length", "32", "--do_eval",
                ] + tasks)
            let (before, after) = (
                try figures(output.appendingPathComponent("eval_results.json")),
                try figures(evaluated.appendingPathComponent("eval_results.json"))
            )
            let loss = "eval_\(name)_loss"
            XCTAssertGreaterThan(
                Set(theirs.map { $0.answer ?? "\($0.logits[0])" }).count, 2, "rows that are all the same show little")
            XCTAssertEqual(try XCTUnwrap(after[loss]), try XCTUnwrap(before[loss]), accuracy: 1e-6)
        }
        let converted = folder.appendingPathComponent("converted")
        let task = ["--tasks", taskFile(["names"]).path]
        try camtl(["convert", "--model_name_or_path", exported.path + "/names", "--output_dir", converted.path] + task)
        XCTAssertNil(try json(converted.appendingPathComponent("config.json"))["id2label"])
        XCTAssertEqual(try predicted(converted, "names").map(\.tags), try predicted(output, "names").map(\.tags))
        try assertRefuses(
            [
                "convert", "--model_name_or_path", exported.path + "/names", "--output_dir", folder.path + "/other",
                "--tasks", taskFile(["endings"]).path,
            ], "\(exported.path)/names: this is a BertForTokenClassification, and endings is a choice among a row's texts")
    }
}
