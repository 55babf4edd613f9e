import CAMTL
import Tasks
import Torch
import XCTest

final class ArithmeticTests: XCTestCase {
    private static let tasks = TaskHead.named(["a", "b"], [3, 1])

    private func configuration(_ type: EncoderType, layers: Int = 4) -> ModelConfiguration {
        ModelConfiguration(
            encoderType: type,
            backbone: BERTConfiguration(
                hiddenSize: 24, layerCount: layers, attentionHeadCount: 2, intermediateSize: 40, vocabularySize: 11),
            maxSequenceLength: 8, tasks: ArithmeticTests.tasks)
    }

    private func model(_ type: EncoderType, layers: Int = 4) throws -> CAMTLModel {
        let model = try CAMTLModel(configuration(type, layers: layers))
        try model.materialize(seed: 1)
        return model
    }

    /// A sequence of one token goes through each linear layer once, so that what the real model's matrices hold tells
    /// the count.
    func testOneTokenNeedsTwoOperationsForEachWeight() throws {
        for type in EncoderType.allCases {
            for layers in [2, 4, 6] {
                let model = try model(type, layers: layers)
                let lookedUp = ["embeddings.weight", "random_weight_matrix", "decoders.1."]
                let weights = model.namedParameters().filter { name, parameter in
                    parameter.shape.count == 2 && !lookedUp.contains(where: name.contains)
                        && !name.hasPrefix("bert.embeddings.") && !name.contains("task_type_embeddings")
                }.map { $0.parameter.elementCount }.reduce(0, +)
                let pass = model.arithmetic.operations(lengths: [1], taskIDs: [0])
                XCTAssertEqual(pass.forward, Double(2 * weights + 4 * 24 * layers), "\(type) with \(layers) layers")
            }
        }
    }

    func testBackwardPassNeedsTwiceTheForwardPass() {
        for type in EncoderType.allCases {
            let pass = Arithmetic(configuration(type)).operations(lengths: [5, 3, 8], taskIDs: [0, 1, 0])
            XCTAssertEqual(pass.backward, 2 * pass.forward)
            XCTAssertEqual(pass.total, 3 * pass.forward)
        }
    }

    /// Written out for plain BERT: four layers at all tokens, the decoder at each, and no pooler.
    func testLastLayerIsReadAtEachTokenWhereTheDecoderReadsTokens() throws {
        var configuration = configuration(.bert)
        configuration.tasks[0] = TaskHead(name: "a", kind: try Tagging(labels: ["O", "B", "I"]))
        let layer = 2 * 24 * 24 * 4 * 5 + 4 * 24 * 5 * 5 + 4 * 24 * 40 * 5
        XCTAssertEqual(
            Arithmetic(configuration).operations(lengths: [5], taskIDs: [0]).forward, Double(4 * layer + 2 * 24 * 3 * 5))
    }

    /// Written out for plain BERT: three layers at all tokens, and the fourth at the first position but for its keys
    /// and values.
    func testLastLayerIsReadAtTheFirstPosition() {
        let (hidden, wide, length) = (24.0, 40.0, 7.0)
        let square = hidden * hidden
        let feedForward = 4 * hidden * wide
        let full = length * (8 * square + feedForward) + 4 * length * length * hidden
        let last = 4 * square * length + 4 * square + feedForward + 4 * length * hidden
        let heads = 2 * square + 2 * hidden * 3
        XCTAssertEqual(
            Arithmetic(configuration(.bert)).operations(lengths: [7], taskIDs: [0]).forward, 3 * full + last + heads)
    }

    func testAnotherSequenceOfATaskAddsNothingForTheTask() {
        for type in EncoderType.allCases {
            let arithmetic = Arithmetic(configuration(type))
            func forward(_ lengths: [Int], _ tasks: [Int]) -> Double {
                arithmetic.operations(lengths: lengths, taskIDs: tasks).forward
            }
            let second = forward([4, 4], [0, 0]) - forward([4], [0])
            XCTAssertEqual(forward([4, 4, 4], [0, 0, 0]) - forward([4, 4], [0, 0]), second)
            XCTAssertEqual(second < forward([4], [0]), type != .bert, "\(type)")
        }
    }

    func testFrozenLayersNeedNoGradientOfTheirWeights() throws {
        let model = try model(.bert)
        _ = try model.freeze(FreezeRange(0...1))
        let plain = Arithmetic(configuration(.bert)).operations(lengths: [6], taskIDs: [1])
        let frozen = model.arithmetic.operations(lengths: [6], taskIDs: [1])
        XCTAssertEqual(frozen.forward, plain.forward)
        let square: Double = 24 * 24
        let linear: Double = 6 * (8 * square + 4 * 24 * 40)
        let layer: Double = linear + 4 * 36 * 24
        // Nothing trains below, so there is no gradient of these layers at all, nor of the next one's input.
        let nextInput: Double = 6 * 6 * square
        XCTAssertEqual(plain.backward - frozen.backward, 4 * layer + nextInput)
    }

    func testFrozenLayersOfCAMTLStillPassGradientsOn() throws {
        let model = try model(.caMTLBase)
        _ = try model.freeze(FreezeRange(0...1))
        let plain = Arithmetic(configuration(.caMTLBase)).operations(lengths: [6], taskIDs: [1])
        let frozen = model.arithmetic.operations(lengths: [6], taskIDs: [1])
        let linear: Double = 6 * (8 * 24 * 24 + 4 * 24 * 40)
        XCTAssertEqual(plain.backward - frozen.backward, 2 * linear)
    }
}
