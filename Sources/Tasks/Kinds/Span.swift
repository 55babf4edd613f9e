import Files
import Foundation
import Tokenization

/// A part of a context that answers a question, or none: a logit a token for where it begins and one for where it ends,
/// and the mean of both cross entropies over the sequence's tokens.
///
/// An example is the pair of a question and a part of the context; a context that is too long becomes several windows
/// that overlap. Where a window has no answer, both are at its first token.
///
/// Source: `BertForQuestionAnswering` of transformers and its `run_qa.py`.
public struct Span: TaskKind {
    public static let name = "span"
    public static let defaultMetrics: [Metric] = [.textF1, .exactMatch]
    public static let allowedMetrics: [Metric] = [.textF1, .exactMatch]
    public static let decoderInput = DecoderInput.tokens
    public static var fields: KindFields {
        var fields = KindFields()
        fields.texts = 2...2
        fields.defaultTexts = ["question", "context"]
        fields.usualTexts = fields.defaultTexts
        fields.labels = 1...2
        fields.defaultLabel = "answers"
        fields.cutsTexts = false
        return fields
    }

    /// The texts and their places: in two columns, or in lists within one, as SQuAD has them, and others.
    public static func label(_ columns: [ColumnReference], separator: UInt8?) -> Columns.Label {
        guard columns.count == 1, case .named(let name) = columns[0] else { return .parts(columns) }
        return .parts(["text", "answer_start", "start"].map { .named("\(name).\($0)") })
    }

    /// Whether a context may have no answer.
    public private(set) var allowsNoAnswer = false
    /// Tokens of an answer, at most.
    public private(set) var longestAnswer = 30
    /// Tokens that a window shares with the next one, at most.
    public private(set) var stride = 128

    public static let options = [
        WindowOptions.stride,
        KindOption(name: "no_answer", rule: "is true or false") { if case .bool = $0 { true } else { false } },
        KindOption(name: "max_answer_length", rule: "is a number of tokens, 1 or more") {
            if case .integer(1...1_000_000) = $0 { true } else { false }
        },
    ]

    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {
        stride = WindowOptions.stride(options) ?? 128
        if case .bool(let value)? = options["no_answer"] { allowsNoAnswer = value }
        if case .integer(let value)? = options["max_answer_length"] { longestAnswer = Int(value) }
    }

    public var recordedOptions: [String: JSONValue] {
        var options = WindowOptions.recorded(stride: stride == 128 ? nil : stride)
        if allowsNoAnswer { options["no_answer"] = .bool(true) }
        if longestAnswer != 30 { options["max_answer_length"] = .integer(numericCast(longestAnswer)) }
        return options
    }

    public init() {}

    public init(labels: [String]) throws(KindError) {
        guard labels.isEmpty else { throw KindError(description: "a span has no labels, found \(labels)") }
    }

    public var labels: [String] { [] }
    public var width: Int { 2 }

    /// Starts and ends that are looked at, the likeliest of each, as `run_qa.py` has it.
    private static let candidates = 20
    /// Tokens of the context that a window at least has room for.
    private static let leastRoom = 8

