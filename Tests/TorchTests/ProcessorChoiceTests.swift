import TestSupport
import Torch
import XCTest

/// What the loops of one instruction set compute beside those of another.
final class ProcessorChoiceTests: XCTestCase {
    override func tearDown() { ProcessorChoice.restore() }

    private var instructions: [String] { Set(ProcessorChoice.all.map(\.instructions)).sorted() }

    private func results(_ body: () throws -> [Tensor]) throws -> [String: [[UInt8]]] {
        var results: [String: [[UInt8]]] = [:]
        for name in instructions {
            try setInstructionSet(name)
            XCTAssertEqual(instructionSet, name)
            try seedRandomStream(3)
            results[name] = try body().map { try $0.bytes() }
        }
        return results
    }

    func testThereIsMoreThanOneOfThemAndEachOfTheLibraries() {
        XCTAssert(instructions.contains("portable"))
        #if arch(x86_64)
            XCTAssertEqual(Set(ProcessorChoice.all.map(\.products)), ["mkl", "onednn"])
        #endif
        XCTAssertThrowsError(try setInstructionSet("avx")) {
            XCTAssert("\($0)".contains("no loops for 'avx'"), "\($0)")
        }
        XCTAssertThrowsError(try setProducts("blas")) { XCTAssert("\($0)".contains("no 'blas'"), "\($0)") }
    }

    /// Dropout, norms, modulation and the optimiser use no instruction that multiplies and adds at once.
    func testNormsDropoutAndTheOptimizerAreTheSameBits() throws {
        let layout = try PackedLayout(lengths: [20, 13], slots: [1, 0], slotCount: 2)
        let found = try results {
            let x = try Tensor.normal([33, 72], std: 1, seed: 1)
            let residual = try Tensor.normal([33, 72], std: 1, seed: 2)
            let gain = try Tensor.normal([2, 72], std: 1, seed: 3)
            let shift = try Tensor.normal([72], std: 1, seed: 4)
            let leaves = [x, residual, gain, shift]
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            let norm = try residualNorm(
                x, bias: shift, residual: residual, gain: gain, shift: shift, epsilon: 1e-12, dropout: 0.2,
                layout: layout)
            let output = try dropout(
                modulated(norm, scale: gain, shift: gain, layout: layout, rows: .tokens), probability: 0.3)
            try (output * output).sum().backward()
            let gradients = try leaves.map { try XCTUnwrap($0.gradient()) }
            let parameter = Parameter("p")
            parameter.declare([33, 72], .zeros)
            try parameter.materialize(Tensor.normal([33, 72], std: 1, seed: 5))
            let optimizer = AdamW([.init(parameters: [parameter], weightDecay: 0.1)], epsilon: 1e-6)
            for _ in 0..<3 {
                try parameter.wrappedValue.setGradient(gradients[0])
                try optimizer.step(rate: 0.01, gradientScale: 0.7)
            }
            let moments = try XCTUnwrap(optimizer.states[0])
            return [norm, output] + gradients + [parameter.wrappedValue, moments.firstMoment, moments.secondMoment]
        }
        for name in instructions { XCTAssert(found[name] == found["portable"], "\(name) and portable differ") }
    }

    /// Attention and the activation use such instructions, where there are any: AVX2's and AVX-512's are the same.
    func testAttentionAndTheActivationAreTheSameBitsWithAVX2AndAVX512() throws {
        guard instructions.contains("avx2"), instructions.contains("avx512") else {
            throw XCTSkip("skipped: needs a processor with AVX-512")
        }
        let layout = try PackedLayout(lengths: [20, 13, 70], slots: [1, 0, 1], slotCount: 2)
        let found = try results {
            let x = try (0..<3).map { try Tensor.normal([103, 48], std: 1, seed: UInt64($0)) }
            let bias = try Tensor.normal([48], std: 1, seed: 4)
            let blocks = try Tensor.normal([2, 70, 24], std: 1, seed: 5)
            let leaves = x + [bias, blocks]
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            let attended = try packedAttention(
                query: Projection(product: x[0], bias: bias), key: Projection(product: x[1], bias: bias),
                value: Projection(product: x[2], bias: bias), blocks: DiagonalBlocks(rows: blocks, height: 24),
                heads: 2, dropout: 0.1, layout: layout, rows: .tokens)
            let active = try gelu(attended, bias: bias)
            try (active * active).sum().backward()
            return try [attended, active] + leaves.map { try XCTUnwrap($0.gradient()) }
        }
        XCTAssert(found["avx2"] == found["avx512"])
    }

    /// Their sums of products are exact.
    func testLayersInIntegersAreTheSameBits() throws {
        let x = try Tensor.normal([150, 90], std: 1, seed: 1)
        let up = try QuantizedLinear(
            weight: Tensor.normal([200, 90], std: 0.2, seed: 2), bias: Tensor.normal([200], std: 1, seed: 3))
        let down = try QuantizedLinear(weight: Tensor.normal([90, 200], std: 0.2, seed: 4), bias: nil)
        let found = try results {
            try [up(x), QuantizedLinear.feedForward(x, up: up, activation: .gelu, down: down)]
        }
        for name in instructions { XCTAssert(found[name] == found["portable"], "\(name) and portable differ") }
    }

    /// A limit takes libtorch's fast products of integers away, too: what stands in for them is tested so.
    func testALimitIsOneOfProductsOfIntegersToo() throws {
        try XCTSkipIf(instructions.count == 1, "skipped: needs a processor with AVX2")
        try setInstructionSet("portable")
        XCTAssertFalse(QuantizedLinear.isAccelerated)
    }
}
