import Foundation
import Tokenization
import XCTest

@testable import Tasks

/// What questions, contexts and answers become, and what is said of them.
final class SpanTests: DirectoryTestCase {
    private func tokenizer() throws -> WordPieceTokenizer { try TestData.tokenizer(moreTokens: ["x", "##x", "é"]) }

    private func cache(_ maxSequenceLength: Int) throws -> FeatureCache {
        FeatureCache(
            directory: directory.appendingPathComponent("cache"), tokenizer: try tokenizer(),
            maxSequenceLength: maxSequenceLength)
    }

    private func task() throws -> TaskDefinition {
        try write("tasks:\n  - {name: own, type: span, train: a.jsonl, no_answer: true}\n", to: "tasks.yaml")
        return try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path]).0.task(named: "own")
    }

    private func row(_ question: String, _ context: String, _ answers: [(String, Int)]) throws -> String {
        let object: [String: Any] = [
            "question": question, "context": context,
            "answers": ["text": answers.map(\.0), "answer_start": answers.map(\.1)],
        ]
        return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self) + "\n"
    }

    private func features(_ rows: String, _ maxSequenceLength: Int = 32) throws -> FeatureSet {
        try write(rows, to: "a.jsonl")
        let task = try task()
        return try cache(maxSequenceLength).features(of: task, in: task.train, dataDirectory: nil)
    }

    /// An answer of no more tokens than neighbours share, and one more, is whole in one of them; a longer one may be.
    func testEveryTokenOfAContextIsInAWindowAndAnAnswerIsATargetOfOne() throws {
        var random = SplitMix64(state: 4)
        let words = ["the", "cat", "sleeps", ".", "xxx", "dog", "\u{1F600}", "é"]
        var rows = ""
        var expected: [(context: [UInt8], answer: [UInt8], start: Int)] = []
        for _ in 0..<300 {
            let context = (0..<Int.random(in: 1...60, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
            let first = Int.random(in: 0..<context.count, using: &random)
            let count = Int.random(in: 1...min(4, context.count - first), using: &random)
            let before = context[..<first].map { $0 + " " }.joined()
            let answer = context[first..<first + count].joined(separator: " ")
            let text = context.joined(separator: " ")
            rows += try row("the cat", text, [(answer, before.unicodeScalars.count)])
            expected.append((Array(text.utf8), Array(answer.utf8), before.utf8.count))
        }
        var missed = 0
        for length in [13, 14, 17, 24, 40, 128] {
            let set = try features(rows, length)
            // An example's row is that of its line.
            var windows: [Int: [Int]] = [:]
            for index in 0..<set.count { windows[set.withExample(at: index) { $0.line }, default: []].append(index) }
            XCTAssertEqual(windows.count, expected.count)
            for (line, indices) in windows {
                let (context, answer, start) = expected[line - 1]
                var (covered, found, room) = (Set<Int32>(), false, 0)
                for (number, index) in indices.enumerated() {
                    let marks = set.marks(at: index)
                    XCTAssertLessThanOrEqual(set.length(at: index), length)
                    XCTAssertEqual(marks.isContinuation, number > 0)
                    XCTAssertEqual(marks.texts, number == 0 ? [context, answer] : [])
                    let starts = stride(from: 0, to: marks.alignment.count, by: 2).map { marks.alignment[$0] }
                    covered.formUnion(starts.filter { $0 >= 0 })
                    room = max(room, starts.count { $0 >= 0 })
                    let target = marks.target.map { Int($0) }
                    if target == [0, 0] { continue }
                    found = true
                    XCTAssertEqual(Int(marks.alignment[2 * target[0]]), start)
                    XCTAssertEqual(Int(marks.alignment[2 * target[1] + 1]), start + answer.count)
                }
                let pieces = try tokenizer().tokenize(String(decoding: context, as: UTF8.self))
                XCTAssertEqual(covered, Set(pieces.starts))
                let size = zip(pieces.starts, pieces.ends).count { Int($0) < start + answer.count && Int($1) > start }
                if size <= room / 2 + 1 || indices.count == 1 { XCTAssertTrue(found, "line \(line), length \(length)") }
                if !found { missed += 1 }
            }
        }
        // The property says something of nearly all.
        XCTAssertLessThan(missed, 200)
    }

    func testAQuestionThatLeavesNoRoomForTheContextIsRefused() throws {
        let rows = try row("cat", "the cat sleeps", []) + row("cat cat cat cat", "the cat sleeps. the cat sleeps.", [])
        // One window, and two.
        XCTAssertEqual(try features(rows, 15).count, 3)
        XCTAssertEqual(
            message { try features(rows, 14) },
            "<data>/a.jsonl:2: the question has 4 tokens, which leaves a sequence of 14 no room for a part of the "
                + "context; a longer max_seq_length would.")
        // A short context needs no more than it has.
        XCTAssertEqual(try features(try row("cat cat cat cat", "the cat", []), 9).count, 1)
        XCTAssertTrue(message { try features(try row("cat cat cat cat", "the cat", []), 8) }.contains("no room"))
    }

    func testPlacesAreInCharactersAndAnswersWithoutAnyOnlyMeasured() throws {
        let set = try features(try row("cat", "\u{1F600} é cat", [("é", 2), ("elsewhere", -1), ("", 0)]))
        XCTAssertEqual(set.marks(at: 0).texts.map { String(decoding: $0, as: UTF8.self) }, ["\u{1F600} é cat", "é", "elsewhere"])
        XCTAssertEqual(set.target(at: 0), [4, 4])
        // Without an answer both are at the first token.
        XCTAssertEqual(try features(try row("cat", "the cat", [])).target(at: 0), [0, 0])
    }

    func testWrongRowsAreNamedWithTheirLine() throws {
        let good = try row("cat", "the cat", [("cat", 4)])
        let cases = [
            (try row("cat", "the cat", [("cat", 3)]),
                "the answer \"cat\" is not in the context at its place, 3, in characters from 0: there is \" ca\"."),
            (try row("cat", "the cat", [("cat", 8)]),
                "the answer \"cat\" is not in the context at its place, 8, in characters from 0: the context ends before."),
            (try row("cat", "the cat", [("cat", -2)]),
                "the answer \"cat\" is not in the context at its place, -2, in characters from 0: the context ends before."),
            (#"{"question": "q", "context": "the cat", "answers": {"text": ["cat", "the"], "answer_start": [4]}}"# + "\n",
                "the row has 2 answers, and not as many numbers for where they begin."),
            (#"{"question": "q", "context": "the cat", "answers": {"text": ["cat"], "answer_start": ["four"]}}"# + "\n",
                "the score \"four\" is not a number."),
            (#"{"question": "q", "answers": {"text": ["cat"], "answer_start": [4]}}"# + "\n", "the row has no \"context\"."),
        ]
        for (row, expected) in cases {
            XCTAssertEqual(message { try features(good + row) }, "<data>/a.jsonl:2: \(expected)")
        }
    }

    /// Two windows: the answer is in the second, and its text and place are the context's.
    func testTheAnswerIsTheBestPartOfAllWindows() throws {
        let encoder = ExampleEncoder(tokenizer: try tokenizer(), maxSequenceLength: 13)
        let context = "é the cat sleeps the dog sleeps. \u{1F600} cat"
        let examples = try encoder.examples(of: [.text("cat"), .text(context)], kind: Span())
        XCTAssertGreaterThan(examples.count, 1)
        func decoded(_ score: Float) -> [DecodedExample] {
            examples.enumerated().map { number, example in
                let count = example.sequences[0].inputIDs.count
                var logits = [Float](repeating: 0, count: 2 * count)
                // The first token says that there is no answer.
                (logits[0], logits[1]) = (1, 1)
                if number == examples.count - 1 {
                    logits[2 * (count - 3)] = score
                    logits[2 * (count - 2) + 1] = score
                }
                return DecodedExample(logits: logits[...], marks: example.marks)
            }
        }
        let kind = try Span().with(["no_answer": .bool(true)])
        let span = try XCTUnwrap(kind.answer(to: decoded(3)).span)
        XCTAssertEqual(span.text, "\u{1F600} cat")
        XCTAssertEqual([span.start, span.end], [33, 38])
        let none = try XCTUnwrap(kind.answer(to: decoded(0.5)).span)
        XCTAssertEqual(none.text, "")
        XCTAssertNil(none.start)
        XCTAssertGreaterThan(span.probability, none.probability)
    }

    func testAWrongRowOfSQuADsIsNamedWithItsPath() throws {
        let answer = #"{"text": "dog", "answer_start": 4}"#
        try write(
            #"{"data": [{"paragraphs": [{"context": "the cat", "qas": [{"id": "x", "question": "cat", "answers": [\#(answer)]}]}]}]}"#,
            to: "squad.json")
        try write("tasks:\n  - {name: own, type: span, train: squad.json}\n", to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path])
        let task = try catalogue.task(named: "own")
        let cache = FeatureCache(
            directory: directory.appendingPathComponent("cache"), tokenizer: try TestData.tokenizer(), maxSequenceLength: 16)
        let found = message { try cache.features(of: task, in: task.train, dataDirectory: nil) }
        XCTAssertTrue(found.contains("data[0].paragraphs[0].qas[0]"), found)
        XCTAssertTrue(found.contains("the answer \"dog\" is not in the context"), found)
    }
}
