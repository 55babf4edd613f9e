import Torch
import XCTest

final class AutogradTests: XCTestCase {
    private func leaf(_ values: [Double]) throws -> Tensor {
        let tensor = try Tensor(values)
        try tensor.setRequiresGradient(true)
        return tensor
    }

    func testBackwardGivesTheDerivative() throws {
        let x = try leaf([1, -2, 3])
        // Σ x³ / 3, whose derivative is x².
        try ((x * x * x).sum() * (1.0 / 3)).backward()
        for (gradient, expected) in zip(try XCTUnwrap(x.gradient()).elements(Double.self), [1.0, 4, 9]) {
            XCTAssertEqual(gradient, expected, accuracy: 1e-14)
        }
    }

    func testGradientsAddUpUntilTheyAreRemoved() throws {
        let x = try leaf([5])
        XCTAssertNil(try x.gradient())
        for expected in [2.0, 4, 6] {
            try (x * 2).sum().backward()
            XCTAssertEqual(try x.gradient()?.item(), expected)
        }
        try x.setGradient(nil)
        XCTAssertNil(try x.gradient())
        try x.setGradient(Tensor([7] as [Double]))
        XCTAssertEqual(try x.gradient()?.item(), 7)
    }

    func testOnlyLeavesThatRequireAGradientGetOne() throws {
        let x = try leaf([2])
        let constant = try Tensor([3] as [Double])
        let product = try x * constant
        XCTAssertTrue(product.requiresGradient)
        XCTAssertFalse(constant.requiresGradient)
        try product.sum().backward()
        XCTAssertNil(try constant.gradient())
        XCTAssertEqual(try x.gradient()?.item(), 3)
        try x.setRequiresGradient(false)
        XCTAssertFalse(try (x * constant).requiresGradient)
    }

    func testPaddingRowGetsNoGradient() throws {
        let table = try Tensor([1, 2, 3] as [Double], shape: [3, 1])
        try table.setRequiresGradient(true)
        let rows = try embedding(Tensor([0, 2, 0] as [Int64]), table: table, paddingIndex: 0)
        XCTAssertEqual(try rows.elements(Double.self), [1, 3, 1])
        try rows.sum().backward()
        XCTAssertEqual(try table.gradient()?.elements(Double.self), [0, 0, 1])
    }

    func testOperationsOutsideOfDifferentiation() throws {
        let x = try leaf([1, 2])
        XCTAssertFalse(try x.detached().requiresGradient)
        try x.copy(from: Tensor([3, 4] as [Double]))
        XCTAssertEqual(try x.elements(Double.self), [3, 4])
        try (x * x).sum().backward()
        XCTAssertEqual(try x.gradient()?.elements(Double.self), [6, 8])
    }

    func testWhatCannotBeDifferentiatedThrows() throws {
        let x = try leaf([1, 2])
        for (phrase, body) in [
            ("can be implicitly created only for scalar outputs", { try (x * 2).backward() }),
            ("does not require grad", { try Tensor([1] as [Double]).sum().backward() }),
            ("floating point and complex dtype", { try Tensor([1] as [Int64]).setRequiresGradient(true) }),
        ] as [(String, () throws -> Void)] {
            XCTAssertThrowsError(try body()) { error in
                XCTAssertTrue("\(error)".contains(phrase), "\(error)")
                XCTAssertTrue(error is TorchError)
            }
        }
    }

    // MARK: - The mode

    func testWithoutGradientsRecordsNothingAndRestoresTheMode() throws {
        struct Interruption: Error {}
        let x = try leaf([1])
        XCTAssertFalse(try withoutGradients { try (x * 2).requiresGradient })
        XCTAssertTrue(try (x * 2).requiresGradient)
        XCTAssertThrowsError(try withoutGradients { throw Interruption() })
        XCTAssertTrue(try (x * 2).requiresGradient)
        try withoutGradients {
            XCTAssertFalse(try withoutGradients { try (x * 2).requiresGradient })
            XCTAssertFalse(try (x * 2).requiresGradient, "the inner one ended, the outer one didn't")
        }
        XCTAssertTrue(try (x * 2).requiresGradient)
    }
}
