import Files
import Foundation
import TestSupport
import XCTest

@testable import Tasks

/// Metrics of answers beside SQuAD's rules.
final class PeerRowMetricsTests: DirectoryTestCase {
    private var random = SplitMix64(state: 21)

    private func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private func strings(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }

    /// What lower case, articles, punctuation and spaces may be mistaken for.
    private let pieces = [
        "a", "an", "the", "The", "AN", "A", "cat", "Cat", "dog's", "-", "'", "_", "the-cat", "a_b", "an.", "(the)", "1,000",
        " ", "  ", "\t", "\n", "\u{A0}", "\u{2003}", "\u{1C}", "\u{200B}", "\u{3000}", "é", "e\u{301}", "É", "E\u{301}",
        "a\u{301}", "\u{301}", "ΟΔΟΣ", "οδος", "οδοσ", "Σ", "ς", "İ", "ı", "ß", "ẞ", "ﬁ", "Ǆ", "日本", "。", "«the»", "“a”", "–", "½", "²",
        "Ⅳ", "ª", "😀", "👩‍👩‍👧", "the😀", "𝔸", "ａ", "‘the’", "$", "¢", "+", "a+", "\u{0}", "x\u{AD}y", "Σ.", "a’Σ’b",
    ]

    private func text() -> String {
        (0..<integer(0...5)).map { _ in
            (pieces.randomElement(using: &random) ?? "") + (integer(0...1) == 0 ? " " : "")
        }.joined()
    }

    private func answerCase() -> JSONValue {
        let predicted = text()
        let answers = (0..<integer(0...3)).map { _ in
            switch integer(0...4) {
            case 0: predicted
            case 1: predicted + text()
            // What Swift takes for the same text, and Python doesn't.
            case 3: predicted.decomposedStringWithCanonicalMapping
            case 2: String(predicted.split(separator: " ").reversed().joined(separator: "  ")).uppercased()
            default: text()
            }
        }
        let scores = answerScores(predicted, answers: answers)
        return .object([
            "kind": .string("answer"), "predicted": .string(predicted), "answers": strings(answers),
            "found": .object(["exact": .number(scores.exactMatch), "f1": .number(scores.f1)]),
        ])
    }

    func testAnswersAreMeasuredByTheRulesOfSQuAD() throws {
        let all = (0..<1000).map { _ in answerCase() }
        let url = directory.appendingPathComponent("cases.json")
        try JSONEncoder().encode(JSONValue.array(all)).write(to: url)
        let output = try PeerPython.run(file: "row_metrics.py", [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        XCTAssertEqual(differences.count, 4, output)
        XCTAssertLessThanOrEqual(differences.values.max() ?? 1, 1e-9, output)
    }
}
