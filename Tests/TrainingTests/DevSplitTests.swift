import Foundation
import Tasks
import Tokenization
import XCTest

@testable import Training

/// Dev sets that are a share of the training set.
final class DevSplitTests: ToyTestCase {
    /// The features of a task whose examples have these labels; each example's line is its position and 2.
    private func features(_ kind: some TaskKind, _ labels: [String], separator: UInt8? = nil) throws
        -> (FeatureSet, TaskDefinition)
    {
        let url = directory.appendingPathComponent("own.csv")
        try Data((["text,label"] + labels.map { "ba,\($0)" }).joined(separator: "\n").utf8).write(to: url)
        let file = DataFile(
            name: "own", files: [url.path], format: FileFormat(.csv),
            columns: Columns(
                first: .named("text"), label: .column(.named("label"), separator: separator), hasHeader: true))
        let task = TaskDefinition(name: "own", kind: kind, train: file, dev: [], test: [])
        let cache = FeatureCache(
            directory: cacheDirectory,
            tokenizer: try WordPieceTokenizer(
                vocabulary: Vocabulary(tokens: ToyModel.specialTokens + ToyData.words), lowercase: true),
            maxSequenceLength: 8)
        return (try cache.features(of: task, in: file, dataDirectory: nil), task)
    }

    private func lines(_ set: FeatureSet) -> [Int] { (0..<set.count).map { set.withExample(at: $0) { $0.line } } }
    private func targets(_ set: FeatureSet) -> [[Float]] { (0..<set.count).map { set.target(at: $0) } }

    private func split(
        _ kind: some TaskKind, _ labels: [String], share: Double, seed: UInt64 = 1, separator: UInt8? = nil
    ) throws -> (train: FeatureSet, dev: FeatureSet) {
        let (whole, task) = try features(kind, labels, separator: separator)
        return try DevSplit(share: share, seed: seed).split(whole, of: task)
    }

    private func repeated(_ counts: [(String, Int)]) -> [String] { counts.flatMap { Array(repeating: $0, count: $1) } }

    func testThePartsAreDisjointAndWholeAndInTheFilesOrder() throws {
        let labels = repeated([("a", 60), ("b", 30), ("c", 10)])
        let parts = try split(Classification(labels: ["a", "b", "c"]), labels, share: 0.2)
        let (train, dev) = (lines(parts.train), lines(parts.dev))
        XCTAssertEqual((train + dev).sorted(), Array(2...101))
        XCTAssertEqual(train, train.sorted())
        XCTAssertEqual(dev, dev.sorted())
        XCTAssertEqual(targets(parts.dev).map { ["a", "b", "c"][Int($0[0])] }, dev.map { labels[$0 - 2] })
    }

    func testALimitDrawsRowsByTheSeedOrTakesTheFirst() throws {
        let (whole, _) = try features(Classification(labels: ["a", "b"]), repeated([("a", 30), ("b", 10)]))
        let limit = try XCTUnwrap(ExampleLimit("12"))
        let drawn = limit.part(of: whole, "own train", seed: 1)
        XCTAssertEqual(lines(drawn).count, 12)
        XCTAssertEqual(lines(drawn), lines(drawn).sorted())
        XCTAssertEqual(lines(drawn), lines(limit.part(of: whole, "own train", seed: 1)))
        XCTAssertEqual(drawn.identity, limit.part(of: whole, "own train", seed: 1).identity)
        XCTAssertNotEqual(lines(drawn), lines(limit.part(of: whole, "own train", seed: 2)))
        XCTAssertNotEqual(drawn.identity, limit.part(of: whole, "own train", seed: 2).identity)
        XCTAssertEqual(lines(limit.part(of: whole, "own", seed: nil)), Array(2...13))
        for (text, count) in [("10%", 4), ("0.5", 20), ("1", 1), ("1.0", 40), ("0.001", 1), ("41", 40)] {
            XCTAssertEqual(ExampleLimit(text)?.part(of: whole, "own", seed: nil).count, count, text)
        }
        for text in ["0", "-3", "0%", "1.5", "101%", "", "ten", "nan"] { XCTAssertNil(ExampleLimit(text), text) }
    }

