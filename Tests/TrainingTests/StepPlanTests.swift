import XCTest

@testable import Training

final class StepPlanTests: XCTestCase {
    private func plan(
        batches: Int, accumulation: Int = 1, epochs: Double = 1, maxSteps: Int? = nil, asOriginal: Bool = false
    ) -> StepPlan {
        var settings = TrainingSettings()
        settings.accumulationSteps = accumulation
        settings.epochs = epochs
        settings.maxSteps = maxSteps
        settings.reproducesOriginal = asOriginal
        return StepPlan(settings, batchesPerEpoch: batches)
    }

    private func dueBatches(_ plan: StepPlan, of batches: Int) -> [Int] {
        (0..<batches).filter(plan.isDue(afterBatch:))
    }

    func testFractionOfAnEpochIsTrained() {
        for (batches, epochs, steps) in [(7, 1.5, 11), (4, 1.5, 6), (3, 0.1, 1), (10, 3, 30), (10, 0, 0)] {
            let plan = plan(batches: batches, epochs: epochs)
            XCTAssertEqual(plan.totalSteps, steps)
            XCTAssertEqual(plan.expectedSteps, steps)
            XCTAssertFalse(plan.isFinished(step: steps - 1, epoch: 9))
            XCTAssertTrue(plan.isFinished(step: steps, epoch: 0))
        }
    }

    func testMaxStepsReplacesTheEpochs() {
        for steps in [1, 4, 100] {
            let plan = plan(batches: 7, epochs: 3, maxSteps: steps)
            XCTAssertEqual(plan.totalSteps, steps)
            XCTAssertEqual(plan.expectedSteps, steps)
            XCTAssertFalse(plan.isFinished(step: steps - 1, epoch: 50))
            XCTAssertTrue(plan.isFinished(step: steps, epoch: 0))
        }
    }

    func testBatchesLeftOverAtAnEpochsEndMakeAnUpdate() {
        let plan = plan(batches: 7, accumulation: 3, epochs: 2)
        XCTAssertEqual(plan.totalSteps, 6)
        XCTAssertEqual(dueBatches(plan, of: 7), [2, 5, 6])
        XCTAssertEqual((0..<7).map(plan.share(ofBatch:)), [1, 1, 1, 1, 1, 1, 3].map { $0 / 3 })
    }

    func testBatchesOfAnUpdateWeighOneTogether() {
        for batches in 1...9 {
            for accumulation in 1...6 {
                let plan = plan(batches: batches, accumulation: accumulation)
                var (sum, updates) = (0.0, 0)
                for batch in 0..<batches {
                    sum += plan.share(ofBatch: batch)
                    guard plan.isDue(afterBatch: batch) else { continue }
                    XCTAssertEqual(sum, 1, accuracy: 1e-15, "\(batches) batches, \(accumulation) an update")
                    (sum, updates) = (0, updates + 1)
                }
                XCTAssertEqual(sum, 0, "batches are left over")
                XCTAssertEqual(updates, plan.totalSteps)
            }
        }
    }

    // MARK: - As the original

    func testOriginalMakesOneUpdateMoreThanMaxSteps() {
        for (batches, accumulation) in [(1, 1), (5, 1), (7, 3), (3, 3)] {
            for steps in [1, 4, 5, 6, 20] {
                let plan = plan(batches: batches, accumulation: accumulation, maxSteps: steps, asOriginal: true)
                XCTAssertEqual(plan.totalSteps, steps, "what the learning rate's schedule is laid over")
                XCTAssertEqual(plan.expectedSteps, steps + 1)
                XCTAssertFalse(plan.isFinished(step: steps, epoch: 0))
                XCTAssertTrue(plan.isFinished(step: steps + 1, epoch: 0))
            }
        }
    }

    func testOriginalTrainsWholeEpochsOnAScheduleOfTheFraction() {
        let plan = plan(batches: 7, epochs: 1.5, asOriginal: true)
        XCTAssertEqual(plan.totalSteps, 10)
        XCTAssertEqual(plan.expectedSteps, 7)
        XCTAssertFalse(plan.isFinished(step: 6, epoch: 0))
        XCTAssertTrue(plan.isFinished(step: 7, epoch: 1))
    }

    func testOriginalsScheduleCountsFullUpdatesOnly() {
        // int(7 // 2 · 2.5) and int(7 // 3 · 1.9).
        for (accumulation, epochs, total, expected) in [(2, 2.5, 7, 6), (3, 1.9, 3, 2)] {
            let plan = plan(batches: 7, accumulation: accumulation, epochs: epochs, asOriginal: true)
            XCTAssertEqual(plan.totalSteps, total)
            XCTAssertEqual(plan.expectedSteps, expected)
        }
    }

    func testOriginalLeavesOutWhatIsLeftOverAtAnEpochsEnd() {
        let plan = plan(batches: 7, accumulation: 3, asOriginal: true)
        XCTAssertEqual(dueBatches(plan, of: 7), [2, 5])
        XCTAssertEqual((0..<7).map(plan.share(ofBatch:)), Array(repeating: 1.0 / 3, count: 7))
    }

    func testOriginalUpdatesAtTheEndOfAnEpochThatHasTooFewBatches() {
        for batches in 1...3 {
            let plan = plan(batches: batches, accumulation: 3, epochs: 2, asOriginal: true)
            XCTAssertEqual(dueBatches(plan, of: batches), [batches - 1])
            XCTAssertEqual(plan.expectedSteps, 2)
            XCTAssertEqual(plan.share(ofBatch: 0), 1.0 / 3)
        }
    }
}
