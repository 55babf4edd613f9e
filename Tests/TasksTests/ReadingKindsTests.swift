import Foundation
import TestSupport
import Tokenization
import XCTest

@testable import Tasks

/// Entities beside seqeval's, tags that mark none, and the options of windows.
final class ReadingKindsTests: DirectoryTestCase {
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

    func testAnotherStrideMakesOtherWindows() throws {
        try write(
            #"{"question": "the cat", "context": "the dog sleeps . the cat sleeps . the dog", "answers": [{"text": "dog", "start": 4}]}"#
                + "\n", to: "q.jsonl")
        let (few, many) = (
            try features(try task("type: span, train: q.jsonl, stride: 0")), try features(try task("type: span, train: q.jsonl, stride: 5"))
        )
        XCTAssertNotEqual(few.identity, many.identity)
        XCTAssertLessThan(few.tokenCount, many.tokenCount)
    }
}
