import Foundation
import XCTest

@testable import Tasks

/// What rows of choices become, and what is said of them.
final class ChoiceTests: DirectoryTestCase {
    private func features(_ rows: String, choices: String = "[choice1, choice2]") throws -> FeatureSet {
        try write(rows, to: "a.jsonl")
        try write(
            "tasks:\n  - {name: own, type: choice, train: a.jsonl, text: [premise, question], choices: \(choices), label: label}\n",
            to: "tasks.yaml")
        let task = try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path]).0.task(named: "own")
        let cache = FeatureCache(
            directory: directory.appendingPathComponent("cache"), tokenizer: try TestData.tokenizer(),
            maxSequenceLength: 16)
        return try cache.features(of: task, in: task.train, dataDirectory: nil)
    }

    private func row(_ label: String) -> String {
        #"{"premise": "the cat", "question": "a", "choice1": "dog", "choice2": "cat sleeps", "label": \#(label)}"# + "\n"
    }

    func testLabelsAreNumbersFrom0OrTexts() throws {
        let set = try features(row("0") + row("1") + row("\"1\"") + row("\"dog\"") + row("\"cat sleeps\""))
        XCTAssertEqual((0..<5).map { set.target(at: $0) }, [[0], [1], [1], [0], [1]])
        // A sequence a choice: the premise and what is asked, and the choice.
        XCTAssertEqual(set.sequenceLengths(at: 0), [7, 9])
        set.withExample(at: 0) { example in
            XCTAssertEqual(Array(example.inputIDs), [2, 5, 7, 6, 3, 8, 3, 2, 5, 7, 6, 3, 7, 9, 10, 3])
            XCTAssertEqual(example.sequences.map(\.firstSegmentLength), [5, 5])
        }
    }

    func testAListMayHaveAsManyChoicesAsItWill() throws {
        let set = try features(
            #"{"premise": "a", "question": "", "choices": ["cat", "dog", "a cat"], "label": 2}"# + "\n"
                + #"{"premise": "a", "question": "", "choices": ["cat", "dog"], "label": "dog"}"# + "\n", choices: "choices")
        XCTAssertEqual((0..<2).map { set.sequenceLengths(at: $0).count }, [3, 2])
        XCTAssertEqual((0..<2).map { set.target(at: $0) }, [[2], [1]])
    }

    func testWrongRowsAreNamedWithTheirLine() throws {
        let neither = { (label: String) in "the label \"\(label)\" is neither a choice's text nor a number from 0 to 1." }
        for (label, expected) in [("2", neither("2")), ("-1", neither("-1")), ("\"bird\"", neither("bird")), ("\"\"", neither(""))] {
            XCTAssertEqual(message { try features(row("0") + row(label)) }, "<data>/a.jsonl:2: \(expected)")
        }
        let list = #"{"premise": "a", "question": "b", "choices": ["cat", "dog"], "label": 0}"# + "\n"
        let cases = [
            (#"{"premise": "a", "question": "b", "choices": ["cat"], "label": 0}"#, "the row has 1 choices, and needs two or more."),
            (#"{"premise": "a", "question": "b", "choices": [], "label": 0}"#, "the row has 0 choices, and needs two or more."),
            (#"{"premise": "a", "question": "b", "choices": ["cat", "cat"], "label": "cat"}"#,
                "the label \"cat\" is the text of several choices; give its number, from 0."),
            (#"{"premise": "a", "question": "b", "choices": ["cat", "dog"]}"#, "the row has no \"label\"."),
            (#"{"premise": "a", "question": "b", "label": 0}"#, "the row has no \"choices\"."),
        ]
        for (row, expected) in cases {
            XCTAssertEqual(
                message { try features(list + row + "\n", choices: "choices") }, "<data>/a.jsonl:2: \(expected)")
        }
    }

    func testMetricsAreThoseOfTheSoftmaxOverARowsChoices() throws {
        func example(_ logits: [Float], _ label: Float) -> DecodedExample {
            DecodedExample(logits: logits[...], marks: ExampleMarks(target: [label]))
        }
        // Probabilities 1/4 and 3/4, and a third each.
        let examples = [example([0, Float(log(3.0))], 1), example([2, 2, 2], 2)]
        let values = try Choice().values(of: [.accuracy, .logLoss], examples: examples)
        XCTAssertEqual(values[0], 0.5)
        XCTAssertEqual(values[1], (log(4.0 / 3) + log(3)) / 2, accuracy: 1e-7)
        let uncertainty = Choice().uncertainty(of: examples[1])
        XCTAssertEqual(uncertainty.entropy, log(3), accuracy: 1e-12)
        XCTAssertEqual(uncertainty.classes, 3)
    }
}
