import Foundation
import XCTest

@testable import Tasks

final class MetricsTests: XCTestCase {
    private struct GoldenCase: Decodable {
        var task: String
        var `case`: String
        var logits: [[Float]]
        var labels: [Float]
        /// null is NaN. One case records an exception instead.
        var metrics: [String: Value?]

        enum Value: Decodable {
            case number(Double)
            case text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Double.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }
    }

    private func task(_ name: String) throws -> TaskDefinition {
        try GLUE.task(named: name == "mnli-mm" ? "mnli" : name)
    }

    /// 1e-9: the original works in double precision too, and sums in another order.
    func testEveryMetricIsThatOfTheOriginal() throws {
        let cases = try JSONDecoder().decode([GoldenCase].self, from: TestData.golden("metrics.json"))
        XCTAssertGreaterThan(cases.count, 200)
        for golden in cases {
            let name = "\(golden.task) \(golden.case)"
            let scores = try task(golden.task).scores(logits: Array(golden.logits.joined()), labels: golden.labels)
            if golden.metrics.keys.contains("exception") {
                // The original fails on a single sentence pair; no correlation is defined for it.
                XCTAssertEqual(name, "sts-b single")
                XCTAssertTrue(scores.entries.allSatisfy { $0.value.isNaN }, name)
                continue
            }
            XCTAssertEqual(Set(scores.entries.map(\.metric.rawValue)), Set(golden.metrics.keys), name)
            for entry in scores.entries {
                switch golden.metrics[entry.metric.rawValue] {
                case .some(.some(.number(let value))):
                    XCTAssertEqual(entry.value, value, accuracy: 1e-9, "\(name) \(entry.metric.rawValue)")
                case .some(.none):
                    XCTAssertTrue(entry.value.isNaN, "\(name) \(entry.metric.rawValue)")
                default:
                    XCTFail("\(name) has no number \(entry.metric.rawValue)")
                }
            }
        }
    }

    func testTheTaskScoreIsTheMeanOfATasksTwoMetrics() throws {
        let pairs = try task("mrpc").scores(logits: [0, 1, 0, 1, 1, 0, 1, 0], labels: [1, 0, 0, 0])
        XCTAssertEqual(pairs[.accuracy], 0.75)
        XCTAssertEqual(try XCTUnwrap(pairs[.f1]), 2.0 / 3, accuracy: 1e-15)
        XCTAssertEqual(pairs.taskScore, (0.75 + 2.0 / 3) / 2, accuracy: 1e-15)
        XCTAssertEqual(pairs[.accuracyAndF1], pairs.taskScore)
        XCTAssertNil(pairs[.matthews])

        let similarity = try task("sts-b").scores(logits: [1, 2, 4], labels: [0, 3, 4])
        XCTAssertEqual(
            similarity.taskScore, (try XCTUnwrap(similarity[.pearson]) + XCTUnwrap(similarity[.spearman])) / 2)
        XCTAssertEqual(try task("rte").scores(logits: [1, 0], labels: [0]).taskScore, 1)
    }

    func testMatthewsOfThreeClassesIsGorodkinsCoefficient() throws {
        var task = try task("mnli")
        task.kind = try Classification(labels: ["a", "b", "c"])
        task.measured = [.matthews]
        let predictions = [0, 1, 2, 2], labels: [Float] = [0, 1, 2, 0]
        let logits = predictions.flatMap { k in (0..<3).map { Float($0 == k ? 1 : 0) } }
        // c = 3, s = 4, p = (1, 1, 2), t = (2, 1, 1): (12 - 5) / sqrt((16 - 6)(16 - 6)).
        XCTAssertEqual(try task.scores(logits: logits, labels: labels).taskScore, 0.7, accuracy: 1e-15)
    }

    func testF1IsThatOfTheClassOneWhereverItStands() throws {
        var task = try task("mrpc")
        let predictions = [1, 1, 0, 1, 0], labels = [1, 0, 0, 1, 1]
        func f1(_ names: [String]) throws -> Double? {
            task.kind = try Classification(labels: names)
            func position(_ label: Int) -> Int { names.firstIndex(of: "\(label)") ?? -1 }
            let logits = predictions.flatMap { k in (0..<2).map { Float($0 == position(k) ? 1 : 0) } }
            return try task.scores(logits: logits, labels: labels.map { Float(position($0)) })[.f1]
        }
        // 2 right of 3 predicted and 3 true.
        XCTAssertEqual(try XCTUnwrap(f1(["0", "1"])), 2.0 / 3, accuracy: 1e-15)
        XCTAssertEqual(try f1(["1", "0"]), try f1(["0", "1"]))
    }

    func testTheLargestLogitIsTheFirstOfEqualOnesOrTheFirstNaN() {
        XCTAssertEqual(indexOfMaximum([1, 3, 3]), 1)
        XCTAssertEqual(indexOfMaximum([0, .nan, 9, .nan]), 1)
        XCTAssertEqual(indexOfMaximum([-.infinity, -.infinity]), 0)
        XCTAssertEqual(indexOfMaximum([-.infinity, -1, .infinity]), 2)
        XCTAssertEqual(indexOfMaximum([Float]()), 0)
        XCTAssertEqual(indexOfMaximum([5, 1, 7, 2][2...]), 0)
    }

    func testANaNAmongTheLogitsIsCountedNotFatal() throws {
        XCTAssertEqual(try task("rte").scores(logits: [.nan, 1, 0, 1], labels: [0, 1])[.accuracy], 1)
        let similarity = try task("sts-b").scores(logits: [.nan, 1, 2], labels: [0, 1, 2])
        XCTAssertTrue(similarity.entries.allSatisfy { $0.value.isNaN })
        let infinite = try task("sts-b").scores(logits: [.infinity, 1, 2], labels: [2, 0, 1])
        XCTAssertEqual(infinite[.pearson]?.isNaN, true)
        XCTAssertEqual(try XCTUnwrap(infinite[.spearman]), 1, accuracy: 1e-15)
    }

    func testInputsThatDoNotFitAreErrors() throws {
        let task = try task("rte")
        XCTAssertThrowsError(try task.scores(logits: [1, 0, 1], labels: [0])) {
            XCTAssertEqual("\($0)", "rte: 3 logits for 1 labels; wanted 2 a label.")
        }
        XCTAssertThrowsError(try task.scores(logits: [], labels: [])) {
            XCTAssertEqual("\($0)", "rte: there is nothing to measure, the evaluation set is empty.")
        }
        for label: Float in [2, -1, 0.5, .nan, .infinity] {
            XCTAssertThrowsError(try task.scores(logits: [1, 0, 1, 0], labels: [0, label])) {
                XCTAssertEqual(
                    "\($0)", "rte: the label \(label) of sample 1 is no class; the classes are 0 to 1.")
            }
        }
    }
}
