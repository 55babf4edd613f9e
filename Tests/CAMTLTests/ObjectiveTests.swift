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

    // MARK: Kinds of several rows

    /// Random examples of a kind, of different numbers of rows.
    private func examples(
        _ kind: any TaskObjective, _ count: Int, _ random: inout RandomStream
    ) -> [DecodedExample] {
        (0..<count).map { _ in
            let rows = Int.random(in: 2...9, using: &random)
            let logits = (0..<rows * kind.width).map { _ in Float.random(in: -4...4, using: &random) }
            var marks = ExampleMarks(target: [])
            switch kind {
            case is Tagging:
                marks.target = (0..<rows).map { $0 > 0 && Bool.random(using: &random) ? -1 : Float($0 % kind.width) }
                marks.alignment = marks.target.enumerated().map { $1 < 0 ? -1 : Int32($0) }
            case is Span:
                marks.target = (0..<2).map { _ in Float(Int.random(in: 0..<rows, using: &random)) }
            default: marks.target = [Float(Int.random(in: 0..<rows, using: &random))]
            }
            return DecodedExample(logits: logits[...], marks: marks)
        }
    }

    private func output(_ kind: any TaskObjective, _ examples: [DecodedExample], _ logits: Tensor) -> DecoderOutput {
        DecoderOutput(
            logits: logits, rowCounts: examples.map { $0.logits.count / kind.width },
            targets: examples.map { $0.marks.target.map(Double.init) })
    }

    func testLossesOfSeveralRowsAreTheKindsOwnAndTheirGradientsTheirSlopes() throws {
        for kind in [try Tagging(labels: ["O", "B", "I"]), Span(), Choice()] as [any TaskObjective] {
            var random = RandomStream(seed: 4, purpose: kind.name)
            for count in [1, 2, 7] {
                let examples = examples(kind, count, &random)
                func own(_ examples: [DecodedExample]) -> Double {
                    examples.reduce(0) { $0 + kind.loss(of: $1) }
                        / examples.reduce(0) { $0 + kind.lossWeight(of: $1.marks.target[...]) }
                }
                let values = examples.flatMap(\.logits).map(Double.init)
                let logits = try Tensor(values, shape: [values.count / kind.width, kind.width])
                try logits.setRequiresGradient(true)
                let loss = try kind.loss(output(kind, examples, logits))
                XCTAssertEqual(try loss.item(), own(examples), accuracy: 1e-9 * max(1, own(examples)), kind.name)
                try loss.backward()
                let gradient = try XCTUnwrap(logits.gradient()).elements(Double.self)
                func shifted(_ index: Int, by step: Float) -> Double {
                    var (changed, start) = (examples, 0)
                    for place in changed.indices {
                        let size = changed[place].logits.count
                        if (start..<start + size).contains(index) {
                            var logits = Array(changed[place].logits)
                            logits[index - start] += step
                            changed[place].logits = logits[...]
                        }
                        start += size
                    }
                    return own(changed)
                }
                for index in values.indices {
                    let slope = (shifted(index, by: 1 / 64) - shifted(index, by: -1 / 64)) * 32
                    XCTAssertEqual(gradient[index], slope, accuracy: 1e-4, "\(kind.name) \(index)")
                }
            }
        }
    }

    /// Of the classes' own entropies, by their definition.
    func testUncertaintiesAreEntropiesOfWordsTokensAndChoices() throws {
        var random = RandomStream(seed: 8, purpose: "uncertainty")
        func entropy(_ values: [Float]) -> Double {
            let weights = values.map { exp(Double($0)) }
            let sum = weights.reduce(0, +)
            return -weights.reduce(0) { $0 + $1 / sum * log($1 / sum) }
        }
        let tagging = try Tagging(labels: ["O", "B", "I"])
        for example in examples(tagging, 20, &random) {
            let logits = Array(example.logits)
            let words = example.marks.alignment.indices.filter { example.marks.alignment[$0] >= 0 }
            let mean = words.reduce(0) { $0 + entropy(Array(logits[3 * $1..<3 * $1 + 3])) } / Double(words.count)
            XCTAssertEqual(tagging.uncertainty(of: example).entropy, mean, accuracy: 1e-12)
            XCTAssertEqual(tagging.uncertainty(of: example).classes, 3)
        }
        for example in examples(Span(), 20, &random) {
            let logits = Array(example.logits)
            let sides = (0..<2).map { side in entropy(stride(from: side, to: logits.count, by: 2).map { logits[$0] }) }
            XCTAssertEqual(Span().uncertainty(of: example).entropy, (sides[0] + sides[1]) / 2, accuracy: 1e-12)
            XCTAssertEqual(Span().uncertainty(of: example).classes, logits.count / 2)
        }
        for example in examples(Choice(), 20, &random) {
            XCTAssertEqual(Choice().uncertainty(of: example).entropy, entropy(Array(example.logits)), accuracy: 1e-12)
            XCTAssertEqual(Choice().uncertainty(of: example).classes, example.logits.count)
            XCTAssertLessThan(Choice().uncertainty(of: example).normalized, 1)
        }
    }
}

extension TaskObjective {
    /// The loss of examples with one row of logits each.
    func loss(logits: Tensor, targets: [[Double]]) throws -> Tensor {
        try loss(DecoderOutput(logits: logits, rowCounts: targets.map { _ in 1 }, targets: targets))
    }
}
