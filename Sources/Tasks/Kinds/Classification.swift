import Foundation

/// One of several classes: cross entropy over the softmax of as many logits.
public struct Classification: SequenceKind {
    public static let name = "classification"
    public static let defaultMetrics: [Metric] = [.accuracy]
    public static let allowedMetrics: [Metric] = [.accuracy, .f1, .macroF1, .microF1, .weightedF1, .matthews, .logLoss]
    public static let problemType = "single_label_classification"

    /// A label's position is its class and its row in the decoder.
    public let labels: [String]
    private let bytes: [[UInt8]]

    public init(labels: [String]) throws(KindError) {
        guard labels.count >= 2, Set(labels).count == labels.count else {
            throw KindError(description: "a classification wants two or more different labels, found \(labels)")
        }
        self.labels = labels
        bytes = labels.map { Array($0.utf8) }
    }

    public var width: Int { labels.count }
    public var targetWidth: Int { 1 }

    public func isTarget(_ number: Float) -> Bool { Int(exactly: number).map(labels.indices.contains) ?? false }

    public func target(of fields: [FieldBytes]) throws(DataFileError.Problem) -> [Float] {
        guard fields.count == 1, let index = bytes.firstIndex(where: { fields[0].elementsEqual($0) }) else {
            let found = fields.map(\.excerpt).joined(separator: ", ")
            throw .unknownLabel(found: found, allowed: labels)
        }
        return [Float(index)]
    }

    public func answer(_ logits: ArraySlice<Float>) -> Answer {
        let label = labels[indexOfMaximum(logits)]
        return Answer(
            label: label, probabilities: probabilities(logits), entropy: normalizedEntropy(logits), text: label)
    }

    public func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double {
        crossEntropy(logits, class: Int(target[target.startIndex]))
    }

    public func entropy(_ logits: ArraySlice<Float>) -> Double { Tasks.entropy(logits) }
    public var entropyClasses: Int { width }

    public func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double] {
        var confusion = ConfusionMatrix(numberOfClasses: width)
        var logLoss = 0.0
        for (sample, target) in targets.enumerated() {
            guard let actual = Int(exactly: target), (0..<width).contains(actual) else {
                throw LabelNotAClass(label: target, sample: sample, numberOfLabels: width)
            }
            let row = logits[sample * width..<(sample + 1) * width]
            confusion.add(predicted: indexOfMaximum(row), actual: actual)
            if metrics.contains(.logLoss) { logLoss += loss(row, target: [target]) }
        }
        return metrics.map { metric in
            switch metric {
            case .accuracy: confusion.accuracy
            case .matthews: confusion.matthews
            case .f1: confusion.f1(of: labels.firstIndex(of: "1") ?? 1)
            case .macroF1: confusion.macroF1
            case .microF1: confusion.accuracy
            case .weightedF1: confusion.weightedF1
            case .logLoss: logLoss / Double(targets.count)
            default: .nan
            }
        }
    }

    public var summary: String { "a classification with the labels \(labels.joined(separator: ", "))" }
}
