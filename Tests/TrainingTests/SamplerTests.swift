import Training
import XCTest

final class SamplerTests: XCTestCase {
    private func sampler(
        _ sampling: Sampling, _ counts: [Int], batchSize: Int = 8, seed: UInt64 = 1, lengths: Sampler.Lengths? = nil
    ) -> Sampler {
        Sampler(
            sampling, sizes: counts.enumerated().map { (task: $0, count: $1) }, batchSize: batchSize, seed: seed,
            lengths: lengths)
    }

    // MARK: - Proportional

    func testProportionalDrawsEachExampleOnceAnEpoch() {
        let counts = [10, 25, 3]
        var sampler = sampler(.proportional, counts)
        XCTAssertEqual(sampler.batchesPerEpoch, 5)
        for _ in 0..<3 {
            let batches = sampler.epoch()
            XCTAssertEqual(batches.map(\.count), [8, 8, 8, 8, 6])
            assertOnceEach(batches.flatMap { $0 }, counts)
        }
    }

    func testProportionalMixesTheTasksInABatch() {
        var sampler = sampler(.proportional, [40, 40])
        XCTAssertTrue(sampler.epoch().allSatisfy { Set($0.map(\.task)).count == 2 })
    }

    func testProportionalBatchesHoldTheTasksByTheirShareOfTheData() {
        let counts = [10, 25, 3]
        var drawn = [0.0, 0.0, 0.0]
        let seeds = 400
        for seed in 0..<seeds {
            var sampler = sampler(.proportional, counts, seed: UInt64(seed))
            for example in sampler.nextExamples() { drawn[example.task] += 1 }
        }
        for (task, count) in counts.enumerated() {
            // Five standard deviations of 400 × 8 draws are less than 0.04.
            XCTAssertEqual(drawn[task] / Double(8 * seeds), Double(count) / 38, accuracy: 0.04)
        }
    }

    // MARK: - Sequential

    func testSequentialTakesTheTasksInTheirOrderOneABatch() {
        let sizes = [(task: 4, count: 10), (task: 0, count: 17), (task: 2, count: 3)]
        var sampler = Sampler(.sequential, sizes: sizes, batchSize: 8, seed: 1)
        XCTAssertEqual(sampler.batchesPerEpoch, 6)
        var orders: Set<[Int]> = []
        for _ in 0..<3 {
            let batches = sampler.epoch()
            XCTAssertEqual(batches.map { Set($0.map(\.task)) }, [[4], [4], [0], [0], [0], [2]])
            XCTAssertEqual(batches.map(\.count), [8, 2, 8, 8, 1, 3])
            let order = batches[2...4].flatMap { $0.map(\.index) }
            XCTAssertEqual(order.sorted(), Array(0..<17))
            orders.insert(order)
        }
        XCTAssertEqual(orders.union([Array(0..<17)]).count, 4, "each epoch has an order of its own")
    }

    // MARK: - Uniform

    func testUniformDrawsAsManyOfEachTask() {
        var sampler = sampler(.uniform(share: 0.5), [40, 7, 12])
        XCTAssertEqual(sampler.batchesPerEpoch, 8)
        for _ in 0..<3 {
            let batches = sampler.epoch()
            XCTAssertEqual(batches.map(\.count), [8, 8, 8, 8, 8, 8, 8, 4])
            let tasks = batches.flatMap { $0.map(\.task) }
            XCTAssertEqual((0..<3).map { task in tasks.filter { $0 == task }.count }, [20, 20, 20])
        }
    }

    func testUniformRepeatsNoExampleBeforeItsTaskIsExhausted() {
        let counts = [40, 7, 12]
        var sampler = sampler(.uniform(share: 0.5), counts)
        var drawn: [ExampleReference: Int] = [:]
        for epoch in 1...6 {
            for example in sampler.epoch().joined() { drawn[example, default: 0] += 1 }
            for (task, count) in counts.enumerated() {
                let times = (0..<count).map { drawn[ExampleReference(task: task, index: $0), default: 0] }
                XCTAssertEqual(times.min(), 20 * epoch / count)
                XCTAssertEqual(times.max(), (20 * epoch + count - 1) / count)
            }
        }
    }

