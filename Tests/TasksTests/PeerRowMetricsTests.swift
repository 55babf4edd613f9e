import Files
import Foundation
import TestSupport
import XCTest

@testable import Tasks

/// Metrics of tags beside seqeval's, and of answers beside SQuAD's rules.
final class PeerRowMetricsTests: DirectoryTestCase {
    private var random = SplitMix64(state: 21)

    private func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private func strings(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }

    /// The tags of a scheme, and now and then sentences that follow it.
    private func tags(of scheme: String, _ count: Int) -> [String] {
        let marks = scheme == "IOBES" ? "IBES" : "IB"
        let types = ["PER", "LOC-x", "MISC"]
        if integer(0...1) == 0 {
            return (0..<count).map { _ in
                integer(0...2) == 0
                    ? "O" : "\(marks.randomElement(using: &random) ?? "I")-\(types[integer(0...2)])"
            }
        }
        var tags: [String] = []
        while tags.count < count {
            let (type, length) = (types[integer(0...2)], min(integer(1...4), count - tags.count))
            switch (integer(0...2), scheme) {
            case (0, _): tags.append("O")
            case (_, "IOB1"):
                let follows = tags.last.map { $0 != "O" && $0.hasSuffix("-\(type)") } ?? false
                tags += (0..<length).map { $0 == 0 && follows ? "B-\(type)" : "I-\(type)" }
            case (_, "IOB2"): tags += (0..<length).map { $0 == 0 ? "B-\(type)" : "I-\(type)" }
            default:
                tags += (0..<length).map {
                    length == 1 ? "S-\(type)" : $0 == 0 ? "B-\(type)" : $0 == length - 1 ? "E-\(type)" : "I-\(type)"
                }
            }
        }
        return tags
    }

    /// A sentence as a model's windows of it, cut anywhere.
    private func examples(_ kind: Tagging, actual: [String], predicted: [String]) -> [DecodedExample] {
        let cut = integer(0...actual.count)
        return [0..<cut, cut..<actual.count].filter { !$0.isEmpty }.map { words in
            // [CLS], the words, a further piece of the last one and [SEP].
            var marks = ExampleMarks(target: [-1], alignment: [-1], isContinuation: words.lowerBound > 0)
            var logits = [Float](repeating: 9, count: kind.width)
            for word in words {
                marks.target.append(Float(kind.labels.firstIndex(of: actual[word]) ?? 0))
                marks.alignment.append(Int32(word))
                logits += kind.labels.map { $0 == predicted[word] ? 1 : Float.random(in: -1..<1, using: &random) }
            }
            marks.target += [-1, -1]
            marks.alignment += [-1, -1]
            return DecodedExample(logits: (logits + [Float](repeating: 9, count: 2 * kind.width))[...], marks: marks)
        }
    }

    private func taggingCase(_ number: Int) throws -> JSONValue {
        let scheme = ["IOB1", "IOB2", "IOBES"][number % 3]
        let sentences = (0..<integer(1...4)).map { _ in
            let actual = tags(of: scheme, integer(1...12))
            // Some are predicted as they are.
            let other = tags(of: scheme, actual.count)
            let share = integer(0...4)
            return (actual: actual, predicted: zip(actual, other).map { integer(0...3) < share ? $0 : $1 })
        }
        let kind = try Tagging(labels: Array(Set(sentences.flatMap { $0.actual + $0.predicted } + ["O", "I-Z"])).sorted())
        let metrics: [Metric] = [.entityPrecision, .entityRecall, .entityF1, .accuracy]
        let values = try kind.values(
            of: metrics,
            examples: sentences.flatMap { examples(kind, actual: $0.actual, predicted: $0.predicted) })
        return .object([
            "kind": .string("tagging"), "actual": .array(sentences.map { strings($0.actual) }),
            "predicted": .array(sentences.map { strings($0.predicted) }),
            "found": .object(
                Dictionary(uniqueKeysWithValues: zip(["precision", "recall", "f1", "acc"], values.map(JSONValue.number)))),
        ])
    }

    /// What lower case, articles, punctuation and spaces may be mistaken for.
    private let pieces = [
        "a", "an", "the", "The", "AN", "A", "cat", "Cat", "dog's", "-", "'", "_", "the-cat", "a_b", "an.", "(the)", "1,000",
        " ", "  ", "\t", "\n", "\u{A0}", "\u{2003}", "\u{1C}", "\u{200B}", "\u{3000}", "é", "e\u{301}", "É", "E\u{301}",
        "a\u{301}", "\u{301}", "ΟΔΟΣ", "Σ", "ς", "İ", "ı", "ß", "ẞ", "ﬁ", "Ǆ", "日本", "。", "«the»", "“a”", "–", "½", "²",
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
            switch integer(0...3) {
            case 0: predicted
            case 1: predicted + text()
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

    func testMetricsOfTagsAndAnswersAreThoseOfSeqevalAndSQuAD() throws {
        let all = try (0..<1000).flatMap { try [taggingCase($0), answerCase()] }
        let url = directory.appendingPathComponent("cases.json")
        try JSONEncoder().encode(JSONValue.array(all)).write(to: url)
        let output = try PeerPython.run(file: "row_metrics.py", [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        XCTAssertEqual(differences.count, 4 + 4, output)
        XCTAssertLessThanOrEqual(differences.values.max() ?? 1, 1e-9, output)
    }
}
