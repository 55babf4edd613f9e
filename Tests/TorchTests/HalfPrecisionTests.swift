import Torch
import XCTest

/// Products in half precision beside all else in float32, on the operations that any device has.
final class HalfPrecisionTests: XCTestCase {
    private func parameter(_ shape: [Int], seed: UInt64) throws -> Tensor {
        let tensor = try Tensor.normal(shape, std: 0.5, seed: seed)
        try tensor.setRequiresGradient(true)
        return tensor
    }

    private func linear(productType: DType?) throws -> Linear {
        let linear = Linear(12, 5, std: 0.5)
        try linear.materialize(seed: 3)
        linear.productType = productType
        return linear
    }

    func testAProductIsOfItsTypeAndItsGradientsAreTheParameters() throws {
        for type in [DType.bfloat16, .float16] {
            let exact = try linear(productType: nil)
            let half = try linear(productType: type)
            let x = try Tensor.normal([4, 12], std: 1, seed: 1)
            let tolerance: Float = type == .bfloat16 ? 0.03 : 0.004
            for layer in [exact, half] { try layer(x).to(.float32).sum().backward() }
            XCTAssertEqual(try half(x).dtype, type)
            XCTAssertEqual(try half.withoutBias(x).dtype, type)
            for (a, b) in zip(exact.namedParameters(), half.namedParameters()) {
                let gradient = try XCTUnwrap(b.parameter.wrappedValue.gradient())
                XCTAssertEqual(gradient.dtype, .float32)
                let expected: [Float] = try XCTUnwrap(a.parameter.wrappedValue.gradient()).elements()
                for (x, y) in zip(try gradient.elements(Float.self), expected) {
                    XCTAssertEqual(x, y, accuracy: tolerance * max(1, abs(y)))
                }
            }
            for (a, b) in zip(try exact(x).elements(Float.self), try half(x).elements(Float.self)) {
                XCTAssertEqual(a, b, accuracy: tolerance * max(1, abs(a)))
            }
        }
    }

    /// Whatever changes the weights, the next product is one of theirs; and one outside of training leaves the next
    /// one's gradient be.
    func testTheConvertedWeightsFollowTheWeights() throws {
        let layer = try linear(productType: .bfloat16)
        let x = try Tensor.full([1, 12], 1)
        func value() throws -> Double { try layer(x).to(.float32).sum().item() }
        let first = try withoutGradients { try value() }
        try layer(x).to(.float32).sum().backward()
        XCTAssertNotNil(try layer.weight.gradient())
        let parameters = layer.namedParameters().map(\.parameter)
        let optimizer = AdamW([.init(parameters: parameters, weightDecay: 0)], epsilon: 1e-8)
        try optimizer.step(rate: 0.5)
        let second = try value()
        // 60 weights and 5 biases, each lower by the rate.
        XCTAssertEqual(second - first, -32.5, accuracy: 0.6)
        XCTAssertEqual(try withoutGradients { try value() }, second)
        try layer.weight.copy(from: .zeros([5, 12]))
        try layer.bias.copy(from: .zeros([5]))
        XCTAssertEqual(try value(), 0)
    }

    /// float64 takes libtorch's own optimiser, as a CUDA device does.
    func testTheConvertedWeightsFollowLibtorchsOptimizer() throws {
        let layer = Linear(12, 5, std: 0.5)
        try layer.materialize(seed: 3, dtype: .float64)
        layer.productType = .bfloat16
        let x = try Tensor.full([1, 12], 1)
        func value() throws -> Double { try layer(x).to(.float32).sum().item() }
        let first = try value()
        try layer(x).to(.float32).sum().backward()
        try AdamW([.init(parameters: layer.namedParameters().map(\.parameter), weightDecay: 0)], epsilon: 1e-8)
            .step(rate: 0.5)
        XCTAssertEqual(try value() - first, -32.5, accuracy: 0.6)
    }

    /// The operations between products take them in half precision, and come near what float32 gives: values and
    /// gradients, those of the attention's bias too. Under dropout, whose masks lie in another order, they come twice.
    func testPackedOperationsTakeHalfPrecision() throws {
        let lengths = [5, 3, 9]
        let layout = try PackedLayout(
            lengths: lengths, slots: [1, 0, 1], slotCount: 2,
            attentionMask: (0..<17).map { $0 != 3 })
        for (rate, rows) in [(0.0, PackedLayout.Rows.tokens), (0.3, .tokens), (0, .read)] {
            var results: [[[Float]]] = []
            for type in [rate == 0 ? DType.float32 : .bfloat16, .bfloat16] {
                try seedRandomStream(6)
                let count = rows == .tokens ? 17 : 3
                let leaves = try [count, 17, 17].enumerated().map { try parameter([$1, 8], seed: UInt64($0)) }
                let biases = try (0..<3).map { try parameter([8], seed: UInt64(10 + $0)) }
                let blocks = try parameter([2, 9, 3], seed: 20)
                let gain = try parameter([2, 8], seed: 21)
                let shift = try parameter([8], seed: 22)
                let residual = try parameter([count, 8], seed: 23)
                let projections = try zip(leaves, biases).map { try Projection(product: $0.to(type), bias: $1) }
                let attended = try packedAttention(
                    query: projections[0], key: projections[1], value: projections[2],
                    blocks: DiagonalBlocks(rows: blocks, height: 3), heads: 2, dropout: rate, layout: layout,
                    rows: rows)
                XCTAssertEqual(attended.dtype, type)
                let activated = try gelu(attended, bias: biases[0])
                XCTAssertEqual(activated.dtype, type)
                let normalized = try residualNorm(
                    activated, bias: biases[1], residual: residual, gain: gain, shift: shift, epsilon: 1e-5,
                    dropout: rate, layout: layout, rows: rows)
                XCTAssertEqual(normalized.dtype, .float32)
                try (normalized * residual.detached()).sum().backward()
                let all = leaves + biases + [blocks, gain, shift, residual]
                results.append(
                    try [normalized.elements()] + all.map { try XCTUnwrap($0.gradient()).elements() })
            }
            for (index, (exact, half)) in zip(results[0], results[1]).enumerated() {
                let tolerance = rate == 0 ? 0.03 * max(exact.map(abs).max() ?? 0, 0.3) : 0
                for (a, b) in zip(exact, half) {
                    XCTAssertEqual(a, b, accuracy: tolerance, "number \(index), dropout \(rate), \(rows)")
                }
            }
        }
    }

    func testANumberIsReadBack() throws {
        let tensor = try Tensor([1.5, 2.5] as [Float])
        let readback = try Readback(Tensor.stacked([tensor, tensor]))
        XCTAssertEqual(try readback.tensor(timeout: 1).elements(Float.self), [1.5, 2.5, 1.5, 2.5])
        XCTAssertEqual(try readback.tensor().shape, [2, 2])
    }
}
