import Foundation
import Torch
import XCTest

final class TensorTests: XCTestCase {
    /// Checks that `body` throws what libtorch says, with `phrase` in it.
    private func assertRefused(
        saying phrase: String, line: UInt = #line, _ body: () throws -> some Any
    ) {
        XCTAssertThrowsError(try body(), line: line) { error in
            guard let error = error as? TorchError else { return XCTFail("\(error)", line: line) }
            XCTAssertTrue(error.description.contains(phrase), error.description, line: line)
        }
    }

    // MARK: - Creation and access

    func testElementsAreRowMajor() throws {
        let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        XCTAssertEqual(tensor.shape, [2, 3])
        XCTAssertEqual(tensor.rank, 2)
        XCTAssertEqual(tensor.count, 6)
        XCTAssertEqual(tensor.size(0), 2)
        XCTAssertEqual(tensor.size(-1), 3)
        XCTAssertEqual(tensor.device, .cpu)
        XCTAssertEqual(try tensor.elements(Float.self), [1, 2, 3, 4, 5, 6])
        // Its rows don't follow each other in memory.
        let columns = try tensor.narrowed(1, 1..<3)
        XCTAssertEqual(try columns.elements(Float.self), [2, 3, 5, 6])
        XCTAssertEqual(try columns.bytes(), try Tensor([2, 3, 5, 6] as [Float]).bytes())
    }

    func testArraysMakeTensorsOfTheirElementType() throws {
        XCTAssertEqual(try Tensor([1.5] as [Float]).dtype, .float32)
        XCTAssertEqual(try Tensor([1.5] as [Double]).dtype, .float64)
        XCTAssertEqual(try Tensor([1] as [Int64]).dtype, .int64)
        XCTAssertEqual(try Tensor([1] as [Int32]).dtype, .int32)
        XCTAssertEqual(try Tensor([1] as [UInt8]).dtype, .uint8)
    }

    func testElementsAreConvertedToTheTypeAskedFor() throws {
        let tensor = try Tensor([-2, 0, 1.75] as [Double])
        XCTAssertEqual(try tensor.elements(Float.self), [-2, 0, 1.75])
        XCTAssertEqual(try tensor.elements(Int64.self), [-2, 0, 1])
        XCTAssertEqual(try tensor.to(.bool).elements(UInt8.self), [1, 0, 1])
        XCTAssertEqual(try tensor.to(.float16).elements(Double.self), [-2, 0, 1.75])
        XCTAssertEqual(try Tensor([0.1] as [Double]).elements(Float.self), [0.1])
        for dtype in DType.allCases {
            let small = try Tensor([0, 1, 5] as [Int32]).to(dtype)
            XCTAssertEqual(small.dtype, dtype)
            XCTAssertEqual(try small.bytes().count, 3 * dtype.byteSize, "\(dtype)")
            XCTAssertEqual(try small.elements(Float.self), dtype == .bool ? [0, 1, 1] : [0, 1, 5], "\(dtype)")
        }
    }

    func testConversionThatChangesNothingIsTheTensorItself() throws {
        let tensor = try Tensor([1] as [Float])
        XCTAssertTrue(try tensor.to(.float32, device: .cpu) === tensor)
        XCTAssertFalse(try tensor.to(.float64) === tensor)
    }

    func testFilledTensors() throws {
        XCTAssertEqual(try Tensor.zeros([2, 2]).elements(Float.self), [0, 0, 0, 0])
        XCTAssertEqual(try Tensor.full([3], 0.1, dtype: .float64).elements(Double.self), [0.1, 0.1, 0.1])
        XCTAssertEqual(try Tensor.full([], 7).shape, [])
        XCTAssertEqual(try Tensor.full([], 7).item(), 7)
        XCTAssertEqual(try Tensor.zeros([0, 3]).elements(Float.self), [])
        XCTAssertEqual(try Tensor([] as [Int64]).shape, [0])
    }

    func testBytesAreCopied() throws {
        var values: [Int32] = [3, -1]
        let tensor = try values.withUnsafeBytes { try Tensor(bytes: $0, shape: [2], dtype: .int32) }
        values[0] = 9
        XCTAssertEqual(try tensor.elements(Int32.self), [3, -1])
        XCTAssertEqual(try tensor.bytes(), [3, 0, 0, 0, 255, 255, 255, 255])
    }

    func testNormalDeviatesDependOnTheSeedAlone() throws {
        let values: [Double] = try Tensor.normal([40, 50], std: 0.5, seed: 3).elements()
        XCTAssertEqual(try Tensor.normal([40, 50], std: 0.5, seed: 3).elements(), values)
        XCTAssertNotEqual(try Tensor.normal([40, 50], std: 0.5, seed: 4).elements(), values)
        let mean = values.reduce(0, +) / 2000
        // Four standard deviations of a mean and of a variance of 2,000.
        XCTAssertEqual(mean, 0, accuracy: 0.045)
        XCTAssertEqual(values.map { $0 * $0 }.reduce(0, +) / 2000, 0.25, accuracy: 0.032)
    }

