import TestSupport
import Torch
import XCTest

/// A linear layer's float32 products, by whichever library takes them here, against libtorch's own in float64.
final class LinearTests: EveryProcessorChoiceTestCase {
    private func values(_ shape: [Int], seed: UInt64) throws -> Tensor {
        try Tensor.normal(shape, std: 1, seed: seed, dtype: .float64)
    }

    /// The output, and the gradients of those inputs that ask for one, of what the tensors are in `dtype`.
    private func results(
        _ tensors: [Tensor], trained: [Bool], weights: Tensor, as dtype: DType
    ) throws -> [(shape: [Int], elements: [Double])] {
        let leaves = try tensors.map { try $0.to(dtype).detached() }
        for (leaf, isTrained) in zip(leaves, trained) where isTrained { try leaf.setRequiresGradient(true) }
        let output = try linear(leaves[0], weight: leaves[1], bias: leaves.count > 2 ? leaves[2] : nil)
        try (output * weights.to(dtype)).sum().backward()
        let gradients = try leaves.compactMap { try $0.gradient() }
        XCTAssertEqual(gradients.count, trained.filter { $0 }.count)
        return try ([output] + gradients).map { ($0.shape, try $0.elements()) }
    }

    private func compare(_ tensors: [Tensor], trained: [Bool], _ label: String) throws {
        let shape = Array(tensors[0].shape.dropLast()) + [tensors[1].shape[0]]
        let weights = try values(shape, seed: 9)
        let fast = try results(tensors, trained: trained, weights: weights, as: .float32)
        let exact = try results(tensors, trained: trained, weights: weights, as: .float64)
        for (index, (one, other)) in zip(fast, exact).enumerated() {
            XCTAssertEqual(one.shape, other.shape, label)
            let size = other.elements.map(abs).max() ?? 1
            for (a, b) in zip(one.elements, other.elements) where !(abs(a - b) <= 2e-5 * size) {
                return XCTFail("\(label): \(a) is not \(b) in result \(index)")
            }
        }
    }

    func testProductsOfEverySize() throws {
        // From those of few rows, which keep to one library, over such as are filled up to a step, to full ones.
        for rows in [1, 63, 64, 65, 96, 100, 257, 512, 750] {
            for (input, output) in [(24, 40), (40, 24), (7, 1)] {
                let tensors = try [values([rows, input], seed: 1), values([output, input], seed: 2)]
                let bias = try values([output], seed: 3)
                let label = "\(rows) rows, \(input) to \(output)"
                try compare(tensors + [bias], trained: [true, true, true], label)
                try compare(tensors, trained: [true, true], "\(label) without bias")
            }
        }
    }

    func testFrozenWeightsAndInputs() throws {
        let tensors = try [values([100, 24], seed: 1), values([40, 24], seed: 2), values([40], seed: 3)]
        for trained in [[true, false, false], [false, true, true], [false, false, true], [true, false, true]] {
            try compare(tensors, trained: trained, "trained: \(trained)")
        }
    }

    func testFurtherDimensions() throws {
        let tensors = try [values([5, 2, 17, 24], seed: 1), values([40, 24], seed: 2), values([40], seed: 3)]
        try compare(tensors, trained: [true, true, true], "four dimensions")
    }

    func testTheSameBitsAgain() throws {
        let tensors = try [values([750, 24], seed: 1), values([40, 24], seed: 2), values([40], seed: 3)]
        let weights = try values([750, 40], seed: 9)
        let runs = try (0..<3).map { _ in
            try results(tensors, trained: [true, true, true], weights: weights, as: .float32).map(\.elements)
        }
        XCTAssertEqual(runs[0], runs[1])
        XCTAssertEqual(runs[0], runs[2])
    }
}
