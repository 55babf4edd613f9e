import Foundation

/// A number: the squared error of one output.
public struct Regression: SequenceKind {
    public static let name = "regression"
    public static let defaultMetrics: [Metric] = [.pearson, .spearman]
    public static let allowedMetrics: [Metric] = [.pearson, .spearman, .meanAbsoluteError, .rootMeanSquaredError, .r2]
    public static let problemType = "regression"

    /// A number outside of it is an error in the data; without it any finite number will do.
    public let range: ClosedRange<Float>?

    public init(range: ClosedRange<Float>? = nil) { self.range = range }

    public init(labels: [String]) throws(KindError) {
        guard labels.isEmpty else {
            throw KindError(description: "a regression has no labels, found \(labels)")
        }
        range = nil
    }

    public var recorded: Regression { Regression() }
    public var labels: [String] { [] }
    public var width: Int { 1 }
    public var targetWidth: Int { 1 }
    public var hasFractionalTargets: Bool { true }

    public func isTarget(_ number: Float) -> Bool { number.isFinite }

    public func target(of fields: [FieldBytes]) throws(DataFileError.Problem) -> [Float] {
        guard fields.count == 1 else { throw .notANumber(found: fields.map(\.excerpt).joined(separator: ", ")) }
        let field = fields[0]
        // Swift's own parser would also take hexadecimal numbers.
        let isDecimal = field.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
        guard isDecimal, let score = Double(String(decoding: field, as: UTF8.self)), Float(score).isFinite else {
            throw .notANumber(found: field.excerpt)
        }
        if let range, !(Double(range.lowerBound)...Double(range.upperBound)).contains(score) {
            throw .outOfRange(found: field.excerpt, range: range)
        }
        return [Float(score)]
    }

    /// The number, and as text with three decimals, no lower and no higher than the task's numbers are.
    public func answer(_ logits: ArraySlice<Float>) -> Answer {
        let value = logits[logits.startIndex]
        var score = Double(value)
        if let range { score = min(max(score, Double(range.lowerBound)), Double(range.upperBound)) }
        return Answer(value: value, text: String(format: "%.3f", score))
    }

    public func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double {
        pow(Double(logits[logits.startIndex]) - Double(target[target.startIndex]), 2)
    }

    public func entropy(_ logits: ArraySlice<Float>) -> Double { 0 }
    public var entropyClasses: Int { 1 }

    public func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double] {
        let (predicted, actual) = (logits.map(Double.init), targets.map(Double.init))
        return metrics.map { metric in
            switch metric {
            case .pearson: pearson(predicted, actual)
            case .spearman: spearman(logits, targets)
            case .meanAbsoluteError: mean(zip(predicted, actual).map { abs($0 - $1) })
            case .rootMeanSquaredError: mean(zip(predicted, actual).map { ($0 - $1) * ($0 - $1) }).squareRoot()
            case .r2: r2(predicted, actual)
            default: .nan
            }
        }
    }

    public var summary: String { "a regression" }
    public var outputSummary: String { "a number" }
}
