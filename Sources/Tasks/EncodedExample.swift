import Tokenization

/// What a row gives to its task's kind.
public struct RowContents {
    /// One or two.
    public var texts: [FieldTexts]
    /// The texts to choose from, or a list of them.
    public var choices: [FieldTexts] = []
    /// What stands in the columns of a label that is not read apart from the texts, nil in one that the row lacks; empty
    /// in a file that is read without labels.
    public var labels: [FieldTexts?] = []
    /// The label that is; empty in a file that is read without labels.
    public var target: [Float] = []
}

/// The bytes of a field of a row: one text, or the texts of a list.
public struct FieldTexts {
    public var values: [FieldBytes]
    public var isList: Bool

    public init(values: [FieldBytes], isList: Bool) {
        self.values = values
        self.isList = isList
    }
}

/// Encodes texts for a model.
public struct ExampleEncoder: Sendable {
    public let tokenizer: WordPieceTokenizer
    /// The number of input ids, the special ones included, that a sequence is cut to.
    public let maxSequenceLength: Int
    /// Whether examples keep texts that an answer names, beside those that measuring needs.
    public let keepsTexts: Bool
    /// The end of a text that is cut.
    public let truncationSide: TruncationSide

    public init(
        tokenizer: WordPieceTokenizer, maxSequenceLength: Int, keepsTexts: Bool = false,
        truncationSide: TruncationSide = .end
    ) {
        self.tokenizer = tokenizer
        self.maxSequenceLength = maxSequenceLength
        self.keepsTexts = keepsTexts
        self.truncationSide = truncationSide
    }

    /// A text or a pair of texts as one sequence, cut to the longest that the model takes.
    func encode(_ texts: [FieldTexts]) -> Encoding {
        texts[0].withText { first in
            func encoding(_ second: UnsafeRawBufferPointer?) -> Encoding {
                tokenizer.encode(
                    utf8: first, pair: second, maxLength: maxSequenceLength, truncationSide: truncationSide)
            }
            return texts.count > 1 ? texts[1].withText { encoding($0) } : encoding(nil)
        }
    }
}

extension FieldTexts {
    /// Lends the field as one text; several are joined by spaces.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if values.count == 1 { return body(UnsafeRawBufferPointer(rebasing: values[0])) }
        return Array(values.joined(separator: [0x20])).withUnsafeBytes(body)
    }

    /// The field as one text.
    var text: String { withText { String(decoding: $0, as: UTF8.self) } }
}

/// A field of a row that stands in no file.
public enum RowText: Sendable, Equatable {
    case text(String)
    case list([String])

    fileprivate var value: FieldValue {
        switch self {
        case .text(let text): .decoded(Array(text.utf8))
        case .list(let texts): .list(texts.map { Array($0.utf8) })
        }
    }
}

extension ExampleEncoder {
    /// The examples that a row without a label becomes.
    ///
    /// - Throws: `DataFileError.Problem` if the row is none of the kind's.
    public func examples(
        of texts: [RowText], choices: [RowText] = [], kind: some TaskKind
    ) throws -> [EncodedExample] {
        let row = Row(texts: texts.map(\.value), choices: choices.map(\.value), labels: [], target: [], line: 0)
        return try row.withContents(of: UnsafeRawBufferPointer(start: nil, count: 0)) {
            try kind.examples(of: $0, encoder: self)
        }
    }
}

/// An example as a model takes it: one sequence, or one a choice.
public struct EncodedExample: Sendable, Equatable {
    /// At least one.
    public var sequences: [Encoding]
    public var marks: ExampleMarks

    public init(sequences: [Encoding], marks: ExampleMarks) {
        self.sequences = sequences
        self.marks = marks
    }
}

/// What is known of an example beside its tokens.
public struct ExampleMarks: Sendable, Equatable {
    /// As the task's kind has it: the class index, or the score, or 0 and 1 for each label, or a number a token; empty in
    /// a set without labels.
    public var target: [Float]
    /// What the kind needs to know of the tokens, such as each one's word.
    public var alignment: [Int32] = []
    /// The texts, in UTF-8, that the kind needs to say or measure an answer.
    public var texts: [[UInt8]] = []
    /// Whether it is a further window of the row that the example before it is of.
    public var isContinuation = false

    public init(
        target: [Float], alignment: [Int32] = [], texts: [[UInt8]] = [], isContinuation: Bool = false
    ) {
        self.target = target
        self.alignment = alignment
        self.texts = texts
        self.isContinuation = isContinuation
    }
}

/// An example with what a model says of it.
public struct DecodedExample: Sendable, Equatable {
    /// `[rows, width]`, row after row: one, or one a choice, or one a token.
    public var logits: ArraySlice<Float>
    public var marks: ExampleMarks

    public init(logits: ArraySlice<Float>, marks: ExampleMarks) {
        self.logits = logits
        self.marks = marks
    }
}

/// Examples of rows in their order -> the windows of each row.
public func rows(of examples: [DecodedExample]) -> [[DecodedExample]] {
    var rows: [[DecodedExample]] = []
    for example in examples {
        if example.marks.isContinuation, !rows.isEmpty { rows[rows.count - 1].append(example) } else { rows.append([example]) }
    }
    return rows
}
