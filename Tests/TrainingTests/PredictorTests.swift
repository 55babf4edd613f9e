import CAMTL
import Files
import Foundation
import Tasks
import Training
import XCTest

final class PredictorTests: ToyTestCase {
    private struct Line: Decodable {
        let task: String
        let label: String?
        let value: Float?
        let probabilities: [Double]?
        let logits: [Float]
        let entropy: Double?
    }

    /// A row of a dev set as a line of the input, and the logits that evaluation computes for it.
    private struct Row {
        let task: String
        let json: String
        let logits: [Float]
    }

    /// Rows as texts, and every third one as ids.
    private func rows(_ trained: TrainedModel, _ task: TaskData) throws -> [Row] {
        let name = task.definition.name
        let examples = try task.definition.examples(in: task.definition.dev[0], dataDirectory: dataDirectory).examples
        let encodings = examples.map { trained.tokenizer.encode($0.first, pair: $0.second, maxLength: 16) }
        let logits = try Evaluator(model: trained.model, batchSize: 8).logits(
            task: task.id, sizes: encodings.map { Evaluator.Size(tokens: $0.inputIDs.count, rows: 1) }
        ) { $1.append(inputIDs: encodings[$0].inputIDs, tokenTypeIDs: encodings[$0].tokenTypeIDs, taskID: task.id) }
        return examples.indices.map { index in
            let (encoding, first) = (encodings[index], examples[index].first)
            let content =
                if index.isMultiple(of: 3) {
                    "\"input_ids\": \(encoding.inputIDs), \"token_type_ids\": \(encoding.tokenTypeIDs)"
                } else if let second = examples[index].second {
                    "\"sentence1\": \"\(first)\", \"sentence2\": \"\(second)\""
                } else {
                    "\"sentence\": \"\(first)\""
                }
            return Row(
                task: name, json: "{\"task\": \"\(name)\", \(content)}",
                logits: Array(logits[index]))
        }
    }

