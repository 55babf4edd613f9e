import Files
import Foundation
import Tasks
import Torch
import XCTest

@testable import CAMTL

/// What decoders are trained by: the tensors' losses beside the kinds' own.
final class ObjectiveTests: ComputingTestCase {
    private func kinds() throws -> [any TaskObjective & SequenceKind] {
        [
            try Classification(labels: ["a", "b", "c"]), Regression(), try MultiLabel(labels: ["a", "b", "c", "d"]),
            try MultiLabel(labels: ["a"]),
            try weighted(), try standardized(),
        ]
    }

    private func weighted() throws -> Classification {
        var kind = try Classification(labels: ["a", "b", "c"])
        try kind.take([
            "class_weights": .object(["a": .number(0.25), "c": .integer(4)]), "label_smoothing": .number(0.1),
        ])
        return kind
    }

    private func standardized() throws -> Regression {
        var kind = Regression()
        try kind.take(["standardize": .object(["mean": .number(-1.5), "deviation": .number(0.25)])])
        return kind
    }

    private func draw(_ kind: any TaskKind, _ random: inout RandomStream) -> (logits: [Float], target: [Float]) {
        let logits = (0..<kind.width).map { _ in Float.random(in: -4...4, using: &random) }
        switch kind {
        case is Classification: return (logits, [Float(Int.random(in: 0..<kind.width, using: &random))])
        case is Regression: return (logits, [Float.random(in: -2...2, using: &random)])
        default: return (logits, logits.map { _ in Bool.random(using: &random) ? 1 : 0 })
        }
    }

    func testATensorsLossIsTheMeanOfTheKindsOwn() throws {
        for kind in try kinds() {
            var random = RandomStream(seed: 3, purpose: kind.name)
            for count in [1, 2, 7, 32] {
                let rows = (0..<count).map { _ in draw(kind, &random) }
                let logits = try Tensor(rows.flatMap(\.logits), shape: [count, kind.width])
                let loss = try kind.loss(logits: logits, targets: rows.map { $0.target.map(Double.init) }).item()
                let own = rows.reduce(0) { $0 + kind.loss($1.logits[...], target: $1.target[...]) }
                    / rows.reduce(0) { $0 + kind.lossWeight(of: $1.target[...]) }
                XCTAssertEqual(loss, own, accuracy: 1e-6 * max(1, own), "\(kind.name), \(count) examples")
            }
        }
    }

    func testAMultiLabelGradientIsTheProbabilityLessTheTarget() throws {
        let kind = try MultiLabel(labels: ["a", "b", "c"])
        var random = RandomStream(seed: 5, purpose: "gradient")
        let rows = (0..<6).map { _ in draw(kind, &random) }
        let logits = try Tensor(rows.flatMap(\.logits), shape: [6, 3])
        try logits.setRequiresGradient(true)
        try kind.loss(logits: logits, targets: rows.map { $0.target.map(Double.init) }).backward()
        let gradient = try XCTUnwrap(logits.gradient()).elements(Float.self)
        for (found, (x, y)) in zip(gradient, zip(rows.flatMap(\.logits), rows.flatMap(\.target))) {
            XCTAssertEqual(Double(found), (1 / (1 + exp(-Double(x))) - Double(y)) / 18, accuracy: 1e-7)
        }
    }

    func testAMultiLabelLossOfFarLogitsIsFinite() throws {
        let kind = try MultiLabel(labels: ["a", "b"])
        let logits = try Tensor([1000, -1000] as [Float], shape: [1, 2])
        XCTAssertEqual(try kind.loss(logits: logits, targets: [[0, 1]]).item(), 1000)
        XCTAssertEqual(try kind.loss(logits: logits, targets: [[1, 0]]).item(), 0)
    }

    /// The total is the mean over the batch's tasks of their losses, each times its weight.
    func testATasksWeightMultipliesItsPartOfTheLoss() throws {
        let model = try newModel()
        let batch = self.batch {
            $0.append(inputIDs: [2, 5, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
            $0.append(inputIDs: [2, 4, 4, 3], tokenTypeIDs: [0, 0, 0, 0], taskID: 1)
            $0.append(inputIDs: [2, 7, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
        }
        func loss(_ weights: [Int: Double]) throws -> BatchLoss {
            try model(batch).loss(targets: [[1], [0.5], [0]], configuration: configuration, weights: weights)
        }
        let plain = try loss([:])
        let parts = try Dictionary(uniqueKeysWithValues: plain.tasks.map { ($0.task, try $0.loss.item()) })
        let (first, second) = (try XCTUnwrap(parts[0]), try XCTUnwrap(parts[1]))
        XCTAssertGreaterThan(min(first, second), 0)
        XCTAssertEqual(try plain.total.item(), (first + second) / 2, accuracy: 1e-6)
        XCTAssertEqual(try loss([0: 3]).total.item(), (3 * first + second) / 2, accuracy: 1e-5)
        XCTAssertEqual(try loss([0: 0.25, 1: 2]).total.item(), (0.25 * first + 2 * second) / 2, accuracy: 1e-5)
        // What is reported of a task is its loss, whatever it weighs.
        XCTAssertEqual(try loss([0: 3]).tasks.map { try $0.loss.item() }, try plain.tasks.map { try $0.loss.item() })
    }

    func testATasksWeightMultipliesTheGradientsOfItsDecoder() throws {
        func gradient(_ weights: [Int: Double]) throws -> [Float] {
            let model = try newModel()
            let batch = self.batch {
                $0.append(inputIDs: [2, 5, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
                $0.append(inputIDs: [2, 4, 4, 3], tokenTypeIDs: [0, 0, 0, 0], taskID: 1)
            }
            try model(batch).loss(targets: [[1], [0.5]], configuration: configuration, weights: weights)
                .total.backward()
            return try XCTUnwrap(parameter("decoders.0.model.weight", of: model).gradient()).elements(Float.self)
        }
        let (one, four) = (try gradient([:]), try gradient([0: 4]))
        XCTAssertTrue(one.contains { $0 != 0 })
        for (a, b) in zip(one, four) { XCTAssertEqual(4 * a, b, accuracy: 1e-6) }
    }

    private let configuration = ModelConfiguration(
        encoderType: .caMTLBase,
        backbone: BERTConfiguration(
            hiddenSize: 24, layerCount: 4, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11),
        maxSequenceLength: 8, tasks: TaskHead.named(["cola", "sts-b"], [2, 1]))

    private func newModel() throws -> CAMTLModel {
        let model = try CAMTLModel(configuration)
        try model.materialize(seed: 3)
        return model
    }

    private func parameter(_ name: String, of model: CAMTLModel) throws -> Tensor {
        try XCTUnwrap(model.namedParameters().first { $0.name == name }).parameter.wrappedValue
    }

    private func batch(_ fill: (inout PackedBatch) -> Void) -> PackedBatch {
        var batch = PackedBatch()
        fill(&batch)
        return batch
    }
}

extension TaskObjective {
    /// The loss of examples with one row of logits each.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor {
        try loss(DecoderOutput(logits: logits, rowCounts: targets.map { _ in 1 }, targets: targets))
    }
}
