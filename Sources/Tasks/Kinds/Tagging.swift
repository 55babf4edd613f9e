import Files
import Foundation
import Tokenization

/// A tag for each word: cross entropy of its first piece's logits.
///
/// A text that is too long for a sequence becomes several windows, cut between words. Neighbours overlap, so that a word
/// has others around it, and each word is of one of them.
public struct Tagging: TaskKind {
    public static let name = "tagging"
    public static let defaultMetrics: [Metric] = [.entityF1]
    public static let allowedMetrics: [Metric] = [.entityF1, .entityPrecision, .entityRecall, .accuracy, .logLoss]
    public static let decoderInput = DecoderInput.tokens
    public static var fields: KindFields {
        var fields = KindFields()
        fields.texts = 1...1
        fields.usualTexts = ["words"]
        fields.takesWords = true
        fields.cutsTexts = false
        return fields
    }

    /// A tag's position is its class and its row in the decoder.
    public let labels: [String]
    private let positions: [[UInt8]: Int]
    /// Tokens that a window shares with the next one, at most; nil is a quarter of its room.
    public private(set) var stride: Int?

    public init(labels: [String]) throws(KindError) {
        guard labels.count >= 2, Set(labels).count == labels.count else {
            throw KindError(description: "a tagging wants two or more different tags, found \(labels)")
        }
        self.labels = labels
        positions = Dictionary(uniqueKeysWithValues: labels.enumerated().map { (Array($1.utf8), $0) })
    }

    public var width: Int { labels.count }

    public static let options = [WindowOptions.stride]
    public var recordedOptions: [String: JSONValue] { WindowOptions.recorded(stride: stride) }

    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {
        stride = WindowOptions.stride(options)
    }

    /// The target of a token that no word begins with, or none of the window's.
    private static let none: Float = -1
    /// Far beyond any text's words.
    private static let mostWords = 1 << 24

    public func examples(
        of row: RowContents, encoder: ExampleEncoder
    ) throws(DataFileError.Problem) -> [EncodedExample] {
        let words = encoder.words(of: row.texts[0])
        guard !words.isEmpty else { throw .rule("the row has no words.") }
        var tags: [Float]?
        if let label = row.labels.first {
            tags = try self.tags(label ?? FieldTexts(values: [], isList: true), words: words.count)
        }
        return encoder.windows(ofWords: words, overlap: stride).map { window in
            var marks = ExampleMarks(target: [], alignment: window.words)
            if let tags { marks.target = window.words.map { $0 < 0 ? Tagging.none : tags[Int($0)] } }
            marks.isContinuation = window.isContinuation
            if encoder.keepsTexts, !window.isContinuation { marks.texts = words.map { Array($0) } }
            return EncodedExample(sequences: [window.encoding], marks: marks)
        }
    }

    private func tags(_ field: FieldTexts, words: Int) throws(DataFileError.Problem) -> [Float] {
        guard field.values.count == words else {
            throw .rule("the row has \(words) words and \(field.values.count) tags; each word has a tag.")
        }
        var tags: [Float] = []
        for tag in field.values {
            guard let position = positions[Array(tag)] else { throw .unknownLabel(found: tag.excerpt, allowed: labels) }
            tags.append(Float(position))
        }
        return tags
    }

    public func allows(_ marks: ExampleMarks, lengths: [Int]) -> Bool {
        lengths.count == 1 && marks.alignment.count == lengths[0] && marks.texts.isEmpty
            && marks.alignment.allSatisfy { (-1..<Int32(Tagging.mostWords)).contains($0) }
            && (marks.target.isEmpty || marks.target.map { $0 >= 0 } == marks.alignment.map { $0 >= 0 })
            && marks.target.allSatisfy { $0 == Tagging.none || Int(exactly: $0).map(labels.indices.contains) ?? false }
    }

    public func lossWeight(of target: ArraySlice<Float>) -> Double { Double(target.count { $0 >= 0 }) }

    /// The logits of the window's own words, with each one's number and its token.
    private func words(_ example: DecodedExample) -> [(number: Int, token: Int, logits: ArraySlice<Float>)] {
        example.marks.alignment.enumerated().compactMap { token, word in
            guard word >= 0 else { return nil }
            let start = example.logits.startIndex + token * width
            return (Int(word), token, example.logits[start..<start + width])
        }
    }

    /// The sum of its words' losses.
    public func loss(of example: DecodedExample) -> Double {
        words(example).reduce(0) { $0 + crossEntropy($1.logits, class: Int(example.marks.target[$1.token])) }
    }

    /// The mean of the words' entropies.
    public func uncertainty(of example: DecodedExample) -> Uncertainty {
        Uncertainty(entropy: mean(words(example).map { entropy($0.logits) }), classes: width)
    }

    /// The tags of a row's words, in their order.
    private func predicted(_ windows: [DecodedExample]) -> [Int] {
        var tags: [Int: Int] = [:]
        for word in windows.flatMap(words) { tags[word.number] = indexOfMaximum(word.logits) }
        return (0..<((tags.keys.max() ?? -1) + 1)).map { tags[$0] ?? 0 }
    }

    public func answer(to windows: [DecodedExample]) -> Answer {
        let tags = predicted(windows).map { labels[$0] }
        let words = windows.flatMap(words)
        let entropy = mean(words.map { Tasks.entropy($0.logits) })
        return Answer(
            tags: tags, entropy: Uncertainty(entropy: entropy, classes: width).normalized,
            text: tags.joined(separator: " "))
    }

    public func values(of metrics: [Metric], examples: [DecodedExample]) throws(LabelNotAClass) -> [Double] {
        var counts = EntityCounts()
        var (right, words, logLoss) = (0, 0, 0.0)
        for windows in rows(of: examples) {
            let predicted = predicted(windows)
            var actual = predicted
            for window in windows {
                for word in self.words(window) { actual[word.number] = Int(window.marks.target[word.token]) }
                if metrics.contains(.logLoss) { logLoss += loss(of: window) }
            }
            right += zip(predicted, actual).count { $0 == $1 }
            words += actual.count
            counts.add(predicted: entities(predicted.map { labels[$0] }), actual: entities(actual.map { labels[$0] }))
        }
        return metrics.map { metric in
            switch metric {
            case .entityPrecision: counts.precision
            case .entityRecall: counts.recall
            case .entityF1: counts.f1
            case .accuracy: Double(right) / Double(words)
            case .logLoss: logLoss / Double(words)
            default: .nan
            }
        }
    }

    public func problem(with metrics: [Metric]) -> String? {
        guard metrics.contains(where: { [.entityF1, .entityPrecision, .entityRecall].contains($0) }),
            let other = labels.first(where: { $0 != "O" && !EntityTag.isMark($0) })
        else { return nil }
        return "the tag \"\(other)\" is no IOB tag, such as O, B-person or I-person, and entities can't be told; "
            + "\"metrics\" may have acc"
    }

    public var summary: String { "a tagging with the tags \(labels.joined(separator: ", "))" }
}
