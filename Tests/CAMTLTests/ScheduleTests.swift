import Torch
import XCTest

final class ScheduleTests: XCTestCase {
    private struct Case: Decodable {
        let total: Int
        let warmupProportion: Double
        let baseLr: Double
        let lrUsedByStep: [Double]
    }

    func testLearningRatesAreTheOriginals() throws {
        let cases = try GoldenFiles.json("schedule.json", as: [Case].self)
        XCTAssertFalse(cases.isEmpty)
        for expected in cases {
            let schedule = LinearSchedule(
                rate: expected.baseLr, totalSteps: expected.total, warmupProportion: expected.warmupProportion)
            // Both sides compute in float64, and may only round differently.
            assertRelativelyClose(
                expected.lrUsedByStep.indices.map(schedule.rate(at:)), expected.lrUsedByStep, within: 1e-9,
                "\(expected.total) steps, \(expected.warmupProportion) of them to warm up")
        }
    }
}
