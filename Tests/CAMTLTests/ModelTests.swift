import CAMTL
import Tasks
import Torch
import XCTest

final class ModelTests: ComputingTestCase {
    // MARK: - Gradients

    /// Even where it is attended to, which padding in the golden batches isn't.
    func testEmbeddingOfPaddingGetsNoGradient() throws {
        let model = try newModel()
        let output = try model(batch { $0.append(inputIDs: [2, 0, 5, 3], tokenTypeIDs: [0, 0, 0, 0], taskID: 0) })
        try output.loss(targets: [[1]], configuration: configuration).total.backward()
        let words = try parameter("bert.embeddings.word_embeddings.weight", of: model)
        let rows = try XCTUnwrap(words.gradient()).elements(Float.self).chunks(configuration.backbone.vocabularySize)
        let moved = rows.indices.filter { rows[$0].contains { $0 != 0 } }
        XCTAssertEqual(moved, [2, 3, 5])
    }

    /// Losses of parts, each of which knows how many sequences of a task the whole has, add up to the whole's.
    func testLossesOfPartsAddUpToTheBatchs() throws {
        let model = try newModel()
        let sequences: [(ids: [Int32], task: Int, label: Double)] = [
            ([2, 5, 3], 0, 1), ([2, 4, 4, 3], 1, 0.5), ([2, 7, 3], 0, 0), ([2, 9, 8, 3], 0, 1), ([2, 6, 3], 1, 3),
        ]
        func loss(_ part: [Int], wholeBatch: [Int: Double]?) throws -> BatchLoss {
            let batch = batch { batch in
                for (ids, task, _) in part.map({ sequences[$0] }) {
                    batch.append(inputIDs: ids, tokenTypeIDs: ids.map { _ in 0 }, taskID: task)
                }
            }
            return try model(batch).loss(
                targets: part.map { [sequences[$0].label] }, configuration: configuration, wholeBatch: wholeBatch)
        }
        let whole = try loss(Array(0..<5), wholeBatch: nil).total.item()
        XCTAssertEqual(try loss(Array(0..<5), wholeBatch: [0: 3, 1: 2]).total.item(), whole, accuracy: 1e-6)
        let parts = try [[0, 1, 4], [2], [3]].map { try loss($0, wholeBatch: [0: 3, 1: 2]).total.item() }
        XCTAssertEqual(parts.reduce(0, +), whole, accuracy: 1e-5)
        // Each sequence alone: its task's mean is over three or two, the batch's over two tasks.
        let alone = try sequences.indices.map { index in
            try loss([index], wholeBatch: nil).total.item() / (sequences[index].task == 0 ? 3 : 2) / 2
        }
        XCTAssertEqual(alone.reduce(0, +), whole, accuracy: 1e-5)
    }

    // MARK: - Dropout

