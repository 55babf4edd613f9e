import Torch
import XCTest

final class LossScalerTests: XCTestCase {
    func testHalvesAfterGradientsThatAreNotFiniteAndDoublesAfterManyThatAre() {
        var scaler = LossScaler(scale: 8, growthInterval: 3)
        var scales: [Double] = []
        for isFinite in [true, true, false, true, true, true, true, false, false, true] {
            scaler.record(finite: isFinite)
            scales.append(scaler.scale)
        }
        XCTAssertEqual(scales, [8, 8, 4, 4, 4, 8, 8, 4, 2, 2])
        XCTAssertEqual(scaler.updatesSinceChange, 1)
    }

    /// As `torch.amp.GradScaler` begins, and stays within float32.
    func testDefaults() {
        var scaler = LossScaler()
        XCTAssertEqual(scaler.scale, 65536)
        for _ in 0..<1999 { scaler.record(finite: true) }
        XCTAssertEqual(scaler.scale, 65536)
        scaler.record(finite: true)
        XCTAssertEqual(scaler.scale, 131072)
        for _ in 0..<2000 * 200 { scaler.record(finite: true) }
        XCTAssertTrue(Float(scaler.scale).isFinite)
        XCTAssertGreaterThan(scaler.scale, 1e38)
    }

    func testIsTheSameAfterItWasSaved() throws {
        var scaler = LossScaler(scale: 4, growthFactor: 3, backoffFactor: 0.25, growthInterval: 2)
        scaler.record(finite: true)
        var copy = try JSONDecoder().decode(LossScaler.self, from: JSONEncoder().encode(scaler))
        XCTAssertEqual(copy, scaler)
        copy.record(finite: true)
        XCTAssertEqual(copy.scale, 12)
        copy.record(finite: false)
        XCTAssertEqual(copy.scale, 3)
    }
}
