/// A kind of which an example is one sequence, a text or a pair of texts, with a label of its own, and a decoder that
/// reads the first token.
public protocol SequenceKind: TaskKind {
    /// Whether an example may have several labels, which then stand in a list or in one text.
    static var takesSeveralLabels: Bool { get }
    /// The name of transformers' `problem_type`.
    static var problemType: String { get }
    /// How many numbers an example's target has.
    var targetWidth: Int { get }

    /// Whether a number can be one of a target's.
    func isTarget(_ number: Float) -> Bool
    /// The target of an example, from the bytes of its label: more than one where ``takesSeveralLabels``.
    ///
    /// - Throws: `DataFileError.Problem` if they are no label of the task.
    func target(of fields: [FieldBytes]) throws(DataFileError.Problem) -> [Float]

    /// What the logits say, `width` of them.
    func answer(_ logits: ArraySlice<Float>) -> Answer
    /// An example's loss, as the decoder is trained by it.
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
}

extension SequenceKind {
    public static var takesSeveralLabels: Bool { false }

    /// Whether a target is one number.
    var hasScalarTarget: Bool { targetWidth == 1 && !Self.takesSeveralLabels }

    public func examples(
        of row: RowContents, encoder: ExampleEncoder
    ) throws(DataFileError.Problem) -> [EncodedExample] {
        [EncodedExample(sequences: [encoder.encode(row.texts)], marks: ExampleMarks(target: row.target))]
    }

    public func allows(_ marks: ExampleMarks, lengths: [Int]) -> Bool {
        lengths.count == 1 && marks.target.count == targetWidth && marks.target.allSatisfy(isTarget)
            && marks.alignment.isEmpty && marks.texts.isEmpty && !marks.isContinuation
    }

    public func loss(of example: DecodedExample) -> Double { loss(example.logits, target: example.marks.target[...]) }

    public func uncertainty(of example: DecodedExample) -> Uncertainty {
        Uncertainty(entropy: entropy(example.logits), classes: entropyClasses)
    }

    public func answer(to windows: [DecodedExample]) -> Answer { answer(windows[0].logits) }

    public func values(
        of metrics: [Metric], examples: [DecodedExample]
    ) throws(LabelNotAClass) -> [Double] {
        try values(of: metrics, logits: examples.flatMap(\.logits), targets: examples.flatMap(\.marks.target))
    }
}