    private func predict(_ trained: TrainedModel, _ lines: [String]) throws -> [Line] {
        let input = directory.appendingPathComponent("in.jsonl")
        let output = directory.appendingPathComponent("out.jsonl")
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: input)
        let count = try Predictor(trained, batchSize: 8).predict(input, to: output)
        XCTAssertEqual(count, lines.count)
        return try Data(contentsOf: output).split(separator: 0x0A)
            .map { try JSONDecoder().decode(Line.self, from: $0) }
    }

    /// Of several tasks in one file, in its order, and to the bit.
    func testPredictsWhatEvaluationComputes() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        for name in ["cola", "sts-b"] { try writeData(name, train: 1) }
        let trained = try loadModel()
        let sets = try loadData(trained).map { try self.rows(trained, $0) }
        let rows = zip(sets[0], sets[1]).flatMap { [$0, $1] }
        let lines = try predict(trained, rows.map(\.json))
        XCTAssertEqual(lines.map(\.task), rows.map(\.task))
        XCTAssertEqual(lines.map(\.logits), rows.map(\.logits))
        XCTAssertEqual(Set(lines.compactMap(\.value)).count, 20)
        for line in lines {
            XCTAssertEqual(line.value, line.task == "sts-b" ? line.logits[0] : nil)
            guard line.task == "cola" else {
                XCTAssertTrue(line.label == nil && line.probabilities == nil && line.entropy == nil)
                continue
            }
            XCTAssertEqual(line.label, line.logits[1] > line.logits[0] ? "1" : "0")
            XCTAssertEqual(line.probabilities, probabilities(line.logits))
            XCTAssertEqual(line.entropy, normalizedEntropy(line.logits))
        }
    }

    func testBadRowIsNamedByItsLineAndNothingIsWritten() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        let trained = try loadModel()
        let good = "{\"task\": \"cola\", \"sentence\": \"bak deno\"}"
        let bad = [
            ("{\"task\": \"cola\"", "the JSON object doesn't end on this line"), ("{\"task\": \"cola\"}", "the row has neither"),
            ("{\"task\": \"rte\", \"sentence\": \"bak\"}", "the model has no task \"rte\""),
            (
                "{\"task\": \"cola\", \"input_ids\": [2, 60, 3]}",
                "the input id 60 is outside of the vocabulary, 0 to 59"
            ),
            ("{\"task\": \"cola\", \"input_ids\": [2, -1, 3]}", "the input id -1 is outside"),
            ("{\"task\": \"cola\", \"input_ids\": []}", "there are 0 input_ids; the model takes 1 to 16"),
            (
                "{\"task\": \"cola\", \"input_ids\": \(Array(repeating: 6, count: 17))}",
                "there are 17 input_ids; the model takes 1 to 16"
            ),
            (
                "{\"task\": \"cola\", \"input_ids\": [2, 3], \"token_type_ids\": [0]}",
                "there are 2 input_ids and 1 token_type_ids"
            ),
            (
                "{\"task\": \"cola\", \"input_ids\": [2, 3], \"token_type_ids\": [0, 2]}",
                "the token type id 2 is outside of 0 to 1"
            ),
        ]
        for (line, reason) in bad {
            XCTAssertThrowsError(try predict(trained, [good, "", line])) { error in
                let path = directory.appendingPathComponent("in.jsonl").path
                XCTAssertTrue("\(error)".hasPrefix("\(path):3: \(reason)"), "\(error)")
            }
            XCTAssertFalse(FileManager.default.fileExists(atPath: directory.appendingPathComponent("out.jsonl").path))
        }
    }

    /// The input isn't even looked for, let alone predicted.
    func testOutputThatCannotBeWrittenIsFoundFirst() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        let trained = try loadModel()
        let nowhere = directory.appendingPathComponent("none/out.jsonl")
        XCTAssertThrowsError(
            try Predictor(trained).predict(directory.appendingPathComponent("no input"), to: nowhere)
        ) { XCTAssertEqual(($0 as? FileWriteError)?.path, nowhere.path) }
    }

    func testTestSetsOfAModelWithoutFiniteLogitsAreRefused() throws {
        let kind = try GLUE.task(named: "rte").kind
        XCTAssertThrowsError(
            try TestPredictions(set: "rte", kind: kind, count: 3, logits: [0, 1, 2, .nan, 4, 5])
        ) { error in
            guard case PredictionError.notFinite(set: "rte", row: 1) = error else { return XCTFail("\(error)") }
        }
    }

    func testScoresHaveThreeDecimalsAndAreClipped() throws {
        let logits: [Float] = [-0.2, -0.0, 0.0004, 0.0006, 3.14159, 4.99951, 5.0, 7.5, -1e-9]
        let found = try TestPredictions(
            set: "sts-b", kind: GLUE.task(named: "sts-b").kind, count: logits.count, logits: logits)
        XCTAssertEqual(
            logits.indices.map(found.text(ofRow:)),
            ["0.000", "0.000", "0.000", "0.001", "3.142", "5.000", "5.000", "5.000", "0.000"])
    }

    func testLabelsAreNamedInTheOrderOfTheModelsOwn() throws {
        let labels = ["entailment", "neutral", "contradiction"]
        let kind = try GLUE.task(for: try TaskHead(name: "mnli", kind: Classification(labels: labels))).kind
        let found = try TestPredictions(set: "ax", kind: kind, count: 3, logits: [1, 2, 3, 3, 2, 1, 2, 3, 1])
        XCTAssertEqual((0..<3).map(found.text(ofRow:)), ["contradiction", "entailment", "neutral"])
    }

    func testASubmissionIsCompleteWithEveryRowOfEveryOfficialSet() throws {
        let predictions = try GLUE.submissionFiles.map { file in
            let task = try GLUE.task(named: file.task)
            return try TestPredictions(
                set: file.set, kind: task.kind, count: file.rows,
                logits: Array(repeating: 0, count: file.rows * task.kind.width))
        }
        let whole = Submission(predictions)
        XCTAssertEqual(whole.gaps, [])
        XCTAssertEqual(whole.members.map(\.predictions), predictions)
        let ax = try XCTUnwrap(GLUE.submissionFiles.last)
        XCTAssertEqual(Submission(predictions.dropLast()).gaps, [.missing(ax, .notChosen(task: "mnli"))])
        var short = predictions
        short[10] = try TestPredictions(set: "ax", kind: short[10].kind, count: 1, logits: [0, 0, 0])
        XCTAssertEqual(
            Submission(short).gaps.map(\.description), ["AX.tsv has 1 row, and the official test set has 1104"])
    }
}