    public func examples(
        of row: RowContents, encoder: ExampleEncoder
    ) throws(DataFileError.Problem) -> [EncodedExample] {
        let question = row.texts[0].withText { encoder.tokenizer.tokenize(utf8: $0) }
        let context = row.texts[1].withText { Array($0) }
        let pieces = context.withUnsafeBytes { encoder.tokenizer.tokenize(utf8: $0) }
        let room = encoder.maxSequenceLength - question.count - encoder.tokenizer.numberOfSpecialTokens(isPair: true)
        guard room >= min(Span.leastRoom, max(pieces.count, 1)) else {
            throw .rule(
                "the question has \(question.count) tokens, which leaves a sequence of \(encoder.maxSequenceLength) no "
                    + "room for a part of the context; a longer max_seq_length would.")
        }
        let answers = row.labels.isEmpty ? nil : try Span.answers(row.labels, in: context)
        if answers?.isEmpty == true, !allowsNoAnswer {
            throw .rule("the row has no answer; \"no_answer: true\" in the task file says that there may be none.")
        }
        let place = answers?.first { $0.bytes != nil }?.bytes.map { pieces.tokens(in: $0) }
        var examples: [EncodedExample] = []
        var start = 0
        while true {
            let end = min(start + room, pieces.count)
            let encoding = encoder.tokenizer.sequence(of: question.ids, and: pieces.ids[start..<end])
            let first = question.count + 2
            var marks = ExampleMarks(target: [], alignment: Array(repeating: -1, count: 2 * encoding.inputIDs.count))
            for token in start..<end {
                marks.alignment[2 * (first + token - start)] = pieces.starts[token]
                marks.alignment[2 * (first + token - start) + 1] = pieces.ends[token]
            }
            if answers != nil {
                let here = place.flatMap { $0.isEmpty || $0.lowerBound < start || $0.upperBound > end ? nil : $0 }
                marks.target = here.map { [Float(first + $0.lowerBound - start), Float(first + $0.upperBound - 1 - start)] } ?? [0, 0]
            }
            marks.isContinuation = start > 0
            if start == 0 { marks.texts = [context] + (answers ?? []).map(\.text) }
            examples.append(EncodedExample(sequences: [encoding], marks: marks))
            if end == pieces.count { return examples }
            start = end - min(stride, room / 2)
        }
    }

    /// The answers of a row, with their places in the context's bytes where they have one.
    private static func answers(
        _ labels: [FieldTexts?], in context: [UInt8]
    ) throws(DataFileError.Problem) -> [(text: [UInt8], bytes: Range<Int>?)] {
        let texts = labels[0]?.values ?? []
        guard texts.contains(where: { !$0.isEmpty }) else { return [] }
        guard let starts = labels.dropFirst().compactMap({ $0 }).first?.values, starts.count == texts.count else {
            throw .rule("the row has \(texts.count) answers, and not as many numbers for where they begin.")
        }
        var answers: [(text: [UInt8], bytes: Range<Int>?)] = []
        for (text, start) in zip(texts, starts) where !text.isEmpty {
            let found = String(decoding: start, as: UTF8.self)
            guard let scalars = Int(found) else { throw .notANumber(found: start.excerpt) }
            // What only counts to measure has no place.
            if scalars == -1 { answers.append((Array(text), nil)); continue }
            let begin = context.withUnsafeBytes { ScalarOffsets.byteOffsets(ofScalars: [scalars], in: $0)[0] }
            guard let begin, context[begin...].starts(with: text) else {
                let there = begin.map { String(decoding: context[$0...].prefix(text.count), as: UTF8.self) } ?? ""
                throw .rule(
                    "the answer \"\(text.excerpt)\" is not in the context at its place, \(found), in characters from 0: "
                        + (begin == nil ? "the context ends before." : "there is \"\(there.prefix(80))\"."))
            }
            answers.append((Array(text), begin..<begin + text.count))
        }
        return answers
    }

    public func allows(_ marks: ExampleMarks, lengths: [Int]) -> Bool {
        let size = marks.texts.first?.count ?? Int(Int32.max)
        return lengths.count == 1 && marks.alignment.count == 2 * lengths[0]
            && marks.alignment.allSatisfy { (-1...Int32(clamping: size)).contains($0) }
            && marks.isContinuation == marks.texts.isEmpty && [0, 2].contains(marks.target.count)
            && marks.target.allSatisfy { Int(exactly: $0).map { (0..<lengths[0]).contains($0) } ?? false }
    }

    /// The logits of where the answer begins, or of where it ends.
    private func logits(_ example: DecodedExample, _ side: Int) -> [Float] {
        Swift.stride(from: example.logits.startIndex + side, to: example.logits.endIndex, by: 2).map { example.logits[$0] }
    }

    public func loss(of example: DecodedExample) -> Double {
        mean((0..<2).map { crossEntropy(logits(example, $0), class: Int(example.marks.target[$0])) })
    }

