import Foundation

/// What a task's decoder puts out, and all that depends on it: what its examples are, how they are encoded, measured and
/// said. How its decoder is trained is in the module `CAMTL`, in an extension of the same type.
///
/// A kind is a value, such as the labels of a classification. A further kind is a type that conforms, in a file of its
/// own, and an entry in ``TaskKinds/all``; its training is a second file. A kind of which an example is one sequence with
/// a label conforms to ``SequenceKind``, which has much of this ready.
public protocol TaskKind: AdjustableKind, Hashable {
    /// The kind's name, in task files and in a model's `config.json`.
    static var name: String { get }
    /// The metrics of a task that names none.
    static var defaultMetrics: [Metric] { get }
    /// The metrics that a task may name.
    static var allowedMetrics: [Metric] { get }
    /// What the decoder reads of each sequence.
    static var decoderInput: DecoderInput { get }
    /// What the columns of its examples are.
    static var fields: KindFields { get }
    /// Where a label stands, of the columns that a task file names.
    static func label(_ columns: [ColumnReference], separator: UInt8?) -> Columns.Label

    /// The kind with its labels in the order of the decoder's rows.
    ///
    /// - Throws: `KindError` if it can't have these labels.
    init(labels: [String]) throws

    /// The kind as a model records it: without what only the data's readers need.
    var recorded: Self { get }
    /// The names of the decoder's outputs; empty where they have none.
    var labels: [String] { get }
    /// The decoder's width.
    var width: Int { get }
    /// Whether a target may have a fraction.
    var hasFractionalTargets: Bool { get }

    /// The examples that a row becomes: one, or one a window of a text that is too long for one.
    ///
    /// - Throws: `DataFileError.Problem` if the row is none of the task's.
    func examples(of row: RowContents, encoder: ExampleEncoder) throws(DataFileError.Problem) -> [EncodedExample]
    /// Whether what is stored of an example can be of this kind.
    func allows(_ marks: ExampleMarks, lengths: [Int]) -> Bool

    /// An example's loss, as the decoder is trained by it: the loss of several is the sum of theirs over the sum of their
    /// ``AdjustableKind/lossWeight(of:)``.
    func loss(of example: DecodedExample) -> Double
    /// How unsure the prediction is.
    func uncertainty(of example: DecodedExample) -> Uncertainty
    /// What is said of a row.
    ///
    /// - Parameter windows: the examples that the row became, at least one.
    func answer(to windows: [DecodedExample]) -> Answer
    /// The metrics, in double precision, in the order in which they are named.
    ///
    /// - Throws: `LabelNotAClass`.
    func values(of metrics: [Metric], examples: [DecodedExample]) throws(LabelNotAClass) -> [Double]

    /// Why some metrics mean nothing with these labels; nil if all do.
    func problem(with metrics: [Metric]) -> String?

    /// Adds up what the targets of a set are like, before anything is trained; without one of the kind's own, nothing is
    /// said of them.
    func makeTargetSummary() -> any TargetSummary

    /// What the kind is, for a message: "a classification with the labels a, b".
    var summary: String { get }
    /// What is predicted, for a model's card: the labels, or "a number".
    var outputSummary: String { get }
}

/// What a task's decoder reads of the encoder's output.
public enum DecoderInput: Sendable {
    /// Of each sequence its first token, pooled.
    case firstToken
    /// Each token.
    case tokens
}

/// The entropy of a prediction.
public struct Uncertainty: Sendable, Equatable {
    /// In nats; 0 where nothing is distributed.
    public var entropy: Double
    /// The number of classes of the distribution whose entropy it is; 1 where there is none.
    public var classes: Int

    public init(entropy: Double, classes: Int) {
        self.entropy = entropy
        self.classes = classes
    }

    /// H / (ln K + 1e-5): from 0, sure, to just below 1; 0 where there is no distribution.
    ///
    /// Source: `CaMtl.calculate_entropy` of the original.
    public var normalized: Double { classes > 1 ? entropy / (log(Double(classes)) + 1e-5) : 0 }
}

extension TaskKind {
    public var recorded: Self { self }
    public static var decoderInput: DecoderInput { .firstToken }
    public static var fields: KindFields { KindFields() }
    public static func label(_ columns: [ColumnReference], separator: UInt8?) -> Columns.Label {
        columns.count > 1 ? .columns(columns) : .column(columns[0], separator: separator)
    }
    public var hasFractionalTargets: Bool { false }
    public func problem(with metrics: [Metric]) -> String? { nil }
    public var outputSummary: String { labels.joined(separator: ", ") }
    /// The kind's name.
    public var name: String { Self.name }

    /// The rows of the decoder's logits of an example of these sequences.
    public func logitRows(lengths: [Int]) -> Int {
        Self.decoderInput == .tokens ? lengths.reduce(0, +) : lengths.count
    }

    func isEqual(to other: any TaskKind) -> Bool { (other as? Self) == self }
}

/// The kinds of task there are.
public enum TaskKinds {
    public static let all: [any TaskKind.Type] = [
        Classification.self, Regression.self, MultiLabel.self, Tagging.self, Span.self,
        Choice.self,
    ]

    /// The kind of a name.
    public static func named(_ name: String) -> (any TaskKind.Type)? { all.first { $0.name == name } }
}

/// Labels that a kind of task can't have.
public struct KindError: Error, Equatable, CustomStringConvertible {
    public var description: String
}

/// What a model says of one example.
public struct Answer: Sendable, Equatable {
    /// The predicted class' name, where there is exactly one.
    public var label: String?
    /// The predicted labels, where there may be any number.
    public var labels: [String]?
    /// The predicted number.
    public var value: Float?
    /// The predicted tags, one a word.
    public var tags: [String]?
    /// The number of the predicted choice, from 0.
    public var choice: Int?
    /// The predicted part of a text.
    public var span: Span?
    /// Of the labels, in the model's order.
    public var probabilities: [Double]?
    /// From 0, sure, to just below 1.
    public var entropy: Double?
    /// The prediction as a file of predictions has it.
    public var text: String

    /// A part of a text.
    public struct Span: Sendable, Equatable, Encodable {
        /// Empty where the text is said to have no answer.
        public var text: String
        /// Where it begins, in Unicode scalars from 0; nil where there is no answer.
        public var start: Int?
        /// Behind its end.
        public var end: Int?
        /// Its probability among the parts that were looked at and, where there may be none, no answer.
        public var probability: Double
    }
}
