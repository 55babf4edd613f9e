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

    private static let heads: [(name: String, labels: [String])] = ["rte", "sts-b", "mnli", "cola"].map {
        ($0, TinyGLUE.task($0).labels)
    }

    /// A trained model's folder, made here: without training, predictions differ from row to row all the same.
    private func writeModel() throws {
        var model = TinyEncoder()
        model.addDecoders(PredictTests.heads)
        try model.write(to: output)
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

    /// Work that grows with the square of a row's length would take 16 times as long for one that is four times so.
    func testTimeGrowsWithARowsLength() throws {
        try writeModel()
        func seconds(_ count: Int) throws -> Double {
            let text = String(repeating: "ba benaé\\u00e9, ", count: count)
            let start = ContinuousClock.now
            XCTAssertEqual(
                try predict(["{\"task\": \"cola\", \"sentence\": \"\(text)\"}"]).split(separator: 0x0A).count, 1)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let start = try seconds(1)
        let (short, long) = (try seconds(20_000), try seconds(80_000))
        XCTAssertLessThan(long - start, (short - start) * 8 + 1)
    }

    private func predictions(_ file: Data) throws -> [Prediction] {
        try file.split(separator: 0x0A).map { try JSONDecoder().decode(Prediction.self, from: $0) }
    }

    func testPredictionsOfTheDevSetsHaveTheFiguresOfTheEvaluationToTheLastBit() throws {
        try TinyEncoder().write(to: encoder)
        let tasks = PredictTests.heads.map(\.name)
        try TinyGLUE.write(tasks, to: data)
        // Enough for the predictions of each task to be of several classes.
        try camtl(
            arguments(
                tasks: tasks, "--encoder_type", "ca-mtl-base", "--do_train", "--do_eval", "--num_train_epochs", "15",
                "--learning_rate", "4e-3", "--dropout", "0", "--per_device_eval_batch_size", "4"))
        let results = try figures(output.appendingPathComponent("eval_results.json"))
        for task in tasks.map(TinyGLUE.task) {
            for set in task.devSets {
                let rows = task.rows(of: set.path)
                let found = try predictions(predict(rows.map { try json($0, task: task.task) }, name: set.name))
                XCTAssertEqual(found.count, rows.count)
                if !task.labels.isEmpty { try assertSeveralClasses(found, rows, results["eval_\(set.name)_acc"]) }
                let losses = try zip(found, rows).map { try loss($0, $1, of: task) }
                XCTAssertEqual(results["eval_\(set.name)_loss"], mean(losses, batchSize: 4), set.name)
            }
        }
    }

    /// - Parameter accuracy: the evaluation's, where it has one.
    private func assertSeveralClasses(
        _ found: [Prediction], _ rows: [TinyGLUE.Row], _ accuracy: Double?
    ) throws {
        XCTAssertGreaterThan(Set(found.map(\.label)).count, 1, "predictions all of one class show little")
        let right = zip(found, rows).filter { $0.label == $1.label }.count
        if let accuracy { XCTAssertEqual(accuracy, Double(right) / Double(rows.count)) }
    }

    private func loss(_ prediction: Prediction, _ row: TinyGLUE.Row, of task: TinyGLUE) throws -> Double {
        if task.labels.isEmpty {
            XCTAssertEqual([prediction.value], prediction.logits)
            return pow(Double(try XCTUnwrap(prediction.value)) - (try XCTUnwrap(Double(row.label))), 2)
        }
        let index = try XCTUnwrap(task.labels.firstIndex(of: row.label))
        return -log(try XCTUnwrap(prediction.probabilities)[index])
    }

    /// The mean over batches of the batches' mean losses.
    private func mean(_ losses: [Double], batchSize: Int) -> Double {
        let means = stride(from: 0, to: losses.count, by: batchSize).map { start in
            let batch = losses[start..<min(start + batchSize, losses.count)]
            return batch.reduce(0, +) / Double(batch.count)
        }
        return means.reduce(0, +) / Double(means.count)
    }

    func testRowsOfSeveralTasksKeepTheirOrder() throws {
        try writeModel()
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

    /// They are served by MNLI's decoder and keep their names all the same.
    func testRowsOfFurtherSetsKeepTheirSetsName() throws {
        try writeModel()
        let row = TinyGLUE.task("mnli").rows(of: "MNLI/dev_matched.tsv")[0]
        let sets = ["mnli", "mnli-mm", "ax"]
        let found = try predictions(predict(sets.map { try json(row, task: $0) }))
        XCTAssertEqual(found.map(\.task), sets)
        for other in found {
            // A place in a batch can change the order of a sum.
            for (one, logit) in zip(found[0].logits, other.logits) { XCTAssertEqual(one, logit, accuracy: 1e-5) }
        }
    }

    func testPredictionIsConsistentWithItself() throws {
        try writeModel()
        let rows = TinyGLUE.task("mnli").rows(of: "MNLI/dev_matched.tsv")
        let labels = TinyGLUE.task("mnli").labels
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
        try writeModel()
        let rows = TinyGLUE.task("rte").rows(of: "RTE/dev.tsv")
        let texts = rows.map { "\($0.first)\t\($0.second ?? "")\n" }.joined()
        let lines = try camtl(["tokenize", "--model_name_or_path", output.path, "--max_seq_length", "16"], input: texts)
            .lines
        let tokenised = try lines.map { line in
            var row = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            row["task"] = "rte"
            return String(decoding: try JSONSerialization.data(withJSONObject: row), as: UTF8.self)
        }
        XCTAssertEqual(
            try predict(tokenised, name: "tokenised"), try predict(rows.map { try json($0, task: "rte") }))
    }
}