    func testEachClassHasItsShare() throws {
        let labels = repeated([("a", 60), ("b", 30), ("c", 10)])
        let parts = try split(Classification(labels: ["a", "b", "c"]), labels, share: 0.2)
        XCTAssertEqual((0..<3).map { label in targets(parts.dev).count { $0 == [Float(label)] } }, [12, 6, 2])
    }

    func testManySmallClassesHaveTheShareTogether() throws {
        // A tenth of four examples is less than half of one.
        let names = (0..<50).map { "l\($0)" }
        let parts = try split(Classification(labels: names), names.flatMap { [$0, $0, $0, $0] }, share: 0.1)
        XCTAssertEqual(parts.dev.count, 20)
        XCTAssertEqual(Set(targets(parts.dev)).count, 20)
        // 0.15 of them is more than half of one, and yet not one of each.
        XCTAssertEqual(
            try split(Classification(labels: names), names.flatMap { [$0, $0, $0, $0] }, share: 0.15).dev.count, 30)
    }

    func testAClassOfOneExampleIsTrainedOn() throws {
        let parts = try split(Classification(labels: ["a", "b"]), repeated([("a", 9), ("b", 1)]), share: 0.9)
        XCTAssertTrue(targets(parts.train).contains([1]))
        XCTAssertTrue(targets(parts.train).contains([0]))
    }

    func testOtherKindsAreDrawnFromAsAWhole() throws {
        let numbers = (0..<40).map { "\($0).5" }
        let parts = try split(Regression(), numbers, share: 0.25)
        XCTAssertEqual(parts.dev.count, 10)
        XCTAssertEqual((lines(parts.train) + lines(parts.dev)).sorted(), Array(2...41))
        let several = try split(
            MultiLabel(labels: ["a", "b"]), (0..<40).map { ["a", "a|b", "", "b"][$0 % 4] }, share: 0.25,
            separator: UInt8(ascii: "|"))
        XCTAssertEqual(several.dev.count, 10)
        XCTAssertEqual(targets(several.dev).map(\.count), Array(repeating: 2, count: 10))
    }

    func testTheSeedSaysWhich() throws {
        let (whole, task) = try features(
            Classification(labels: ["a", "b"]), repeated([("a", 50), ("b", 50)]))
        func dev(_ seed: UInt64, _ share: Double = 0.2) throws -> FeatureSet {
            try DevSplit(share: share, seed: seed).split(whole, of: task).dev
        }
        XCTAssertEqual(lines(try dev(1)), lines(try dev(1)))
        XCTAssertEqual(try dev(1).identity, try dev(1).identity)
        XCTAssertNotEqual(lines(try dev(1)), lines(try dev(2)))
        XCTAssertNotEqual(try dev(1).identity, try dev(2).identity)
        XCTAssertNotEqual(try dev(1).identity, try dev(1, 0.3).identity)
    }

    /// A run that goes on, and one that evaluates, has to find the dev set that an earlier version drew.
    func testTheExamplesThatAreDrawnStayTheSame() throws {
        let (whole, task) = try features(
            Classification(labels: ["a", "b", "c"]), repeated([("a", 30), ("b", 15), ("c", 5)]))
        let split = DevSplit(share: 0.2, seed: 1)
        XCTAssertEqual(lines(try split.split(whole, of: task).dev), [3, 7, 10, 12, 13, 25, 32, 36, 46, 47])
        let isDev = try split.devPart(of: targets(whole).map(task.stratum), task)
        XCTAssertEqual(isDev.indices.filter { isDev[$0] }.map { $0 + 2 }, lines(try split.split(whole, of: task).dev))
    }

    func testTooFewExamplesForTwoPartsAreRefused() throws {
        XCTAssertThrowsError(try split(Regression(), ["1"], share: 0.5)) {
            XCTAssertEqual(
                "\($0)", "the 1 examples of own are too few for a dev set of 50% beside a training set.")
        }
        XCTAssertThrowsError(try split(Regression(), ["1", "2"], share: 0.07)) {
            XCTAssertTrue("\($0)".contains("a dev set of 7% beside"), "\($0)")
        }
    }
}
