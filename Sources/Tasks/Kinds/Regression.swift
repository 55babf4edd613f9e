import Files
import Foundation

/// A number: the squared error of one output.
public struct Regression: SequenceKind {
    public static let name = "regression"
    public static let defaultMetrics: [Metric] = [.pearson, .spearman]
    public static let allowedMetrics: [Metric] = [.pearson, .spearman, .meanAbsoluteError, .rootMeanSquaredError, .r2]
    public static let problemType = "regression"

    /// A number outside of it is an error in the data; without it any finite number will do.
    public let range: ClosedRange<Float>?

    /// The mean and the standard deviation of the labels of the training set.
    public struct Standardization: Sendable, Hashable {
        public var mean: Double
        /// Above 0.
        public var deviation: Double
    }

    /// Where the decoder puts out (label - mean) / deviation, these; nil where it puts out labels.
    public private(set) var standardization: Standardization?
    /// Whether it is the former.
    private var standardizes = false

    public init(range: ClosedRange<Float>? = nil) { self.range = range }

    public init(labels: [String]) throws(KindError) {
        guard labels.isEmpty else {
            throw KindError(description: "a regression has no labels, found \(labels)")
        }
        range = nil
    }

    public var recorded: Regression {
        var kind = Regression()
        (kind.standardizes, kind.standardization) = (standardizes, standardization)
        return kind
    }
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

    /// The number, and as text: where the task's numbers have a range, with three decimals, no lower and no higher than
    /// they are, as GLUE's server wants them; else with as many digits as tell it from any other.
    public func answer(_ logits: ArraySlice<Float>) -> Answer {
        let value = value(of: logits[logits.startIndex])
        guard let range else { return Answer(value: value, text: "\(value)") }
        let score = min(max(Double(value), Double(range.lowerBound)), Double(range.upperBound))
        return Answer(value: value, text: String(format: "%.3f", score))
    }

    /// The number that a logit stands for, in the labels' own unit.
    private func value(of logit: Float) -> Float {
        standardization.map { Float(Double(logit) * $0.deviation + $0.mean) } ?? logit
    }

    /// What the decoder is to put out for a label.
    public func logit(of label: Double) -> Double {
        standardization.map { (label - $0.mean) / $0.deviation } ?? label
    }

    /// The regression with a decoder that puts out labels, whatever it was asked to do: one whose labels are standardized
    /// has the mean 0 and the deviation 1.
    public var inLabelsUnit: Regression {
        var kind = self
        if standardizes { kind.standardization = Standardization(mean: 0, deviation: 1) }
        return kind
    }

    public func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double {
        pow(Double(logits[logits.startIndex]) - logit(of: Double(target[target.startIndex])), 2)
    }

    public func entropy(_ logits: ArraySlice<Float>) -> Double { 0 }
    public var entropyClasses: Int { 1 }

    public func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double] {
        let values = logits.map(value)
        let (predicted, actual) = (values.map(Double.init), targets.map(Double.init))
        return metrics.map { metric in
            switch metric {
            case .pearson: pearson(predicted, actual)
            case .spearman: spearman(values, targets)
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

extension Regression {
    private static let option = "standardize"

    public static var options: [KindOption] {
        [
            KindOption(
                name: option, rule: "is true or false", accepts: { if case .bool = $0 { true } else { false } })
        ]
    }

    /// Besides true and false, the mean and the deviation that a model has recorded.
    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {
        (standardizes, standardization) = (false, nil)
        switch options[Regression.option] {
        case nil: break
        case .bool(let value): standardizes = value
        case let value?:
            guard let numbers = value.numbers, let mean = numbers["mean"], let deviation = numbers["deviation"],
                deviation > 0
            else {
                throw OptionError(
                    option: Regression.option,
                    description: "\"\(Regression.option)\" has a mean, and a deviation above 0")
            }
            (standardizes, standardization) = (true, Standardization(mean: mean, deviation: deviation))
        }
    }

    public var recordedOptions: [String: JSONValue] {
        guard let standardization else { return standardizes ? [Regression.option: .bool(true)] : [:] }
        return [
            Regression.option: .object([
                "mean": .number(standardization.mean), "deviation": .number(standardization.deviation),
            ])
        ]
    }

    /// The unit of the decoder's numbers is as much of a model as its labels are.
    public mutating func adopt(_ trained: any TaskKind) throws(OptionError) {
        guard let trained = trained as? Regression else { return }
        guard trained.standardizes == standardizes else {
            throw OptionError(
                option: Regression.option,
                description: "the model's labels are \(trained.standardizes ? "" : "not ")standardized, and here "
                    + "\"\(Regression.option)\" is \(standardizes): give what it was trained with, or train another")
        }
        standardization = trained.standardization
    }

    public var unfoundOption: String? {
        standardizes && standardization == nil ? "\(Regression.option): true" : nil
    }

    /// The deviation is that of the whole set, as of scikit-learn's `StandardScaler`, and 1 where the labels are all
    /// equal. What a trained model has stays.
    public mutating func fit(training targets: some Sequence<[Float]>) throws(OptionError) {
        guard standardizes, standardization == nil else { return }
        // Welford's sums, which keep their digits where the mean is large beside the deviation.
        var (count, mean, squares) = (0.0, 0.0, 0.0)
        for target in targets {
            let label = Double(target[0])
            count += 1
            let distance = label - mean
            mean += distance / count
            squares += distance * (label - mean)
        }
        let deviation = count > 0 ? (squares / count).squareRoot() : 0
        standardization = Standardization(mean: mean, deviation: deviation > 0 ? deviation : 1)
    }
}
