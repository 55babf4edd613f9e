import Foundation
import TestSupport
import Tokenization
import XCTest

@testable import Tasks

/// Tagging, span and choice: what a row becomes, what is lost (nothing), what is measured, and what is refused.
final class ReadingKindsTests: DirectoryTestCase {
    private var random = SplitMix64(state: 31)

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    private func task(_ fields: String) throws -> TaskDefinition {
        try write("tasks:\n  - {name: own, \(fields)}\n", to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([path("tasks.yaml")])
        return try catalogue.task(named: "own")
    }

    private func features(_ task: TaskDefinition, maxLength: Int = 16, cache: String = "cache") throws -> FeatureSet {
        let cache = FeatureCache(
            directory: directory.appendingPathComponent(cache), tokenizer: try TestData.tokenizer(),
            maxSequenceLength: maxLength)
        return try cache.features(of: task, in: task.train, dataDirectory: nil)
    }

    private func encoder(_ maxLength: Int, keepsTexts: Bool = false) throws -> ExampleEncoder {
        ExampleEncoder(tokenizer: try TestData.tokenizer(), maxSequenceLength: maxLength, keepsTexts: keepsTexts)
    }

    private let vocabulary = ["the", "cat", "cats", "dogs", "sleeps", "Xyz", ".", "\u{200B}"]

    private func words(_ count: Int) -> [String] {
        (0..<count).map { _ in vocabulary.randomElement(using: &random) ?? "" }
    }

    // MARK: Windows

    func testEachWordOfATaggingIsOfExactlyOneWindow() throws {
        let kind = try Tagging(labels: ["O", "B-x"])
        for maxLength in [3, 4, 5, 8, 13, 32] {
            for stride in [nil, 0, 3, 100] {
                let kind = try kind.with(stride.map { ["stride": .integer($0)] } ?? [:])
                for count in [1, 2, 5, 23, 60] {
                    let words = words(count)
                    let examples = try encoder(maxLength).examples(of: [.list(words)], kind: kind)
                    let found = examples.flatMap(\.marks.alignment).filter { $0 >= 0 }
                    XCTAssertEqual(found.sorted(), (0..<Int32(count)).map { $0 }, "\(maxLength) \(count)")
                    XCTAssertEqual(examples.map(\.marks.isContinuation), examples.indices.map { $0 > 0 })
                    for example in examples {
                        XCTAssertLessThanOrEqual(example.sequences[0].inputIDs.count, maxLength)
                        XCTAssertEqual(example.marks.alignment.count, example.sequences[0].inputIDs.count)
                        XCTAssertTrue(kind.allows(example.marks, lengths: [example.sequences[0].inputIDs.count]))
                    }
                }
            }
        }
    }

    func testAWordOfWhichNothingIsLeftStandsAsTheUnknownToken() throws {
        let examples = try encoder(16).examples(of: [.list(["cat", "\u{200B}", "dog"])], kind: Tagging(labels: ["O", "X"]))
        XCTAssertEqual(examples[0].sequences[0].inputIDs, [2, 7, 1, 8, 3])
        XCTAssertEqual(examples[0].marks.alignment, [-1, 0, 1, 2, -1])
    }

    func testATextsWordsAreCutAtSpacesAndAroundPunctuation() throws {
        let examples = try encoder(16, keepsTexts: true).examples(of: [.text("The cats  sleep.")], kind: Tagging(labels: ["O", "X"]))
        XCTAssertEqual(examples[0].marks.texts.map { String(decoding: $0, as: UTF8.self) }, ["The", "cats", "sleep", "."])
    }

    /// The answer's tokens, and those that the target names, in at least one window; in the others there is none.
    func testNoAnswerIsLostWhateverTheLengthOfTheContext() throws {
        for _ in 0..<200 {
            let words = (0..<Int.random(in: 1...60, using: &random)).map { _ in vocabulary.dropLast().randomElement(using: &random) ?? "" }
            let first = Int.random(in: words.indices, using: &random)
            let last = min(words.count - 1, first + Int.random(in: 0...2, using: &random))
            let answer = words[first...last].joined(separator: " ")
            let start = words[..<first].joined(separator: " ").unicodeScalars.count + (first > 0 ? 1 : 0)
            let maxLength = Int.random(in: 18...40, using: &random)
            let row = "{\"question\": \"the cat\", \"context\": \"\(words.joined(separator: " "))\", "
                + "\"answers\": [{\"text\": \"\(answer)\", \"start\": \(start)}]}\n"
            try write(row, to: "q.jsonl")
            let task = try task("type: span, train: q.jsonl")
            let set = try features(task, maxLength: maxLength, cache: "c\(UUID().uuidString)")
            var found = 0
            for index in 0..<set.count {
                let marks = set.marks(at: index)
                XCTAssertLessThanOrEqual(set.length(at: index), maxLength)
                guard marks.target != [0, 0] else { continue }
                found += 1
                let bytes = Int(marks.alignment[2 * Int(marks.target[0])])..<Int(marks.alignment[2 * Int(marks.target[1]) + 1])
                XCTAssertEqual(String(decoding: set.marks(at: 0).texts[0][bytes], as: UTF8.self), answer)
            }
            XCTAssertGreaterThan(found, 0, row)
        }
    }

    // MARK: Answers

    func testTheLikeliestPartIsTheAnswerInCharacters() throws {
        let kind = try Span().with(["no_answer": .bool(true)])
        let example = try encoder(16).examples(of: [.text("cat"), .text("é the cat sleeps")], kind: kind)[0]
        let tokens = example.sequences[0].inputIDs.count
        func answer(_ start: Int, _ end: Int, none: Float = -9) -> Answer {
            var logits = [Float](repeating: -5, count: 2 * tokens)
            (logits[0], logits[1]) = (none, none)
            (logits[2 * start], logits[2 * end + 1]) = (5, 5)
            return kind.answer(to: [DecodedExample(logits: logits[...], marks: example.marks)])
        }
        // [CLS] cat [SEP] [UNK] the cat sleep ##s [SEP]
        let span = try XCTUnwrap(answer(4, 5).span)
        XCTAssertEqual([span.text, "\(span.start ?? -1)", "\(span.end ?? -1)"], ["the cat", "2", "9"])
        XCTAssertGreaterThan(span.probability, 0.99)
        // Of a question's own tokens, or backwards, there is none.
        XCTAssertNotEqual(answer(1, 5).span?.text, "cat")
        XCTAssertEqual(answer(4, 5, none: 6).span?.text, "")
        XCTAssertNil(answer(4, 5, none: 6).span?.start)
        var plain = Span()
        try plain.take([:])
        var logits = [Float](repeating: -5, count: 2 * tokens)
        (logits[0], logits[1], logits[2 * 4], logits[2 * 4 + 1]) = (9, 9, 0, 0)
        XCTAssertEqual(plain.answer(to: [DecodedExample(logits: logits[...], marks: example.marks)]).span?.text, "the")
    }

    func testAChoiceIsNamedByItsTextOrItsNumber() throws {
        try write("p,a,b,y\nthe cat,dog,cat,cat\nthe dog,cat,dog,0\n", to: "c.csv")
        let task = try task("type: choice, train: c.csv, text: p, choices: [a, b], label: y")
        let set = try features(task)
        XCTAssertEqual((0..<2).map { set.target(at: $0) }, [[1], [0]])
        XCTAssertEqual(set.sequenceLengths(at: 0).count, 2)
        let answer = task.kind.answer(to: [DecodedExample(logits: [1, 3], marks: ExampleMarks(target: []))])
        XCTAssertEqual(answer.choice, 1)
        XCTAssertEqual(answer.probabilities?[1] ?? 0, 1 / (1 + exp(-2)), accuracy: 1e-12)
    }

    // MARK: Metrics

    private struct GoldenEntities: Decodable {
        struct Case: Decodable {
            let labels: [String]
            let `true`: [[Int]]
            let predicted: [[Int]]
            let values: [Double]
        }

        let cases: [Case]
    }

    /// Precision, recall, F1 and token accuracy of seqeval.
    func testEntitiesAreThoseOfSeqeval() throws {
        let url = TestData.packageRoot.appendingPathComponent("Tests/Fixtures/peers/entities.json")
        let golden = try JSONDecoder().decode(GoldenEntities.self, from: Data(contentsOf: url))
        XCTAssertEqual(golden.cases.count, 60)
        for (number, test) in golden.cases.enumerated() {
            let kind = try Tagging(labels: test.labels)
            let examples = zip(test.true, test.predicted).map { actual, predicted in
                DecodedExample(
                    logits: predicted.flatMap { tag in test.labels.indices.map { $0 == tag ? Float(1) : 0 } }[...],
                    marks: ExampleMarks(target: actual.map(Float.init), alignment: actual.indices.map { Int32($0) }))
            }
            let values = try kind.values(of: [.entityPrecision, .entityRecall, .entityF1, .accuracy], examples: examples)
            for (found, expected) in zip(values, test.values) { XCTAssertEqual(found, expected, accuracy: 1e-12, "\(number)") }
        }
    }

    func testTagsThatMarkNoEntitiesHaveNoEntityFigures() throws {
        try write("the\tDET\ncat\tNOUN\n", to: "p.conll")
        XCTAssertEqual(
            message { try task("type: tagging, train: p.conll, text: 0, label: 1") },
            "<data>/tasks.yaml:2: own: the tag \"DET\" is no IOB tag, such as O, B-person or I-person, and entities can't be "
                + "told; \"metrics\" may have acc")
        XCTAssertEqual(try task("type: tagging, train: p.conll, text: 0, label: 1, metrics: [acc]").kind.labels, ["DET", "NOUN"])
    }

    // MARK: What is kept, and refused

    func testWhatIsCachedIsWhatWasBuilt() throws {
        try write("the\tO\ncat\tB-x\nsleeps\tO\n\ndog\tB-x\n", to: "t.conll")
        try write(
            #"{"question": "the cat", "context": "the dog sleeps . the cat sleeps . the dog", "answers": {"text": ["the cat", "dog"], "answer_start": [17, 4]}}"#
                + "\n", to: "q.jsonl")
        try write("{\"p\": \"the\", \"c\": [\"cat\", \"dog\", \"a\"], \"y\": 2}\n", to: "c.jsonl")
        for fields in [
            "type: tagging, train: t.conll, text: 0, label: 1", "type: span, train: q.jsonl",
            "type: choice, train: c.jsonl, text: p, choices: c, label: y",
        ] {
            let task = try task(fields)
            let (built, cached) = (try features(task), try features(task))
            XCTAssertEqual([built.origin, cached.origin], [.built, .cached])
            XCTAssertEqual(built.count, cached.count)
            for index in 0..<built.count {
                XCTAssertEqual(built.marks(at: index), cached.marks(at: index))
                XCTAssertEqual(built.sequenceLengths(at: index), cached.sequenceLengths(at: index))
            }
        }
        let answers = try features(try task("type: span, train: q.jsonl"))
        XCTAssertEqual(answers.marks(at: 0).texts.dropFirst().map { String(decoding: $0, as: UTF8.self) }, ["the cat", "dog"])
        // Another stride makes other windows.
        let (few, many) = (
            try features(try task("type: span, train: q.jsonl, stride: 0")), try features(try task("type: span, train: q.jsonl, stride: 5"))
        )
        XCTAssertNotEqual(few.identity, many.identity)
    }

    func testWrongRowsAreRefusedWithTheirLine() throws {
        func refusal(_ fields: String, _ content: String, _ name: String, maxLength: Int = 16) throws -> String {
            try write(content, to: name)
            return message { try features(task(fields), maxLength: maxLength) }
        }
        let tags = "type: tagging, train: t.jsonl, text: w, label: t, labels: [O, B-x]"
        XCTAssertEqual(
            try refusal(tags, "{\"w\": [\"a\"], \"t\": [\"O\"]}\n{\"w\": [\"a\", \"b\"], \"t\": [\"O\"]}\n", "t.jsonl"),
            "<data>/t.jsonl:2: the row has 2 words and 1 tags; each word has a tag.")
        XCTAssertEqual(
            try refusal(tags, "{\"w\": [\"a\"], \"t\": [\"B-y\"]}\n", "t.jsonl"),
            "<data>/t.jsonl:1: unknown label \"B-y\"; the labels are O, B-x.")
        let span = "type: span, train: q.jsonl"
        func row(_ answers: String, question: String = "a") -> String {
            "{\"question\": \"\(question)\", \"context\": \"the cat\", \"answers\": \(answers)}\n"
        }
        XCTAssertEqual(
            try refusal(span, row("[{\"text\": \"cat\", \"start\": 3}]"), "q.jsonl"),
            "<data>/q.jsonl:1: the answer \"cat\" is not in the context at its place, 3, in characters from 0: there is \" ca\".")
        XCTAssertEqual(
            try refusal(span, row("[{\"text\": \"cat\", \"start\": 30}]"), "q.jsonl"),
            "<data>/q.jsonl:1: the answer \"cat\" is not in the context at its place, 30, in characters from 0: the context "
                + "ends before.")
        XCTAssertEqual(
            try refusal(span, row("[]"), "q.jsonl"),
            "<data>/q.jsonl:1: the row has no answer; \"no_answer: true\" in the task file says that there may be none.")
        XCTAssertEqual(
            try refusal(
                span, row("[{\"text\": \"cat\", \"start\": 4}]", question: Array(repeating: "a", count: 14).joined(separator: " ")), "q.jsonl"),
            "<data>/q.jsonl:1: the question has 14 tokens, which leaves a sequence of 16 no room for a part of the context; a "
                + "longer max_seq_length would.")
        let choice = "type: choice, train: c.jsonl, text: p, choices: c, label: y"
        XCTAssertEqual(
            try refusal(choice, "{\"p\": \"a\", \"c\": [\"x\", \"y\"], \"y\": \"z\"}\n", "c.jsonl"),
            "<data>/c.jsonl:1: the label \"z\" is neither a choice's text nor a number from 0 to 1.")
        XCTAssertEqual(
            try refusal(choice, "{\"p\": \"a\", \"c\": [\"x\"], \"y\": 0}\n", "c.jsonl"),
            "<data>/c.jsonl:1: the row has 1 choices, and needs two or more.")
        XCTAssertEqual(
            try refusal(choice, "{\"p\": \"a\", \"c\": [\"x\", \"x\"], \"y\": \"x\"}\n", "c.jsonl"),
            "<data>/c.jsonl:1: the label \"x\" is the text of several choices; give its number, from 0.")
    }
}
