import CAMTL
import Tasks
import Torch
import XCTest

/// Batches of tasks that read the first token, each token, and several sequences an example.
final class MixedKindsTests: ComputingTestCase {
    private func configuration(_ type: EncoderType) throws -> ModelConfiguration {
        var backbone = BERTConfiguration(
            hiddenSize: 24, layerCount: 4, attentionHeadCount: 2, intermediateSize: 40, vocabularySize: 50)
        backbone.maxPositions = 24
        return ModelConfiguration(
            encoderType: type, backbone: backbone, maxSequenceLength: 24,
            tasks: [
                TaskHead(name: "label", kind: try Classification(labels: ["a", "b", "c"])),
                TaskHead(name: "tags", kind: try Tagging(labels: ["O", "B-x", "I-x", "B-y"])),
                TaskHead(name: "answer", kind: Span()), TaskHead(name: "ending", kind: Choice()),
            ])
    }

    private struct Example {
        var task: Int
        var sequences: [[Int32]]
        var target: [Double]
    }

    private let examples = [
        Example(task: 1, sequences: [[2, 5, 6, 7, 3]], target: [-1, 0, 1, -1, -1]),
        Example(task: 0, sequences: [[2, 9, 8, 3]], target: [2]),
        Example(task: 3, sequences: [[2, 5, 3], [2, 6, 7, 8, 3], [2, 4, 3]], target: [1]),
        Example(task: 2, sequences: [[2, 5, 3, 9, 8, 7, 6, 3]], target: [3, 5]),
        Example(task: 1, sequences: [[2, 11, 3]], target: [-1, 3, -1]),
        Example(task: 3, sequences: [[2, 5, 5, 3], [2, 6, 3]], target: [0]),
        Example(task: 0, sequences: [[2, 12, 3]], target: [0]),
    ]

    private func batch(_ examples: [Example]) -> PackedBatch {
        var batch = PackedBatch()
        for example in examples {
            for (number, ids) in example.sequences.enumerated() {
                batch.append(
                    inputIDs: ids, tokenTypeIDs: ids.map { _ in 0 }, taskID: example.task, continuesExample: number > 0)
            }
        }
        return batch
    }

    private func logits(_ model: CAMTLModel, _ examples: [Example], sequence: Bool = false) throws -> [[Float]] {
        let output = try withoutGradients { try model(batch(examples), sequence: sequence) }
        var result = [[Float]](repeating: [], count: examples.count)
        for task in output.tasks {
            let values = try task.logits.elements(Float.self)
            let width = task.logits.size(1)
            var start = 0
            for (sample, rows) in zip(task.samples, task.rowCounts) {
                result[sample] = Array(values[start..<start + rows * width])
                start += rows * width
            }
            XCTAssertEqual(start, values.count)
        }
        return result
    }

    private func model(_ type: EncoderType) throws -> CAMTLModel {
        let model = try CAMTLModel(configuration(type))
        try model.materialize(seed: 3)
        return model
    }

    /// Sums are in another order beside other rows.
    func testEachExampleHasTheLogitsThatItHasAlone() throws {
        for type in EncoderType.allCases {
            let model = try model(type)
            let together = try logits(model, examples)
            XCTAssertEqual(together.map(\.count), [20, 3, 3, 16, 12, 2, 3])
            let everyToken = try logits(model, examples, sequence: true)
            for (index, example) in examples.enumerated() {
                let alone = try logits(model, [example])[0]
                for (found, expected) in zip(together[index], alone) { XCTAssertEqual(found, expected, accuracy: 1e-5, "\(type) \(index)") }
                for (found, expected) in zip(together[index], everyToken[index]) {
                    XCTAssertEqual(found, expected, accuracy: 1e-5, "\(type) \(index)")
                }
            }
        }
    }

    /// A tagging's examples weigh as many as their words.
    func testLossesOfPartsAddUpToTheBatchs() throws {
        for type in EncoderType.allCases {
            let model = try model(type)
            let weights: [Int: Double] = [0: 2, 1: 3, 2: 1, 3: 2]
            func loss(_ part: [Int], _ wholeBatch: [Int: Double]?) throws -> Double {
                let part = part.map { examples[$0] }
                return try model(batch(part)).loss(
                    targets: part.map(\.target), configuration: model.configuration, wholeBatch: wholeBatch
                ).total.item()
            }
            let whole = try loss(Array(examples.indices), nil)
            XCTAssertEqual(try loss(Array(examples.indices), weights), whole, accuracy: 1e-6)
            let parts = try [[0, 1, 2], [3, 4], [5], [6]].map { try loss($0, weights) }
            XCTAssertEqual(parts.reduce(0, +), whole, accuracy: 1e-5, "\(type)")
        }
    }

    /// Layers that are computed again for their gradients give the same ones.
    func testGradientsAreThoseWithoutRecomputation() throws {
        for type in EncoderType.allCases {
            var found: [[Float]] = []
            for recomputes in [false, true] {
                let model = try model(type)
                try model(batch(examples), recomputesLayers: recomputes).loss(
                    targets: examples.map(\.target), configuration: model.configuration
                ).total.backward()
                found.append(
                    try model.namedParameters().flatMap { try $0.parameter.wrappedValue.gradient()?.elements(Float.self) ?? [] })
            }
            XCTAssertEqual(found[0].count, found[1].count)
            for (a, b) in zip(found[0], found[1]) { XCTAssertEqual(a, b, accuracy: 1e-5 * max(1, abs(a)), "\(type)") }
            XCTAssertTrue(found[0].contains { $0 != 0 })
        }
    }

    func testABatchOfTokensAloneHasNothingPooled() throws {
        let model = try model(.bert)
        let output = try model(batch([examples[0], examples[3]]))
        XCTAssertNil(output.pooled)
        XCTAssertEqual(try model(batch(examples)).pooled?.shape, [7, 24])
    }
}
