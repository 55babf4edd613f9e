import Foundation
import TestSupport
import XCTest

/// What transformers says of a classifier's folder and of texts.
struct ClassifierOutput: Decodable {
    let logits: [[Double]]
    let labels: [String]
    let problem: String?
    let dtype: String
    let length: Double
}

/// A text, or two.
typealias Texts = (first: String, second: String?)

extension CommandTestCase {
    /// Has transformers load folders and classify texts with each.
    func transformers(_ jobs: [(model: URL, texts: [Texts])]) throws -> [ClassifierOutput] {
        struct Job: Encodable {
            let folder: String
            let texts: [[String?]]
        }
        let file = folder.appendingPathComponent("jobs.json")
        defer { try? FileManager.default.removeItem(at: file) }
        try JSONEncoder().encode(jobs.map { Job(folder: $0.model.path, texts: $0.texts.map { [$0.first, $0.second] }) })
            .write(to: file)
        let output = try PeerPython.run(file: "classifier_logits.py", [file.path])
        return try JSONDecoder().decode([ClassifierOutput].self, from: Data(output.utf8))
    }

    /// What `camtl predict` says of a task's texts.
    func predictions(_ model: URL, task: String, _ texts: [Texts], _ more: String...) throws -> [RowPrediction] {
        let rows = try texts.map { text in
            let fields = ["task": task, "sentence1": text.first, "sentence2": text.second].compactMapValues { $0 }
            return String(decoding: try JSONEncoder().encode(fields), as: UTF8.self) + "\n"
        }
        return try predictions(model, rows: rows.joined(), more)
    }

    /// What `camtl predict` says of rows.
    func predictions(_ model: URL, rows: String, _ more: [String] = []) throws -> [RowPrediction] {
        let (input, output) = (folder.appendingPathComponent("in.jsonl"), folder.appendingPathComponent("out.jsonl"))
        try Data(rows.utf8).write(to: input)
        try camtl(
            ["predict", "--model_name_or_path", model.path, "--input", input.path, "--output", output.path] + more)
        return try Data(contentsOf: output).split(separator: 0x0A).map {
            try JSONDecoder().decode(RowPrediction.self, from: $0)
        }
    }

    /// Two programs compute a float32 model's logits in other orders.
    func assertClose(
        _ ours: [[Double]], _ theirs: [[Double]], within limit: Double = 1e-5, _ what: String,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(ours.map(\.count), theirs.map(\.count), what, file: file, line: line)
        let distance = zip(ours.joined(), theirs.joined()).map { abs($0 - $1) }.max() ?? .infinity
        XCTAssertLessThan(distance, limit, what, file: file, line: line)
    }
}

struct RowPrediction: Decodable {
    let label: String?
    let logits: [Double]
}

extension TinyGLUE {
    /// The texts of a dev set's rows.
    func texts(of path: String) -> [Texts] { rows(of: path).map { ($0.first, $0.second) } }
}