    /// The mean of the entropies of both, of as many classes as there are tokens.
    public func uncertainty(of example: DecodedExample) -> Uncertainty {
        Uncertainty(entropy: mean((0..<2).map { entropy(logits(example, $0)) }), classes: example.logits.count / 2)
    }

    /// A part of a context and the sum of its logits.
    private struct Candidate {
        let score: Double
        /// In bytes; empty for no answer.
        let range: Range<Int>
    }

    /// The likeliest parts of a window, and no answer.
    private func candidates(_ example: DecodedExample) -> (parts: [Candidate], none: Double) {
        let (starts, ends) = (logits(example, 0), logits(example, 1))
        func highest(_ logits: [Float]) -> [Int] {
            Array(logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }.prefix(Span.candidates))
        }
        let alignment = example.marks.alignment
        let lasts = highest(ends).filter { alignment[2 * $0] >= 0 }
        let parts = highest(starts).filter { alignment[2 * $0] >= 0 }.flatMap { start in
            lasts.filter { (start..<start + longestAnswer).contains($0) }.map { end in
                Candidate(
                    score: Double(starts[start]) + Double(ends[end]),
                    range: Int(alignment[2 * start])..<max(Int(alignment[2 * start]), Int(alignment[2 * end + 1])))
            }
        }
        return (parts, Double(starts[0]) + Double(ends[0]))
    }

    /// The part of a row's context with the highest score; or none, where there may be none, if that scores higher in
    /// each window.
    private func best(_ windows: [DecodedExample]) -> (range: Range<Int>, probability: Double) {
        let found = windows.map(candidates)
        let none = Candidate(score: found.map(\.none).min() ?? 0, range: 0..<0)
        let parts = found.flatMap(\.parts)
        let all = allowsNoAnswer || parts.isEmpty ? parts + [none] : parts
        let best = all.dropFirst().reduce(all[0]) { $1.score > $0.score ? $1 : $0 }
        let total = all.reduce(0) { $0 + exp($1.score - best.score) }
        return (best.range, 1 / total)
    }

    public func answer(to windows: [DecodedExample]) -> Answer {
        let (range, probability) = best(windows)
        let context = windows[0].marks.texts.first ?? []
        let text = String(decoding: context[range], as: UTF8.self)
        let places = context.withUnsafeBytes {
            ScalarOffsets.scalarOffsets(ofBytes: [range.lowerBound, range.upperBound], in: $0)
        }
        let entropies = windows.map { uncertainty(of: $0).normalized }
        return Answer(
            span: Answer.Span(
                text: text, start: range.isEmpty ? nil : places[0], end: range.isEmpty ? nil : places[1],
                probability: probability),
            entropy: mean(entropies), text: text.split { $0.isNewline || $0 == "\t" }.joined(separator: " "))
    }

    public func values(of metrics: [Metric], examples: [DecodedExample]) throws(LabelNotAClass) -> [Double] {
        var (exact, f1, count) = (0.0, 0.0, 0.0)
        for windows in rows(of: examples) {
            let texts = windows[0].marks.texts.map { String(decoding: $0, as: UTF8.self) }
            let predicted = answer(to: windows).span?.text ?? ""
            let scores = answerScores(predicted, answers: Array(texts.dropFirst()))
            exact += scores.exactMatch
            f1 += scores.f1
            count += 1
        }
        return metrics.map { metric in
            switch metric {
            case .exactMatch: exact / count
            case .textF1: f1 / count
            default: .nan
            }
        }
    }

    public var summary: String { "a span of a context" }
    public var outputSummary: String { "a part of the context" }
}

extension TokenizedText {
    /// The pieces that have any of these bytes.
    fileprivate func tokens(in bytes: Range<Int>) -> Range<Int> {
        let first = ends.firstIndex { Int($0) > bytes.lowerBound } ?? count
        let end = starts[first...].firstIndex { Int($0) >= bytes.upperBound } ?? count
        return first..<end
    }
}
