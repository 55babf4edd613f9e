import Files
import Foundation

/// Any number of labels, each there or not: binary cross entropy of a logit a label.
public struct MultiLabel: SequenceKind {
    public static let name = "multilabel"
    public static let defaultMetrics: [Metric] = [.microF1, .macroF1]
    public static let allowedMetrics: [Metric] = [
        .microF1, .macroF1, .subsetAccuracy, .areaUnderROC, .averagePrecision, .logLoss,
    ]
    public static let takesSeveralLabels = true
    public static var fields: KindFields {
        var fields = KindFields()
        fields.labels = 1...100_000
        return fields
    }
    public static let problemType = "multi_label_classification"

    /// A label's position is its row in the decoder.
    public let labels: [String]
    private let positions: [[UInt8]: Int]
    /// The probability from which each label is predicted; nil is one half of all.
    public private(set) var thresholds: [Double]?
    /// Whether these are found in the dev set.
    private var findsThresholds = false

    public init(labels: [String]) throws(KindError) {
        guard !labels.isEmpty, Set(labels).count == labels.count else {
            throw KindError(description: "a multilabel task wants one or more different labels, found \(labels)")
        }
        self.labels = labels
        positions = Dictionary(uniqueKeysWithValues: labels.enumerated().map { (Array($1.utf8), $0) })
    }

    public var width: Int { labels.count }
    public var targetWidth: Int { labels.count }

    public func isTarget(_ number: Float) -> Bool { number == 0 || number == 1 }

    public func target(of fields: [FieldBytes]) throws(DataFileError.Problem) -> [Float] {
        var target = [Float](repeating: 0, count: width)
        for field in fields {
            guard let position = positions[Array(field)] else {
                throw .unknownLabel(found: field.excerpt, allowed: labels)
            }
            target[position] = 1
        }
        return target
    }

    public var recorded: MultiLabel {
        var kind = self
        kind.findsThresholds = false
        return kind
    }

    /// Whether a label is predicted: its probability is at least its threshold.
    private func isPredicted(_ label: Int, _ logit: Float) -> Bool {
        thresholds.map { logistic(logit) >= $0[label] } ?? (logit >= 0)
    }

    public func answer(_ logits: ArraySlice<Float>) -> Answer {
        let probabilities = logits.map(logistic)
        let found = zip(labels.indices, logits).filter { isPredicted($0, $1) }.map { labels[$0.0] }
        return Answer(
            labels: found, probabilities: probabilities, entropy: Uncertainty(entropy: entropy(logits), classes: entropyClasses).normalized,
            text: found.joined(separator: ","))
    }

    /// The mean over the labels of the binary cross entropy, max(x, 0) - x y + ln(1 + e^-|x|).
    public func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double {
        mean(
            zip(logits, target).map { logit, target in
                let x = Double(logit)
                return max(x, 0) - x * Double(target) + log1p(exp(-abs(x)))
            })
    }

    /// The mean of the labels' binary entropies.
    public func entropy(_ logits: ArraySlice<Float>) -> Double { mean(logits.map { Tasks.entropy([$0, 0]) }) }
    public var entropyClasses: Int { 2 }

    public func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double] {
        var labels = [BinaryCounts](repeating: BinaryCounts(), count: width)
        var (exact, logLoss) = (0, 0.0)
        let samples = targets.count / width
        for sample in 0..<samples {
            let row = sample * width..<(sample + 1) * width
            var isExact = true
            for (label, index) in row.enumerated() {
                guard targets[index] == 0 || targets[index] == 1 else {
                    throw LabelNotAClass(label: targets[index], sample: sample, numberOfLabels: 2)
                }
                let (predicted, actual) = (isPredicted(label, logits[index]), targets[index] == 1)
                labels[label].add(predicted: predicted, actual: actual)
                if predicted != actual { isExact = false }
            }
            if isExact { exact += 1 }
            if metrics.contains(.logLoss) {
                logLoss += mean(row.map { clippedLogLoss(logistic(targets[$0] == 1 ? logits[$0] : -logits[$0])) })
            }
        }
        return metrics.map { metric in
            switch metric {
            case .microF1: labels.reduce(into: BinaryCounts()) { $0.add($1) }.f1
            case .macroF1: mean(labels.map(\.f1))
            case .subsetAccuracy: Double(exact) / Double(samples)
            case .areaUnderROC: meanOfLabels(logits, targets, Tasks.areaUnderROC)
            case .averagePrecision: meanOfLabels(logits, targets, Tasks.averagePrecision)
            case .logLoss: logLoss / Double(samples)
            default: .nan
            }
        }
    }

    /// The mean of the labels' values of a metric. The order of probabilities is that of the logits.
    private func meanOfLabels(
        _ logits: [Float], _ targets: [Float], _ metric: ([Double], [Bool]) -> Double
    ) -> Double {
        mean(
            (0..<width).map { label in
                metric(column(label, of: logits).map(Double.init), column(label, of: targets).map { $0 == 1 })
            })
    }

    private func column(_ label: Int, of rows: [Float]) -> [Float] {
        stride(from: label, to: rows.count, by: width).map { rows[$0] }
    }

    public var summary: String { "a multilabel task with the labels \(labels.joined(separator: ", "))" }
}

extension MultiLabel {
    private static let option = "threshold"
    private static let best = JSONValue.string("best")

    public static var options: [KindOption] {
        [
            KindOption(
                name: option, rule: "is best, or a number above 0 and below 1, or one for each label",
                accepts: { value in
                    let numbers = value.finite.map { [$0] } ?? value.numbers.map { Array($0.values) } ?? []
                    return value == best || !numbers.isEmpty && numbers.allSatisfy { $0 > 0 && $0 < 1 }
                }, needsDevSet: { $0 == best })
        ]
    }

    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {
        (findsThresholds, thresholds) = (false, nil)
        guard let value = options[MultiLabel.option] else { return }
        guard let option = MultiLabel.options.first, option.accepts(value) else {
            throw OptionError(option: MultiLabel.option, description: "\"\(MultiLabel.option)\" is none of a label's")
        }
        if let number = value.finite {
            thresholds = number == 0.5 ? nil : Array(repeating: number, count: width)
        } else if let numbers = value.numbers {
            thresholds = try aligned(numbers, to: labels, option: MultiLabel.option, missing: nil)
        } else {
            findsThresholds = true
        }
    }

    public var recordedOptions: [String: JSONValue] {
        guard let thresholds else { return [:] }
        let members = zip(labels, thresholds.map(JSONValue.number))
        return [MultiLabel.option: .object(Dictionary(uniqueKeysWithValues: members))]
    }

    public mutating func adopt(_ trained: any TaskKind) throws(OptionError) {
        if findsThresholds, let trained = trained as? MultiLabel { thresholds = trained.thresholds }
    }

    public var unfoundOption: String? {
        findsThresholds && thresholds == nil ? "\(MultiLabel.option): best" : nil
    }

    public var fitsDevSet: Bool { findsThresholds }

    /// Each label's threshold is the one with the highest F1 of that label, which makes the macro F1 the highest that
    /// there is.
    public mutating func fit(devLogits logits: [Float], targets: [Float]) {
        guard findsThresholds else { return }
        thresholds = (0..<width).map { label in
            thresholdOfHighestF1(column(label, of: logits).map(logistic), column(label, of: targets).map { $0 == 1 })
        }
    }
}

/// 1 / (1 + e^-x).
private func logistic(_ x: Float) -> Double { 1 / (1 + exp(-Double(x))) }
