import Torch
import XCTest

@testable import CAMTL
@testable import Tasks

/// A batch whose decoders read first tokens, all tokens and several sequences an example.
final class MixedBatchTests: ComputingTestCase {
    private struct Sample {
        var task: Int
        var sequences: [[Int32]]
        var target: [Double]

        var tokens: Int { sequences.reduce(0) { $0 + $1.count } }
        /// The rows of its logits.
        var rows: Int { [1, 2].contains(task) ? tokens : sequences.count }
    }

    private let samples = [
        Sample(task: 1, sequences: [[2, 5, 6, 7, 3]], target: [-1, 2, 4, 0, -1]),
        Sample(task: 0, sequences: [[2, 4, 4, 3]], target: [2]),
        Sample(task: 3, sequences: [[2, 5, 3, 6, 3], [2, 5, 3, 7, 8, 3], [2, 5, 3, 3]], target: [1]),
        Sample(task: 2, sequences: [[2, 9, 3, 5, 6, 7, 3]], target: [3, 5]),
        Sample(task: 1, sequences: [[2, 8, 3]], target: [-1, 1, -1]),
        Sample(task: 3, sequences: [[2, 9, 9, 3], [2, 10, 3]], target: [0]),
        Sample(task: 2, sequences: [[2, 4, 3, 8, 3]], target: [0, 0]),
        Sample(task: 0, sequences: [[2, 10, 9, 8, 7, 6, 5, 3]], target: [0]),
    ]

    private func configuration(_ type: EncoderType) throws -> ModelConfiguration {
        var backbone = BERTConfiguration(
            hiddenSize: 24, layerCount: 4, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11)
        backbone.initializerRange = 0.3
        return ModelConfiguration(
            encoderType: type, backbone: backbone, maxSequenceLength: 8,
            tasks: [
                TaskHead(name: "topic", kind: try Classification(labels: ["a", "b", "c"])),
                TaskHead(name: "names", kind: try Tagging(labels: ["O", "B-x", "I-x", "B-y", "I-y"])),
                TaskHead(name: "answers", kind: Span()), TaskHead(name: "cause", kind: Choice()),
            ])
    }

    private func newModel(_ type: EncoderType) throws -> CAMTLModel {
        let model = try CAMTLModel(try configuration(type))
        try model.materialize(seed: 3)
        // Blocks and biases start at 0, of which errors may not show.
        for (index, (name, parameter)) in model.namedParameters().enumerated()
        where name.hasSuffix("bias") || name.hasSuffix("random_weight_matrix") {
            let value = try Tensor.normal(parameter.wrappedValue.shape, std: 0.3, seed: UInt64(index))
            try withoutGradients { try parameter.wrappedValue.copy(from: value) }
        }
        return model
    }

    private func batch(_ samples: [Sample]) -> PackedBatch {
        var batch = PackedBatch()
        for sample in samples {
            for (number, ids) in sample.sequences.enumerated() {
                let first = (ids.firstIndex(of: 3) ?? 0) + 1
                batch.append(
                    inputIDs: ids, tokenTypeIDs: ids.indices.map { $0 < first ? 0 : 1 }, taskID: sample.task,
                    continuesExample: number > 0)
            }
        }
        return batch
    }

    /// The logits of each sample.
    private func logits(_ output: ModelOutput, of samples: [Sample]) throws -> [[Float]] {
        var result = samples.map { _ in [Float]() }
        for task in output.tasks {
            let values = try task.logits.elements(Float.self)
            let width = task.logits.size(1)
            var start = 0
            for (sample, rows) in zip(task.samples, task.rowCounts) {
                XCTAssertEqual(samples[sample].task, task.task)
                XCTAssertEqual(rows, samples[sample].rows)
                result[sample] = Array(values[start..<start + rows * width])
                start += rows * width
            }
            XCTAssertEqual(start, values.count)
        }
        return result
    }

    private func assertClose(_ a: [Float], _ b: [Float], _ message: String, line: UInt = #line) {
        XCTAssertEqual(a.count, b.count, message, line: line)
        let size = max(1, b.map(abs).max() ?? 1)
        for (a, b) in zip(a, b) where !(abs(a - b) <= 5e-6 * size) { return XCTFail("\(message): \(a), \(b)", line: line) }
    }

