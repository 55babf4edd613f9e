import Foundation
import XCTest

/// `camtl predict` says of each row what evaluation says of it.
final class PredictTests: CommandTestCase {
    private struct Prediction: Decodable, Equatable {
        var task: String
        var label: String?
        var value: Float?
        var probabilities: [Double]?
        var logits: [Float]
        var entropy: Double?
    }

    /// Trains a model of four tasks, enough for its predictions to differ from row to row.
    private func train() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b", "mnli", "cola"], to: data)
        try camtl(
            arguments(
                tasks: ["rte", "sts-b", "mnli", "cola"], "--encoder_type", "ca-mtl-base", "--do_train", "--do_eval",
                "--num_train_epochs", "6", "--dropout", "0", "--per_device_eval_batch_size", "4"))
    }

    private func json(_ row: TinyGLUE.Row, task: String) throws -> String {
        let fields = row.second.map { ["task": task, "sentence1": row.first, "sentence2": $0] }
            ?? ["task": task, "sentence": row.first]
        return String(decoding: try JSONEncoder().encode(fields), as: UTF8.self)
    }

    /// The file that `camtl predict` makes of rows.
    private func predict(_ rows: [String], name: String = "rows", batchSize: Int = 4) throws -> Data {
        let input = folder.appendingPathComponent("\(name).jsonl")
        let output = folder.appendingPathComponent("\(name) predicted.jsonl")
        try TinyGLUE.write(rows.map { $0 + "\n" }.joined(), to: input)
        try camtl(
            [
                "predict", "--model_name_or_path", self.output.path, "--input", input.path, "--output", output.path,
                "--per_device_eval_batch_size", "\(batchSize)",
            ])
        return try Data(contentsOf: output)
    }

    private func predictions(_ file: Data) throws -> [Prediction] {
        try file.split(separator: 0x0A).map { try JSONDecoder().decode(Prediction.self, from: $0) }
    }

    /// The mean over batches of the batches' mean losses.
    private func loss(_ losses: [Double], batchSize: Int) -> Double {
        let means = stride(from: 0, to: losses.count, by: batchSize).map { start in
            let batch = losses[start..<min(start + batchSize, losses.count)]
            return batch.reduce(0, +) / Double(batch.count)
        }
        return means.reduce(0, +) / Double(means.count)
    }

    func testPredictionsOfTheDevSetsHaveTheFiguresOfTheEvaluationToTheLastBit() throws {
        try train()
        let results = try json(output.appendingPathComponent("eval_results.json"))
        for task in ["rte", "mnli", "cola"].map(TinyGLUE.task) {
            for set in task.devSets {
                let rows = task.rows(of: set.path)
                let found = try predictions(predict(rows.map { try json($0, task: task.task) }, name: set.name))
                XCTAssertEqual(found.count, rows.count)
                XCTAssertGreaterThan(Set(found.map(\.label)).count, 1, "\(set.name): all of one class shows little")
                let right = zip(found, rows).filter { $0.label == $1.label }.count
                if task.task != "cola" {
                    XCTAssertEqual(
                        results["eval_\(set.name)_acc"] as? Double, Double(right) / Double(rows.count), set.name)
                }
                let losses = try zip(found, rows).map { prediction, row in
                    let index = try XCTUnwrap(task.labels.firstIndex(of: row.label))
                    return -log(try XCTUnwrap(prediction.probabilities)[index])
                }
                XCTAssertEqual(results["eval_\(set.name)_loss"] as? Double, loss(losses, batchSize: 4), set.name)
            }
        }
    }

    func testPredictedValuesHaveTheLossOfTheEvaluationToTheLastBit() throws {
        try train()
        let task = TinyGLUE.task("sts-b")
        let rows = task.rows(of: task.devSets[0].path)
        let found = try predictions(predict(rows.map { try json($0, task: "sts-b") }))
        XCTAssertEqual(found.map { $0.value }, found.map { $0.logits.first })
        let losses = try zip(found, rows).map { prediction, row in
            let label = try XCTUnwrap(Double(row.label))
            return pow(Double(try XCTUnwrap(prediction.value)) - label, 2)
        }
        let results = try json(output.appendingPathComponent("eval_results.json"))
        XCTAssertEqual(results["eval_sts-b_loss"] as? Double, loss(losses, batchSize: 4))
    }

    func testRowsOfSeveralTasksKeepTheirOrder() throws {
        try train()
        let sets = ["sts-b", "rte", "cola"].map { name in
            TinyGLUE.task(name).rows(of: TinyGLUE.task(name).devSets[0].path).map { (task: name, row: $0) }
        }
        let mixed = (0..<13).flatMap { number in sets.map { $0[number] } }
        let together = try predictions(predict(mixed.map { try json($0.row, task: $0.task) }, name: "mixed"))
        XCTAssertEqual(together.map(\.task), mixed.map(\.task))
        for (number, set) in sets.enumerated() {
            let alone = try predictions(predict(set.map { try json($0.row, task: $0.task) }, name: set[0].task))
            XCTAssertEqual(stride(from: number, to: 39, by: 3).map { together[$0] }, alone, set[0].task)
        }
    }

    func testPredictionIsConsistentWithItself() throws {
        try train()
        let rows = TinyGLUE.task("mnli").rows(of: "MNLI/dev_matched.tsv")
        let entry = try json(output.appendingPathComponent("config.json"))["camtl"] as? [String: Any]
        let heads = try XCTUnwrap(entry?["tasks"] as? [[String: Any]])
        let labels = try XCTUnwrap(heads.first { $0["name"] as? String == "mnli" }?["labels"] as? [String])
        for found in try predictions(predict(rows.map { try json($0, task: "mnli") })) {
            let probabilities = try XCTUnwrap(found.probabilities)
            let scale = found.logits.map { exp(Double($0)) }.reduce(0, +)
            XCTAssertEqual(found.logits.count, 3)
            for (probability, logit) in zip(probabilities, found.logits) {
                // Both sides are rounded in double precision.
                XCTAssertEqual(probability, exp(Double(logit)) / scale, accuracy: 1e-12)
            }
            let highest = probabilities.indices.max { probabilities[$0] < probabilities[$1] }
            XCTAssertEqual(found.label, highest.map { labels[$0] })
            let nats = -probabilities.map { $0 * log($0) }.reduce(0, +)
            // The scale's 1e-5, which keeps it from 0 in the original, is of no account to a reader.
            XCTAssertEqual(try XCTUnwrap(found.entropy), nats / log(3), accuracy: 1e-4)
        }
    }

    func testTokenisedRowsGiveTheOutputOfTheirTexts() throws {
        try train()
        struct Tokens: Codable {
            var task: String?
            var input_ids: [Int]
            var token_type_ids: [Int]
        }
        let rows = TinyGLUE.task("rte").rows(of: "RTE/dev.tsv")
        let texts = rows.map { "\($0.first)\t\($0.second ?? "")\n" }.joined()
        let lines = try camtl(["tokenize", "--model_name_or_path", output.path, "--max_seq_length", "16"], input: texts)
            .lines
        let tokenised = try lines.map { line in
            var tokens = try JSONDecoder().decode(Tokens.self, from: Data(line.utf8))
            tokens.task = "rte"
            return String(decoding: try JSONEncoder().encode(tokens), as: UTF8.self)
        }
        XCTAssertEqual(
            try predict(tokenised, name: "tokenised"), try predict(rows.map { try json($0, task: "rte") }))
    }

    func testTokenizeGivesIDsTypesAndTokensOfTextsAndPairs() throws {
        try TinyEncoder().write(to: encoder)
        let outcome = try camtl(
            ["tokenize", "--model_name_or_path", encoder.path], input: "BA bena, xyz?\nba\tbe bi\n\n[MASK] ba")
        func id(_ token: String) -> Int { TinyEncoder.vocabulary.firstIndex(of: token) ?? -1 }
        let expected: [([String], [Int])] = [
            (["[CLS]", "ba", "be", "##na", ",", "[UNK]", "?", "[SEP]"], [0, 0, 0, 0, 0, 0, 0, 0]),
            (["[CLS]", "ba", "[SEP]", "be", "bi", "[SEP]"], [0, 0, 0, 1, 1, 1]),
            (["[CLS]", "[SEP]"], [0, 0]), (["[CLS]", "[MASK]", "ba", "[SEP]"], [0, 0, 0, 0]),
        ]
        XCTAssertEqual(outcome.lines.count, expected.count)
        for (line, (tokens, types)) in zip(outcome.lines, expected) {
            let found = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            XCTAssertEqual(found?["tokens"] as? [String], tokens)
            XCTAssertEqual(found?["input_ids"] as? [Int], tokens.map(id))
            XCTAssertEqual(found?["token_type_ids"] as? [Int], types)
            XCTAssertEqual(found?.count, 3)
        }
        let short = try camtl(
            ["tokenize", "--model_name_or_path", encoder.path, "--max_seq_length", "6"], input: "ba be bi bo\tbu da\n")
        let object = try JSONSerialization.jsonObject(with: Data(short.text.utf8)) as? [String: Any]
        XCTAssertEqual(object?["tokens"] as? [String], ["[CLS]", "ba", "be", "[SEP]", "bu", "[SEP]"])
    }
}
