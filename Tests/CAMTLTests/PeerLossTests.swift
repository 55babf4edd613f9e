import Files
import Foundation
import TestSupport
import Torch
import XCTest

@testable import CAMTL
@testable import Tasks

/// Losses with the options of task files beside PyTorch's.
final class PeerLossTests: ComputingTestCase {
    private func json(_ values: some Sequence<Float>) -> JSONValue { .array(values.map { .number(Double($0)) }) }

    private func rows(_ values: [Float], _ width: Int) -> JSONValue {
        .array(stride(from: 0, to: values.count, by: width).map { json(values[$0..<$0 + width]) })
    }

    private func measured(
        _ kind: some TaskObjective, _ logits: [Float], _ targets: [[Float]], _ more: [String: JSONValue]
    ) throws -> JSONValue {
        let tensor = try Tensor(logits, shape: [targets.count, kind.width])
        try tensor.setRequiresGradient(true)
        let loss = try kind.loss(logits: tensor, targets: targets.map { $0.map(Double.init) })
        try loss.backward()
        let gradient = try XCTUnwrap(tensor.gradient()).elements(Float.self)
        return .object(
            more.merging([
                "kind": .string(kind.name), "logits": rows(logits, kind.width), "targets": .array(targets.map(json)),
                "loss": .number(try loss.item()), "gradient": rows(gradient, kind.width),
            ]) { $1 })
    }

    func testLossesAndGradientsAreThoseOfPyTorch() throws {
        var random = RandomStream(seed: 9, purpose: "losses")
        var cases: [JSONValue] = []
        for number in 0..<100 {
            let (width, count) = (Int.random(in: 2...5, using: &random), Int.random(in: 1...16, using: &random))
            let labels = (0..<width).map { "l\($0)" }
            let logits = (0..<width * count).map { _ in Float.random(in: -4...4, using: &random) }
            let classes = (0..<count).map { _ in [Float(Int.random(in: 0..<width, using: &random))] }
            let weights = labels.map { _ in Double(Float.random(in: 0.1...5, using: &random)) }
            let smoothing = [0, 0.1, 0.5][number % 3]
            var options: [String: JSONValue] = ["label_smoothing": .number(smoothing)]
            if number % 2 == 0 {
                options["class_weights"] = .object(
                    Dictionary(uniqueKeysWithValues: zip(labels, weights.map(JSONValue.number))))
            }
            cases.append(
                try measured(
                    Classification(labels: labels).with(options), logits, classes,
                    [
                        "weights": number % 2 == 0 ? .array(weights.map(JSONValue.number)) : .null,
                        "smoothing": .number(smoothing),
                    ]))
            let numbers = (0..<count).map { _ in [Float.random(in: 90...110, using: &random)] }
            let regression = try Regression().with(["standardize": .bool(true)]).fitted(toTraining: numbers)
            let standardization = try XCTUnwrap(regression.standardization)
            cases.append(
                try measured(
                    regression, Array(logits.prefix(count)), numbers,
                    ["mean": .number(standardization.mean), "deviation": .number(standardization.deviation)]))
            let tags = (0..<count).map { _ in labels.map { _ in Bool.random(using: &random) ? Float(1) : 0 } }
            cases.append(try measured(MultiLabel(labels: labels), logits, tags, [:]))
        }
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("losses-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: url) }
        try JSONEncoder().encode(JSONValue.array(cases)).write(to: url)
        let output = try PeerPython.run(file: "losses.py", [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        XCTAssertLessThanOrEqual(try XCTUnwrap(differences["loss"]), 1e-5, output)
        XCTAssertLessThanOrEqual(try XCTUnwrap(differences["gradient"]), 1e-4, output)
    }

    /// What each of several processes adds to the loss of a batch.
    func testThePartsOfABatchAddUpToItsLossWhateverItsClassesWeigh() throws {
        let kind = try Classification(labels: ["a", "b", "c"]).with([
            "class_weights": .object(["a": .number(0.2), "c": .number(7)]), "label_smoothing": .number(0.1),
        ])
        var configuration = ModelConfiguration(
            encoderType: .bert,
            backbone: BERTConfiguration(
                hiddenSize: 24, layerCount: 2, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11),
            maxSequenceLength: 8, tasks: [TaskHead(name: "own", kind: try Classification(labels: ["a", "b", "c"]))])
        let model = try CAMTLModel(configuration)
        try model.materialize(seed: 3)
        model.setKind(kind, ofTask: 0)
        configuration = model.configuration
        let targets: [Double] = [0, 2, 1, 2, 0]
        func loss(_ rows: [Int], whole: [Int: Double]?) throws -> Double {
            var batch = PackedBatch()
            for row in rows { batch.append(inputIDs: [2, Int32(4 + row), 3], tokenTypeIDs: [0, 0, 0], taskID: 0) }
            return try model(batch).loss(
                targets: rows.map { [targets[$0]] }, configuration: configuration, wholeBatch: whole
            ).total.item()
        }
        let weight = targets.reduce(0) { $0 + kind.lossWeight(of: [Float($1)]) }
        XCTAssertEqual(weight, 0.2 + 7 + 1 + 7 + 0.2, accuracy: 1e-12)
        let parts = try [[0, 4], [1], [2, 3]].map { try loss($0, whole: [0: weight]) }
        XCTAssertEqual(parts.reduce(0, +), try loss(Array(0..<5), whole: nil), accuracy: 1e-6)
    }
}
