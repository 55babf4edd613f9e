import Foundation
import Torch
import Training
import XCTest

final class UncertaintyTests: XCTestCase {
    /// Two labels; mean entropy 0.4, relative to ln 2.
    private let two = [0.6, 0.2].map { Candidate(task: 0, entropy: $0, labelCount: 2) }
    /// Three labels; mean entropy 0.6, relative to ln 3.
    private let three = [1.0, 0.5, 0.3].map { Candidate(task: 1, entropy: $0, labelCount: 3) }
    private let values = (0..<4).map { _ in Candidate(task: 2, entropy: 0, labelCount: 1) }

    private func scores(_ pool: [Candidate], _ score: UncertaintyScore, seed: UInt64 = 1) -> [Double] {
        var random = RandomStream(seed: seed)
        return uncertaintyScores(pool, score: score, random: &random)
    }

    private func assertEqual(_ scores: [Double], _ expected: [Double], line: UInt = #line) {
        XCTAssertEqual(scores.count, expected.count, line: line)
        for (score, other) in zip(scores, expected) { XCTAssertEqual(score, other, accuracy: 1e-14, line: line) }
    }

    func testOriginalScoreIsTheRelativeEntropyTimesThatOfTheTask() {
        let (most, more) = (log(2) + 1e-5, log(3) + 1e-5)
        let highest = max(0.4 / most, 0.6 / more)
        assertEqual(
            scores(two + three, .original),
            [0.6, 0.2].map { $0 / most * (0.4 / most / highest) }
                + [1.0, 0.5, 0.3].map { $0 / more * (0.6 / more / highest) })
    }

    func testPapersScoreIsTheEntropyOverTheHighestMeanAndTheUniformDistributions() {
        assertEqual(
            scores(two + three, .paper),
            [0.6, 0.2].map { $0 / (0.6 * log(2)) } + [1.0, 0.5, 0.3].map { $0 / (0.6 * log(3)) })
    }

    func testScoresAreInThePoolsOrder() {
        let pool = [three[1], two[0], three[2], two[1], three[0]]
        for score in UncertaintyScore.allCases {
            let sorted = scores(two + three, score)
            assertEqual(scores(pool, score), [3, 0, 4, 1, 2].map { sorted[$0] })
        }
    }

    func testRegressionTakesTheMeanOfTheClassificationsScoresPositionByPosition() {
        for score in UncertaintyScore.allCases {
            let classified = scores(two + three, score)
            // The tasks' candidates start anew past their end: the second task has three, the first two.
            let peers = [(0, 2), (1, 3), (0, 4), (1, 2)].map { (classified[$0.0] + classified[$0.1]) / 2 }
            assertEqual(scores(two + three + values, score), classified + peers)
            assertEqual(scores(values + three + two, score), peers + classified[2...] + classified[..<2])
        }
    }

    func testEachOfSeveralRegressionsTakesTheSameScores() {
        let others = values.map { Candidate(task: 5, entropy: $0.entropy, labelCount: 1) }
        let all = scores(values + others + three, .original)
        XCTAssertEqual(all[0..<4], all[4..<8])
        XCTAssertEqual(Array(all[0..<3]), Array(all[8..<11]))
    }

    func testRegressionAloneScoresAtRandomByTheStream() {
        for score in UncertaintyScore.allCases {
            let first = scores(values, score)
            XCTAssertEqual(Set(first).count, values.count)
            XCTAssertTrue(first.allSatisfy((0..<1).contains))
            XCTAssertEqual(scores(values, score), first)
            XCTAssertNotEqual(scores(values, score, seed: 2), first)
        }
        var random = RandomStream(seed: 1)
        let first = uncertaintyScores(values, score: .original, random: &random)
        XCTAssertNotEqual(uncertaintyScores(values, score: .original, random: &random), first)
    }

    func testClassificationsDontTouchTheStream() {
        var random = RandomStream(seed: 1)
        _ = uncertaintyScores(two + values, score: .original, random: &random)
        XCTAssertEqual(random, RandomStream(seed: 1))
    }

    func testOriginalsRuleCopiesMRPCsScoresOverTheFirstOfSTSB() {
        for score in UncertaintyScore.allCases {
            let classified = scores(two + three, score)
            let copied = originalUncertaintyScores(two + values + three, score: score, stsB: 2, mrpc: 1)
            assertEqual(copied, classified[..<2] + classified[2...] + [0] + classified[2...])
            let fewer = originalUncertaintyScores(values + two, score: score, stsB: 2, mrpc: 0)
            XCTAssertEqual(Array(fewer[0..<2]), Array(fewer[4..<6]))
            XCTAssertEqual(fewer[2..<4], [0, 0])
        }
    }

    func testOriginalsRuleScoresARegressionWithoutMRPCZero() {
        for mrpc in [nil, 7] {
            let scores = originalUncertaintyScores(two + values, score: .original, stsB: 2, mrpc: mrpc)
            XCTAssertEqual(scores[2...], [0, 0, 0, 0])
        }
        let unrelated = originalUncertaintyScores(two + values, score: .original, stsB: nil, mrpc: 0)
        XCTAssertEqual(unrelated[2...], [0, 0, 0, 0])
    }

    func testHighestScoresComeFirstAndTheFirstOfEqualOnes() {
        XCTAssertEqual(highestScores([0.1, 0.9, 0.5, 0.9, 0.2], count: 3), [1, 3, 2])
        XCTAssertEqual(highestScores([0, 0, 0, 0], count: 2), [0, 1])
        XCTAssertEqual(highestScores([0.3, 0.4], count: 8), [1, 0])
        XCTAssertEqual(highestScores([], count: 8), [])
        XCTAssertEqual(highestScores([0.3, .nan, .infinity, .nan], count: 3), [1, 3, 2])
    }
}