    /// Each rate is that of its own places: what they draw of the random stream, in blocks of 32 elements, tells.
    func testDropoutIsDrawnWhereItsRateIsTheRule() throws {
        for type in EncoderType.allCases {
            var configuration = configuration
            configuration.encoderType = type
            let model = try newModel(configuration)
            let batch = batch {
                $0.append(inputIDs: [2, 5, 4, 3], tokenTypeIDs: [0, 0, 0, 0], taskID: 0)
                $0.append(inputIDs: [2, 7, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
                $0.append(inputIDs: [2, 7, 6, 6, 3], tokenTypeIDs: [0, 0, 0, 0, 0], taskID: 1)
            }
            func blocks(_ rates: DropoutRates) throws -> UInt64 {
                try seedRandomStream(1)
                _ = try model(batch, dropout: rates)
                return try RandomStreamPlace.current(on: .cpu).counter / 8
            }
            XCTAssertEqual(try blocks(.none), 0)
            // The embeddings of 12 tokens, 24 wide, and two sums of every layer, of which the last has three rows.
            XCTAssertEqual(try blocks(.init(hidden: 0.5, attention: 0, decoder: 0)), 9 + 2 * (3 * 12 + 3), "\(type)")
            // A row of weights for each query of each of 3 heads.
            XCTAssertEqual(try blocks(.init(hidden: 0, attention: 0.5, decoder: 0)), 3 * (3 * 12 + 3), "\(type)")
            // Two pooled rows of the one task, and one of the other.
            XCTAssertEqual(try blocks(.init(hidden: 0, attention: 0, decoder: 0.5)), 2 + 1, "\(type)")
        }
    }

    // MARK: - Initial values

    /// Weights are normal with the configuration's deviation, biases 0, norms 1 and 0, the attention blocks' matrix 0.
    func testNewParametersStartAsTheOriginals() throws {
        let model = try newModel()
        for (name, parameter) in model.namedParameters() {
            let values = try parameter.wrappedValue.elements(Double.self)
            if name.hasSuffix("bias") || name.hasSuffix("random_weight_matrix") {
                XCTAssertEqual(Set(values), [0], name)
            } else if name.hasSuffix("LayerNorm.weight") || name.hasSuffix("condlayernorm.weight") {
                XCTAssertEqual(Set(values), [1], name)
            } else {
                let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
                // Six standard errors of a sample of this size.
                let slack = 6 / Double(2 * values.count).squareRoot()
                XCTAssertEqual(deviation / configuration.backbone.initializerRange, 1, accuracy: slack, name)
            }
        }
    }

    func testAnotherTaskLeavesTheOthersInitialValues() throws {
        var smaller = configuration
        smaller.tasks.removeLast()
        let (one, two) = (try newModel(smaller), try newModel())
        for (name, parameter) in one.namedParameters() where name != "bert.task_type_embeddings.weight" {
            let other = try self.parameter(name, of: two)
            XCTAssertEqual(try parameter.wrappedValue.bytes(), try other.bytes(), name)
        }
    }

    // MARK: - Refusals

    func testRefusesBatchesThatItCannotTake() throws {
        let model = try newModel()
        func assertRefuses(_ reason: String, line: UInt = #line, _ fill: (inout PackedBatch) -> Void) {
            XCTAssertThrowsError(try model(batch(fill)), line: line) {
                XCTAssertEqual("\($0)", "the model can't take this batch: \(reason)", line: line)
            }
        }
        assertRefuses("it has no sequences") { _ in }
        assertRefuses("a sequence has 9 tokens; 1 to 8 can be taken") {
            $0.append(inputIDs: (1...9).map { $0 }, tokenTypeIDs: [0, 0, 0, 0, 0, 0, 0, 0, 0], taskID: 0)
        }
        assertRefuses("a sequence has 0 tokens; 1 to 8 can be taken") {
            $0.append(inputIDs: [], tokenTypeIDs: [], taskID: 0)
        }
        assertRefuses("there is no task number 2") { $0.append(inputIDs: [1], tokenTypeIDs: [0], taskID: 2) }
        assertRefuses("the token id 11 is outside of the vocabulary, 0 to 10") {
            $0.append(inputIDs: [1, 11], tokenTypeIDs: [0, 0], taskID: 0)
        }
        assertRefuses("the token type id -1 is outside of 0 to 1") {
            $0.append(inputIDs: [1], tokenTypeIDs: [-1], taskID: 0)
        }
    }

    func testRefusesConfigurationsThatNoModelCanHave() {
        func assertRefuses(_ part: String, line: UInt = #line, _ change: (inout ModelConfiguration) -> Void) {
            var configuration = configuration
            change(&configuration)
            XCTAssertThrowsError(try CAMTLModel(configuration), line: line) {
                XCTAssertTrue("\($0)".contains(part), "\($0)", line: line)
            }
        }
        assertRefuses("--max_seq_length 7 does not divide the hidden size 24") { $0.maxSequenceLength = 7 }
        assertRefuses("ca-mtl-base needs an even number of layers") { $0.backbone.layerCount = 3 }
        assertRefuses("hidden_size 24 can't be divided into 5 attention heads") { $0.backbone.attentionHeadCount = 5 }
        assertRefuses("num_hidden_layers is 0") { $0.backbone.layerCount = 0 }
        assertRefuses("--max_seq_length 24 is more than the encoder's 10 positions") {
            $0.maxSequenceLength = 24
            $0.backbone.maxPositions = 10
        }
        assertRefuses("pad_token_id 11 is outside of the vocabulary of 11") { $0.backbone.paddingTokenID = 11 }
        assertRefuses("at least one task") { $0.tasks = [] }
        assertRefuses("named more than once: cola") { $0.tasks.append($0.tasks[0]) }
        assertRefuses("\"../victim\" can't be the name of a file") { $0.tasks[0].name = "../victim" }
    }

    // MARK: - Helpers

    private let configuration = ModelConfiguration(
        encoderType: .caMTLBase,
        backbone: BERTConfiguration(
            hiddenSize: 24, layerCount: 4, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11),
        maxSequenceLength: 8, tasks: TaskHead.named(["cola", "sts-b"], [2, 1]))

    private func newModel(_ configuration: ModelConfiguration? = nil) throws -> CAMTLModel {
        let model = try CAMTLModel(configuration ?? self.configuration)
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
