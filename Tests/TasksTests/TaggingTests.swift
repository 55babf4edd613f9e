import Foundation
import Tokenization
import XCTest

@testable import Tasks

/// What rows of words and tags become, and what is said of them.
final class TaggingTests: DirectoryTestCase {
    private let kind = Result { try Tagging(labels: ["O", "B-x", "I-x"]) }

    private func encoder(_ maxSequenceLength: Int) throws -> ExampleEncoder {
        ExampleEncoder(
            tokenizer: try TestData.tokenizer(moreTokens: ["x", "##x"]), maxSequenceLength: maxSequenceLength,
            keepsTexts: true)
    }

    /// Each word is predicted once, from its own logits, however many windows there are, and in whichever it stands.
    func testNoWordIsLostOrPredictedTwiceWhateverTheLength() throws {
        var random = SplitMix64(state: 3)
        let kind = try kind.get()
        let words = ["cat", "sleeps", "x", "xx", "xxxx", "xxxxxxxxx", "", "\u{200B}", "dog.", "..."]
        for round in 0..<500 {
            let row = (0..<Int.random(in: 1...40, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
            let encoder = try encoder([3, 4, 5, 6, 8, 10, 16, 64][round % 8])
            let examples = try encoder.examples(of: [.list(row)], kind: kind)
            var seen: [Int: Int32] = [:]
            let expected = row.map { _ in Int.random(in: 0..<3, using: &random) }
            var decoded: [DecodedExample] = []
            for example in examples {
                let (ids, alignment) = (example.sequences[0].inputIDs, example.marks.alignment)
                XCTAssertLessThanOrEqual(ids.count, encoder.maxSequenceLength)
                XCTAssertEqual([ids[0], ids[ids.count - 1]], [2, 3])
                XCTAssertEqual(alignment.count, ids.count)
                XCTAssertTrue(kind.allows(.init(target: [], alignment: alignment), lengths: [ids.count]))
                XCTAssertTrue(alignment.contains { $0 >= 0 }, "a window without a word of its own: \(row)")
                var logits: [Float] = []
                for (id, word) in zip(ids, alignment) {
                    if word >= 0 { XCTAssertNil(seen.updateValue(id, forKey: Int(word)), "\(row)") }
                    let tag = word < 0 ? 2 : expected[Int(word)]
                    logits += (0..<3).map { $0 == tag ? 1 : 0 }
                }
                decoded.append(DecodedExample(logits: logits[...], marks: example.marks))
            }
            XCTAssertEqual(seen.keys.sorted(), Array(row.indices))
            for (index, word) in row.enumerated() {
                let ids = encoder.tokenizer.encode(word).inputIDs
                XCTAssertEqual(seen[index], ids.count > 2 ? ids[1] : encoder.tokenizer.unknownID, word)
            }
            XCTAssertEqual(examples.map(\.marks.isContinuation), examples.indices.map { $0 > 0 })
            XCTAssertEqual(kind.answer(to: decoded).tags, expected.map { kind.labels[$0] })
        }
    }

    func testATextIsCutIntoWordsAtItsSpacesAndAroundPunctuation() throws {
        let example = try encoder(16).examples(of: [.text(" the  cat\tsleeps. ")], kind: kind.get())[0]
        XCTAssertEqual(example.marks.texts.map { String(decoding: $0, as: UTF8.self) }, ["the", "cat", "sleeps", "."])
        XCTAssertEqual(example.marks.alignment, [-1, 0, 1, 2, -1, 3, -1])
        XCTAssertEqual(example.sequences[0].inputIDs, [2, 5, 7, 9, 10, 11, 3])
    }

    private func task(_ rows: String, labels: String = "[O, B-x, I-x]") throws -> TaskDefinition {
        try write(rows, to: "a.jsonl")
        try write(
            "tasks:\n  - {name: own, type: tagging, train: a.jsonl, text: words, label: tags, labels: \(labels)}\n",
            to: "tasks.yaml")
        return try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path]).0.task(named: "own")
    }

    private func features(_ rows: String) throws -> FeatureSet {
        let task = try task(rows)
        let cache = FeatureCache(
            directory: directory.appendingPathComponent("cache"), tokenizer: try encoder(8).tokenizer,
            maxSequenceLength: 8)
        return try cache.features(of: task, in: task.train, dataDirectory: nil)
    }

    func testTheTargetIsThatOfEachWordsFirstPiece() throws {
        let set = try features(#"{"words": ["the", "xx", "cat"], "tags": ["O", "B-x", "I-x"]}"# + "\n")
        XCTAssertEqual(set.marks(at: 0).target, [-1, 0, 1, -1, 2, -1])
        XCTAssertEqual(set.marks(at: 0).alignment, [-1, 0, 1, -1, 2, -1])
        XCTAssertEqual(try kind.get().lossWeight(of: set.target(at: 0)[...]), 3)
    }

    func testWrongRowsAreNamedWithTheirLine() throws {
        let good = #"{"words": ["cat", "dog"], "tags": ["O", "B-x"]}"# + "\n"
        let cases = [
            (#"{"words": ["cat"], "tags": ["O", "O"]}"#, "the row has 1 words and 2 tags; each word has a tag."),
            (#"{"words": ["cat"], "tags": []}"#, "the row has 1 words and 0 tags; each word has a tag."),
            (#"{"words": ["cat"], "tags": ["B-y"]}"#, "unknown label \"B-y\"; the labels are O, B-x, I-x."),
            (#"{"words": [], "tags": []}"#, "the row has no words."),
            (#"{"words": " ", "tags": []}"#, "the row has no words."),
            (#"{"words": ["cat"]}"#, "the row has no \"tags\"."),
        ]
        for (row, expected) in cases {
            XCTAssertEqual(message { try features(good + row + "\n") }, "<data>/a.jsonl:2: \(expected)")
        }
    }

    func testTagsThatMarkNoEntitiesHaveNoEntityMetrics() throws {
        let kind = try Tagging(labels: ["NOUN", "VERB"])
        XCTAssertNotNil(kind.problem(with: [.entityF1]))
        XCTAssertNil(kind.problem(with: [.accuracy]))
        XCTAssertNil(try self.kind.get().problem(with: [.entityF1]))
    }
}