    func testUniformMixesTheTasksInABatch() {
        var sampler = sampler(.uniform(share: 1), [40, 7])
        XCTAssertTrue(sampler.epoch().allSatisfy { Set($0.map(\.task)).count == 2 })
    }

    func testUniformsShareIsKeptWithinZeroAndOne() {
        func examples(_ share: Double) -> Int {
            var sampler = sampler(.uniform(share: share), [40, 7, 12])
            return sampler.epoch().joined().count
        }
        XCTAssertEqual(examples(1), 120)
        XCTAssertEqual(examples(1.7), 120)
        XCTAssertEqual(examples(.infinity), 120)
        // An epoch is never empty: at least one example of each task.
        XCTAssertEqual(examples(0), 3)
        XCTAssertEqual(examples(-0.5), 3)
        XCTAssertEqual(examples(0.27), 33, "0.27 · 40 is 11, rounded")
    }

    // MARK: - Uncertainty

    private let uncertainty = Sampling.uncertainty(share: 1, score: .original)

    func testUncertaintyOffersABatchOfEachTask() {
        var sampler = sampler(uncertainty, [7, 9, 4], batchSize: 4)
        let pools = (0..<6).map { _ in sampler.nextExamples().map(\.task) }
        // A task's last batch is what is left; then it starts anew.
        let sizes = [[4, 4, 4], [3, 4, 4], [4, 1, 4], [3, 4, 4], [4, 4, 4], [3, 1, 4]]
        XCTAssertEqual(pools, sizes.map { sizes in sizes.enumerated().flatMap { Array(repeating: $0, count: $1) } })
    }

    func testUncertaintyOffersNoExampleAgainBeforeItsTaskIsExhausted() {
        var sampler = sampler(uncertainty, [7, 9, 4], batchSize: 4)
        let offered = (0..<12).flatMap { _ in sampler.nextExamples() }
        for (task, count) in [7, 9, 4].enumerated() {
            let indices = offered.filter { $0.task == task }.map(\.index)
            let rounds = stride(from: 0, to: indices.count - count + 1, by: count).map {
                Array(indices[$0..<$0 + count])
            }
            XCTAssertGreaterThan(rounds.count, 2)
            XCTAssertTrue(rounds.allSatisfy { $0.sorted() == Array(0..<count) })
            // Of four examples there are 24 orders only, some of which come again.
            XCTAssertGreaterThan(Set(rounds).count, rounds.count / 2, "each round has an order of its own")
        }
    }

    func testUncertaintysEpochIsTheShareOfTheTasksTimesTheLargestsBatches() {
        func batches(_ share: Double, _ counts: [Int]) -> Int {
            sampler(.uncertainty(share: share, score: .paper), counts, batchSize: 4).batchesPerEpoch
        }
        XCTAssertEqual(batches(1, [7, 9, 4]), 9)
        XCTAssertEqual(batches(0.5, [7, 9, 4]), 4)
        XCTAssertEqual(batches(0.99, [7, 9, 4]), 8)
        XCTAssertEqual(batches(1, [5]), 2)
        XCTAssertEqual(batches(0, [7, 9, 4]), 1, "an epoch is never empty")
    }

    // MARK: - Batches of about one length

    /// Lengths from 3 to 102 that have no order.
    private let lengths: Sampler.Lengths = { 3 + ($0.index * 37 + $0.task * 11) % 100 }

