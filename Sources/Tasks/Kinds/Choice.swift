import Foundation

/// One of several texts: a logit for each, and cross entropy over the softmax of these.
///
/// An example is a sequence a choice: the text, or two texts one after the other, and the choice as its pair.
public struct Choice: TaskKind {
    public static let name = "choice"
    public static let defaultMetrics: [Metric] = [.accuracy]
    public static let allowedMetrics: [Metric] = [.accuracy, .logLoss]
    public static var fields: KindFields {
        var fields = KindFields()
        fields.hasChoices = true
        return fields
    }

    public init() {}

    public init(labels: [String]) throws(KindError) {
        guard labels.isEmpty else {
            throw KindError(description: "a choice has no labels but the choices of each row, found \(labels)")
        }
    }

    public var labels: [String] { [] }
    public var width: Int { 1 }

    public func examples(
        of row: RowContents, encoder: ExampleEncoder
    ) throws(DataFileError.Problem) -> [EncodedExample] {
        let choices = row.choices.flatMap(\.values)
        guard choices.count > 1 else { throw .rule("the row has \(choices.count) choices, and needs two or more.") }
        var marks = ExampleMarks(target: [])
        if let label = row.labels.first ?? nil { marks.target = [Float(try Choice.index(of: label, among: choices))] }
        if encoder.keepsTexts { marks.texts = choices.map { Array($0) } }
        let text = FieldTexts(values: row.texts.flatMap(\.values), isList: true)
        return [
            EncodedExample(
                sequences: choices.map { encoder.encode([text, FieldTexts(values: [$0], isList: false)]) },
                marks: marks)
        ]
    }

    /// The number of the choice that a label names: by its text, or else by its number from 0.
    private static func index(
        of label: FieldTexts, among choices: [FieldBytes]
    ) throws(DataFileError.Problem) -> Int {
        let named = choices.indices.filter { choices[$0].elementsEqual(label.values.first ?? choices[$0][..<choices[$0].startIndex]) }
        if named.count > 1 {
            throw .rule("the label \"\(label.text.prefix(80))\" is the text of several choices; give its number, from 0.")
        }
        if let index = named.first { return index }
        guard let index = Int(label.text), choices.indices.contains(index) else {
            throw .rule(
                "the label \"\(label.text.prefix(80))\" is neither a choice's text nor a number from 0 to "
                    + "\(choices.count - 1).")
        }
        return index
    }

    public func allows(_ marks: ExampleMarks, lengths: [Int]) -> Bool {
        lengths.count > 1 && marks.alignment.isEmpty && !marks.isContinuation && marks.target.count <= 1
            && marks.target.allSatisfy { Int(exactly: $0).map(lengths.indices.contains) ?? false }
    }

    public func loss(of example: DecodedExample) -> Double {
        crossEntropy(example.logits, class: Int(example.marks.target[0]))
    }

    public func uncertainty(of example: DecodedExample) -> Uncertainty {
        Uncertainty(entropy: entropy(example.logits), classes: example.logits.count)
    }

    public func answer(to windows: [DecodedExample]) -> Answer {
        let (logits, texts) = (windows[0].logits, windows[0].marks.texts)
        let choice = indexOfMaximum(logits)
        return Answer(
            label: texts.isEmpty ? nil : String(decoding: texts[choice], as: UTF8.self),
            choice: choice, probabilities: probabilities(logits),
            entropy: uncertainty(of: windows[0]).normalized, text: "\(choice)")
    }

    public func values(of metrics: [Metric], examples: [DecodedExample]) throws(LabelNotAClass) -> [Double] {
        metrics.map { metric in
            switch metric {
            case .accuracy: mean(examples.map { indexOfMaximum($0.logits) == Int($0.marks.target[0]) ? 1 : 0 })
            case .logLoss: mean(examples.map(loss(of:)))
            default: .nan
            }
        }
    }

    public var summary: String { "a choice among a row's texts" }
    public var outputSummary: String { "one of a row's choices" }
}