    // MARK: - Errors

    func testMismatchesThrowWhatLibtorchSays() throws {
        let matrix = try Tensor.zeros([2, 3])
        assertRefused(saying: "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)") {
            try matrix.matrixMultiplied(matrix)
        }
        assertRefused(saying: "must match the size of tensor b (4)") { try matrix + Tensor.zeros([2, 4]) }
        assertRefused(saying: "invalid for input of size 6") { try matrix.reshaped([4, 2]) }
        assertRefused(saying: "Dimension out of range") { try matrix.narrowed(2, 0..<1) }
        assertRefused(saying: "exceeds dimension size (3)") { try matrix.narrowed(1, 2..<4) }
        assertRefused(saying: "out of range") { try matrix.selected(0, Tensor([2] as [Int64])) }
        assertRefused(saying: "index out of range") { try embedding(Tensor([5] as [Int64]), table: matrix) }
        assertRefused(saying: "Target 3 is out of bounds") {
            try crossEntropy(logits: matrix, classes: Tensor([0, 3] as [Int64]))
        }
        assertRefused(saying: "same dtype") { try matrix.matrixMultiplied(Tensor.zeros([3, 2], dtype: .float64)) }
    }

    func testShapesThatDoNotHoldTheElementsThrow() throws {
        assertRefused(saying: "the shape needs 24 bytes, not 20") {
            try Tensor([1, 2, 3, 4, 5] as [Float], shape: [2, 3])
        }
        assertRefused(saying: "negative dimension") { try Tensor.zeros([2, -3]) }
        assertRefused(saying: "a tensor of shape [2] is not one number") { try Tensor.zeros([2]).item() }
        assertRefused(saying: "can't allocate memory") { try Tensor.zeros([1 << 40, 1 << 20]) }
    }

    func testDeviceThatIsNotThereThrows() throws {
        XCTAssertThrowsError(try Tensor.zeros([1], device: .cuda(99))) { XCTAssertTrue($0 is TorchError) }
    }

    func testTensorsOutliveAnError() throws {
        let matrix = try Tensor([1, 2] as [Float], shape: [2, 1])
        for _ in 0..<100 { XCTAssertThrowsError(try matrix.matrixMultiplied(matrix)) }
        XCTAssertEqual(try (matrix + 1).elements(Float.self), [2, 3])
    }

    // MARK: - Functions

    func testShapeFunctions() throws {
        let tensor = try Tensor([0, 1, 2, 3, 4, 5] as [Int64], shape: [2, 3])
        func elements(_ tensor: Tensor) throws -> [Int64] { try tensor.elements() }
        XCTAssertEqual(try tensor.reshaped([3, -1]).shape, [3, 2])
        XCTAssertEqual(try tensor.unsqueezed(1).shape, [2, 1, 3])
        XCTAssertEqual(try elements(tensor.narrowed(1, 1..<3)), [1, 2, 4, 5])
        XCTAssertEqual(try elements(tensor.selected(1, Tensor([2, 0, 2] as [Int64]))), [2, 0, 2, 5, 3, 5])
    }

    func testArithmeticBroadcasts() throws {
        let matrix = try Tensor([1, 2, 3, 4] as [Double], shape: [2, 2])
        let row = try Tensor([10, 20] as [Double])
        func elements(_ tensor: Tensor) throws -> [Double] { try tensor.elements() }
        XCTAssertEqual(try elements(matrix + row), [11, 22, 13, 24])
        XCTAssertEqual(try elements(matrix - row), [-9, -18, -7, -16])
        XCTAssertEqual(try elements(matrix * row), [10, 40, 30, 80])
        XCTAssertEqual(try elements(matrix + 0.5), [1.5, 2.5, 3.5, 4.5])
        XCTAssertEqual(try elements(matrix * 2), [2, 4, 6, 8])
        XCTAssertEqual(try elements(matrix.matrixMultiplied(matrix)), [7, 10, 15, 22])
        XCTAssertEqual(try matrix.sum().item(), 10)
    }

    func testLossesAndActivations() throws {
        let logits = try Tensor([2, 0, -1, 1] as [Double], shape: [2, 2])
        let expected = (log(1 + exp(-2.0)) + log(1 + exp(2.0))) / 2
        let classes = try Tensor([0, 0] as [Int64])
        XCTAssertEqual(try crossEntropy(logits: logits, classes: classes).item(), expected, accuracy: 1e-14)
        let targets = try Tensor([1, 1, 1, 1] as [Double], shape: [2, 2])
        XCTAssertEqual(try meanSquaredError(logits, targets).item(), 1.5)
        XCTAssertEqual(try relu(logits).elements(Double.self), [2, 0, 0, 1])
        let active: [Double] = try gelu(logits, bias: Tensor([0, 0.5] as [Double])).elements()
        for (value, z) in zip(active, [2, 0.5, -1, 1.5]) {
            XCTAssertEqual(value, z / 2 * (1 + erf(z / 2.0.squareRoot())), accuracy: 1e-14)
        }
    }
}
