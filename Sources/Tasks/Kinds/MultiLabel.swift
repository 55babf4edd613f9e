import Foundation

/// Any number of labels, each there or not: binary cross entropy of a logit a label.
public struct MultiLabel: SequenceKind {
    public static let name = "multilabel"
    public static let defaultMetrics: [Metric] = [.microF1, .macroF1]
    public static let allowedMetrics: [Metric] = [.microF1, .macroF1, .subsetAccuracy, .logLoss]
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

    /// The labels whose probability is at least one half.
    public func answer(_ logits: ArraySlice<Float>) -> Answer {
        let probabilities = logits.map(logistic)
        let found = zip(labels, logits).filter { $1 >= 0 }.map(\.0)
        return Answer(
            labels: found, probabilities: probabilities, entropy: entropy(logits) / (log(2) + 1e-5),
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
                let (predicted, actual) = (logits[index] >= 0, targets[index] == 1)
                labels[label].add(predicted: predicted, actual: actual)
                if predicted != actual { isExact = false }
            }
            if isExact { exact += 1 }
            if metrics.contains(.logLoss) { logLoss += loss(logits[row], target: targets[row]) }
        }
        return metrics.map { metric in
            switch metric {
            case .microF1: labels.reduce(into: BinaryCounts()) { $0.add($1) }.f1
            case .macroF1: mean(labels.map(\.f1))
            case .subsetAccuracy: Double(exact) / Double(samples)
            case .logLoss: logLoss / Double(samples)
            default: .nan
            }
        }
    }

    public var summary: String { "a multilabel task with the labels \(labels.joined(separator: ", "))" }
}

/// 1 / (1 + e^-x).
private func logistic(_ x: Float) -> Double { 1 / (1 + exp(-Double(x))) }
