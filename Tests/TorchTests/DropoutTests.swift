import TestSupport
import Torch
import XCTest

final class DropoutTests: EveryProcessorChoiceTestCase {
    /// What dropout makes of as many ones: its mask.
    private func mask(_ count: Int = 64, probability: Double = 0.5) throws -> [Float] {
        try dropout(Tensor.full([count], 1), probability: probability).elements()
    }

    func testZeroesItsShareAndScalesTheRest() throws {
        try seedRandomStream(1)
        for probability in [0.1, 0.25, 0.9] {
            let mask = try mask(10_001, probability: probability)
            // Probabilities are multiples of 2⁻¹⁶, and what is kept is scaled by what really is.
            let share = (probability * 65536).rounded() / 65536
            XCTAssertEqual(Set(mask), [0, Float(1 / (1 - share))])
            // Five standard deviations of 10,000 draws are 0.022 for a quarter, and less for the others.
            XCTAssertEqual(Double(mask.filter { $0 == 0 }.count) / 10_001, probability, accuracy: 0.022)
        }
    }

    func testMaskIsOneOfTheSeed() throws {
        func masks(_ seed: UInt64) throws -> [[Float]] {
            try seedRandomStream(seed)
            return try (0..<3).map { _ in try mask() }
        }
        let first = try masks(1)
        XCTAssertEqual(try masks(1), first)
        XCTAssertEqual(try Set(first + masks(2) + masks(0)).count, 9)
    }

    func testNothingIsDrawnAtProbabilityZeroOrForInitialValues() throws {
        try seedRandomStream(1)
        let first = try mask()
        try seedRandomStream(1)
        let ones = try Tensor.full([64], 1)
        XCTAssertTrue(try dropout(ones, probability: 0) === ones)
        _ = try Tensor.normal([64], std: 1, seed: 1)
        XCTAssertEqual(try mask(), first)
    }

    func testMaskIsTheSameAtAnyNumberOfThreads() throws {
        let before = threadCount
        defer { setThreadCount(before) }
        let masks = try [1, 2, 3].map { threads in
            setThreadCount(threads)
            try seedRandomStream(5)
            return try mask(100_001)
        }
        XCTAssertEqual(masks[1], masks[0])
        XCTAssertEqual(masks[2], masks[0])
    }

    func testGradientFlowsWhereTheMaskLetsTheValueThrough() throws {
        let x = try Tensor([Double](repeating: 3, count: 501))
        try x.setRequiresGradient(true)
        let dropped = try dropout(x, probability: 0.3)
        _ = try mask()
        try dropped.sum().backward()
        let values: [Double] = try dropped.elements()
        let gradient: [Double] = try XCTUnwrap(x.gradient()).elements()
        XCTAssertEqual(Set(gradient), [0, Double(Float(1 / (1 - 19661.0 / 65536)))])
        XCTAssertEqual(gradient.map { $0 * 3 }, values)
        XCTAssertEqual((0.3 * 65536).rounded(), 19661)
    }

    func testProbabilityThatLeavesNothingThrows() throws {
        for probability in [1, 1.5, .infinity] {
            XCTAssertThrowsError(try mask(probability: probability)) { XCTAssertTrue($0 is TorchError) }
        }
    }
}
