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

/// Parts of a computation that are computed again for their gradients.
final class RecomputationTests: XCTestCase {
    private final class Scale: Module {
        @Parameter("weight") var weight: Tensor

        override init() {
            super.init()
            _weight.declare([64], .normal(std: 1))
        }

        var parameters: [Parameter] { [_weight] }
    }

    /// The gradients of the parameter and the input, with what `part` makes of the body.
    private func gradients(
        _ part: ([Tensor], [Parameter], @escaping ([Tensor]) throws -> Tensor) throws -> Tensor
    ) throws -> [[Float]] {
        try seedRandomStream(3)
        let module = Scale()
        try module.materialize(seed: 5)
        let x = try Tensor.normal([32, 64], std: 1, seed: 9)
        try x.setRequiresGradient(true)
        let y = try part([x], module.parameters) { inputs in
            try dropout(tanh(inputs[0] * module.weight), probability: 0.3)
        }
        // What comes after draws from the same stream.
        try (dropout(y, probability: 0.5) * y).sum().backward()
        return try [module.weight, x].map { try XCTUnwrap($0.gradient()).elements() }
    }

    func testTheSameGradientsBitByBit() throws {
        let plain = try gradients { inputs, _, body in try body(inputs) }
        var calls = 0
        let again = try gradients { inputs, parameters, body in
            try recomputed(inputs, parameters: parameters) {
                calls += 1
                return try body($0)
            }
        }
        XCTAssertEqual(calls, 2)
        XCTAssertEqual(plain, again)
        XCTAssertTrue(plain[0].contains { $0 != 0 })
    }

    func testAnErrorOfTheBodyIsPassedOn() throws {
        struct Failure: Error, CustomStringConvertible { let description = "no such luck" }
        XCTAssertThrowsError(try gradients { inputs, parameters, _ in
            try recomputed(inputs, parameters: parameters) { _ in throw Failure() }
        }) { XCTAssertTrue("\($0)".contains("no such luck"), "\($0)") }
        var calls = 0
        XCTAssertThrowsError(try gradients { inputs, parameters, body in
            try recomputed(inputs, parameters: parameters) {
                calls += 1
                if calls == 2 { throw Failure() }
                return try body($0)
            }
        }) { XCTAssertTrue("\($0)".contains("no such luck"), "\($0)") }
    }
}