    func testGroupingDrawsTheSameExamplesInBatchesOfAboutOneLength() {
        let counts = [1000, 413, 30]
        for sampling in [.proportional, .sequential, .uniform(share: 0.5)] as [Sampling] {
            var plain = sampler(sampling, counts)
            var grouped = sampler(sampling, counts, lengths: lengths)
            XCTAssertEqual(grouped.batchesPerEpoch, plain.batchesPerEpoch)
            for _ in 0..<2 {
                let (one, other) = (plain.epoch(), grouped.epoch())
                XCTAssertEqual(other.map(\.count), one.map(\.count), "\(sampling)")
                let order = { (a: ExampleReference, b: ExampleReference) in (a.task, a.index) < (b.task, b.index) }
                XCTAssertEqual(other.joined().sorted(by: order), one.joined().sorted(by: order), "\(sampling)")
                // Lengths of a random batch of 8 reach over 77 of 100 on average; a megabatch here has 400 of them.
                let spreads = other.map { batch in (batch.map(lengths).max() ?? 0) - (batch.map(lengths).min() ?? 0) }
                XCTAssertLessThan(spreads.reduce(0, +), 20 * spreads.count, "\(sampling)")
            }
        }
    }

    func testGroupingLeavesSequentialsTasksInTheirOrder() {
        var sampler = sampler(.sequential, [100, 44], lengths: lengths)
        XCTAssertEqual(
            sampler.epoch().map { Set($0.map(\.task)) },
            Array(repeating: [0], count: 13) + Array(repeating: [1], count: 6))
    }

    func testGroupedBatchesComeInAnOrderThatIsNotThatOfLengthAndChangesFromEpochToEpoch() {
        var sampler = sampler(.proportional, [800], lengths: lengths)
        let epochs = (0..<2).map { _ in sampler.epoch() }
        for epoch in epochs {
            let longest = epoch.map { $0.map(lengths).max() ?? 0 }
            let rising = zip(longest, longest.dropFirst()).count { $0 < $1 }
            // Of 99 neighbours half rise, with a standard deviation of 3 (less than a coin's, as neighbours share a
            // batch).
            XCTAssertEqual(Double(rising), 49.5, accuracy: 15)
        }
        XCTAssertNotEqual(epochs[0], epochs[1])
    }

    func testUncertaintyTakesNoNoticeOfLengths() {
        var plain = sampler(uncertainty, [31, 17])
        var grouped = sampler(uncertainty, [31, 17], lengths: lengths)
        XCTAssertEqual((0..<20).map { _ in grouped.next() }, (0..<20).map { _ in plain.next() })
    }

    // MARK: - Seeds

    private let all: [Sampling] = [
        .proportional, .sequential, .uniform(share: 0.7), .uncertainty(share: 0.7, score: .original),
    ]

    func testDrawsDependOnTheArgumentsAlone() {
        for sampling in all {
            let draws = (0..<2).map { _ in
                var sampler = sampler(sampling, [31, 17])
                return (0..<40).map { _ in sampler.next() }
            }
            XCTAssertEqual(draws[0], draws[1], "\(sampling)")
        }
    }

    func testSeedsGiveOtherDraws() {
        for sampling in all {
            let draws = (0..<3 as Range<UInt64>).map { seed in
                var sampler = sampler(sampling, [31, 17], seed: seed)
                return (0..<5).map { _ in sampler.nextExamples() }
            }
            XCTAssertEqual(Set(draws).count, 3, "\(sampling)")
        }
    }

    func testEpochsDiffer() {
        for sampling in all {
            var sampler = sampler(sampling, [31, 17])
            let epochs = (0..<3).map { _ in sampler.epoch() }
            XCTAssertEqual(Set(epochs).count, 3, "\(sampling)")
        }
    }

    private func assertOnceEach(_ examples: [ExampleReference], _ counts: [Int], line: UInt = #line) {
        XCTAssertEqual(examples.count, counts.reduce(0, +), line: line)
        let all = counts.enumerated().flatMap { task, count in
            (0..<count).map { ExampleReference(task: task, index: $0) }
        }
        XCTAssertEqual(Set(examples), Set(all), line: line)
    }
}

extension Sampler {
    /// The examples of the next draw, whatever they are to be.
    mutating func nextExamples() -> [ExampleReference] {
        switch next() {
        case .batch(let examples), .candidates(let examples): examples
        }
    }

    /// The draws of an epoch.
    mutating func epoch() -> [[ExampleReference]] { (0..<batchesPerEpoch).map { _ in nextExamples() } }
}
