/// What a task's decoder puts out, and all that depends on it: how a label is read, measured and said. How its decoder is
/// trained is in the module `CAMTL`, in an extension of the same type.
///
/// A kind is a value, such as the labels of a classification. A further kind is a type that conforms, in a file of its
/// own, and an entry in ``TaskKinds/all``; its training is a second file.
public protocol TaskKind: AdjustableKind, Hashable {
    /// The kind's name, in task files and in a model's `config.json`.
    static var name: String { get }
    /// The metrics of a task that names none.
    static var defaultMetrics: [Metric] { get }
    /// The metrics that a task may name.
    static var allowedMetrics: [Metric] { get }
    /// Whether an example may have several labels, which then stand in a list or in one text.
    static var takesSeveralLabels: Bool { get }
    /// Whether a list may stand for a text.
    static var takesTextLists: Bool { get }
    /// The name of transformers' `problem_type`.
    static var problemType: String { get }

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
    /// How many numbers an example's target has.
    var targetWidth: Int { get }
    /// Whether a target may have a fraction.
    var hasFractionalTargets: Bool { get }

    /// Whether a number can be one of a target's.
    func isTarget(_ number: Float) -> Bool
    /// The target of an example, from the bytes of its label: more than one where ``takesSeveralLabels``.
    ///
    /// - Throws: `DataFileError.Problem` if they are no label of the task.
    func target(of fields: [FieldBytes]) throws(DataFileError.Problem) -> [Float]

    /// What the logits say, `width` of them.
    func answer(_ logits: ArraySlice<Float>) -> Answer
    /// An example's loss, as the decoder is trained by it: the loss of several is the sum of theirs over the sum of their
    /// ``AdjustableKind/lossWeight(of:)``.
    func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double
    /// The entropy of what is predicted, in nats; 0 where nothing is distributed.
    func entropy(_ logits: ArraySlice<Float>) -> Double
    /// The number of classes of the distribution whose entropy this is; 1 where there is none.
    var entropyClasses: Int { get }

    /// The metrics, in double precision, in the order in which they are named.
    ///
    /// - Parameters:
    ///   - metrics: what is measured.
    ///   - logits: `[samples, width]`, row after row.
    ///   - targets: `[samples, targetWidth]`, row after row.
    /// - Throws: `LabelNotAClass`.
    func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double]

    /// What the kind is, for a message: "a classification with the labels a, b".
    var summary: String { get }
    /// What is predicted, for a model's card: the labels, or "a number".
    var outputSummary: String { get }
}

extension TaskKind {
    public var recorded: Self { self }
    public static var takesSeveralLabels: Bool { false }
    public static var takesTextLists: Bool { false }
    public var hasFractionalTargets: Bool { false }
    public var outputSummary: String { labels.joined(separator: ", ") }
    /// The kind's name.
    public var name: String { Self.name }

    /// Whether a target is one number.
    var hasScalarTarget: Bool { targetWidth == 1 && !Self.takesSeveralLabels }

    func isEqual(to other: any TaskKind) -> Bool { (other as? Self) == self }
}

/// The kinds of task there are.
public enum TaskKinds {
    public static let all: [any TaskKind.Type] = [Classification.self, Regression.self, MultiLabel.self]

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
    /// Of the labels, in the model's order.
    public var probabilities: [Double]?
    /// From 0, sure, to just below 1.
    public var entropy: Double?
    /// The prediction as a file of predictions has it.
    public var text: String
}