    func testLogitsOfAnExampleAreThoseOfItAloneAndOfAPassThatComputesAllRows() throws {
        for type in EncoderType.allCases {
            let model = try newModel(type)
            let mixed = try logits(model(batch(samples)), of: samples)
            let whole = try logits(model(batch(samples), sequence: true), of: samples)
            for (index, sample) in samples.enumerated() {
                let alone = try logits(model(batch([sample])), of: [sample])[0]
                XCTAssertGreaterThan(Set(alone).count, 1, "\(type)")
                assertClose(mixed[index], alone, "\(type), example \(index) alone")
                assertClose(mixed[index], whole[index], "\(type), example \(index) with all rows")
            }
        }
    }

    func testOnlyWhatIsReadIsComputedInTheLastLayer() throws {
        let tokens = samples.reduce(0) { $0 + $1.tokens }
        for type in EncoderType.allCases {
            let model = try newModel(type)
            var rows: [String: Int] = [:]
            for (name, module) in model.namedModules() { module.observer = { rows[name] = $0.size(0) } }
            for part in [[0, 1, 2, 3], [0, 2], [1, 3], [0], [1]] {
                let samples = samples.filter { part.contains($0.task) }
                let (total, read) = samples.reduce((0, 0)) { ($0.0 + $1.tokens, $0.1 + $1.rows) }
                for sequence in [false, true] {
                    rows = [:]
                    _ = try model(batch(samples), sequence: sequence)
                    let label = "\(type), tasks \(part), \(sequence)"
                    for layer in 0..<4 {
                        let expected = layer == 3 && !sequence ? read : total
                        XCTAssertEqual(rows["bert.encoder.layer.\(layer)"], expected, label)
                        if type == .caMTLLarge {
                            XCTAssertEqual(rows["bert.encoder.adapter_layer.\(layer)"], sequence ? total : read, label)
                        }
                    }
                    let pooled = samples.filter { [0, 3].contains($0.task) }.reduce(0) { $0 + $1.sequences.count }
                    XCTAssertEqual(rows["bert.pooler"], pooled == 0 ? nil : pooled, label)
                    for task in part {
                        XCTAssertEqual(
                            rows["decoders.\(task).model"],
                            samples.filter { $0.task == task }.reduce(0) { $0 + $1.rows }, label)
                    }
                }
            }
            XCTAssertGreaterThan(tokens, samples.reduce(0) { $0 + $1.rows })
        }
    }

    func testLayersThatAreComputedAgainGiveTheSameGradients() throws {
        for type in EncoderType.allCases {
            var found: [[[Float]]] = []
            for recomputes in [false, true] {
                let model = try newModel(type)
                try seedRandomStream(4)
                let output = try model(
                    batch(samples), dropout: .init(hidden: 0.1, attention: 0.1, decoder: 0.1),
                    recomputesLayers: recomputes)
                let loss = try output.loss(
                    targets: samples.map(\.target), configuration: model.configuration).total
                try loss.backward()
                found.append(
                    try [[Float(loss.item())]]
                        + model.namedParameters().map { try $0.parameter.wrappedValue.gradient()?.elements() ?? [] })
            }
            // What several layers share adds up in another order.
            for (a, b) in zip(found[0], found[1]) { assertClose(a, b, "\(type)") }
            XCTAssertGreaterThan(found[0].count { $0.contains { $0 != 0 } }, 20)
        }
    }

    /// What each of several processes adds, of whose examples some have more words than others.
    func testThePartsOfABatchAddUpToItsLossAndGradients() throws {
        for type in EncoderType.allCases {
            let model = try newModel(type)
            let tasks = model.configuration.tasks
            var whole: [Int: Double] = [:]
            for sample in samples {
                whole[sample.task, default: 0] += tasks[sample.task].kind.lossWeight(of: sample.target.map(Float.init)[...])
            }
            XCTAssertEqual(whole, [0: 2, 1: 4, 2: 2, 3: 2])
            func measured(_ parts: [[Int]], _ whole: [Int: Double]?) throws -> (loss: Double, gradients: [[Float]]) {
                let model = try newModel(type)
                var sum = 0.0
                for part in parts {
                    let samples = part.map { self.samples[$0] }
                    let loss = try model(batch(samples)).loss(
                        targets: samples.map(\.target), configuration: model.configuration, wholeBatch: whole).total
                    try loss.backward()
                    sum += try loss.item()
                }
                return (sum, try model.namedParameters().map { try $0.parameter.wrappedValue.gradient()?.elements() ?? [] })
            }
            let all = try measured([Array(samples.indices)], nil)
            let parts = try measured([[0, 6], [3], [1, 2, 4], [5, 7]], whole)
            XCTAssertEqual(parts.loss, all.loss, accuracy: 1e-5, "\(type)")
            for (a, b) in zip(parts.gradients, all.gradients) { assertClose(a, b, "\(type)") }
        }
    }
}
