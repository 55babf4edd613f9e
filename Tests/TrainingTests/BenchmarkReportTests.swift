import Torch
import XCTest

@testable import Training

final class BenchmarkReportTests: XCTestCase {
    func testRatesAreMediansOfTheSteps() {
        let training = BenchmarkReport.Training(
            sampling: "uniform", batchSize: 8, seconds: [0.5, 2, 1], examples: [8, 8, 4], tokens: [100, 300, 120],
            operations: [1e9, 6e9, 5e9])
        XCTAssertEqual(training.median, 1)
        // 16, 4 and 4 a second; 200, 150 and 120; 2e9, 3e9 and 5e9.
        XCTAssertEqual(
            [training.examplesPerSecond, training.tokensPerSecond, training.operationsPerSecond], [4, 150, 3e9])
        XCTAssertEqual(Benchmark.median([4, 1, 3, 2]), 2.5)
    }

    func testRatesOfTheOtherParts() {
        let evaluation = BenchmarkReport.Evaluation(
            batchSize: 8, examples: 20, tokens: 500, operations: 4e9, seconds: 0.5)
        XCTAssertEqual(
            [evaluation.examplesPerSecond, evaluation.tokensPerSecond, evaluation.operationsPerSecond], [40, 1000, 8e9])
        let tokenizer = BenchmarkReport.Tokenizer(rows: 10, bytes: 4000, tokens: 900, seconds: [2, 0.5, 0.1])
        XCTAssertEqual([tokenizer.bytesPerSecond, tokenizer.tokensPerSecond], [8000, 1800])
        XCTAssertEqual(BenchmarkReport.Picks(steps: 2, picked: 16, equal: 12).share, 0.75)
    }

    /// A product of n × n matrices has 2 n³ operations; the peak is that of the size and the way with the most.
    func testThePeakIsTheMostOperationsASecondOfAnyProduct() throws {
        var sizes: [Int] = []
        let peak = try Benchmark.gemmPeak(on: .cpu, .float32) { product in
            let size = try product().size(0)
            sizes.append(size)
            // Half as long where it comes second.
            return Double(size * size) / (sizes.count { $0 == size } == 2 ? 2 : 1)
        }
        XCTAssertEqual(sizes, [1024, 1024, 1536, 1536, 2048, 2048])
        XCTAssertEqual(peak, 2 * 2 * 2048)
    }
}
