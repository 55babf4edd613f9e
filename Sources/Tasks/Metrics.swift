/// A number that says how good predictions are. The raw value is its key in logs and reports, the original's.
public enum Metric: String, Sendable, Codable {
    /// Matthews' correlation coefficient, -1...1; 0 if predictions or labels are all of one class.
    case matthews = "mcc"
    /// The share of right predictions, 0...1.
    case accuracy = "acc"
    /// F1 of the class that the task calls "1", or of the second; 0...1; 0 if it is neither predicted nor true.
    case f1 = "f1"
    /// The mean of accuracy and F1.
    case accuracyAndF1 = "acc_and_f1"
    /// Pearson's r, -1...1; NaN if predictions or labels are all equal.
    case pearson = "pearson"
    /// Spearman's rho, -1...1: Pearson's r of the ranks, equal values sharing their mean rank.
    case spearman = "spearmanr"
    /// The mean of Pearson's r and Spearman's rho.
    case pearsonAndSpearman = "corr"
}

/// What is measured of a classification.
public enum ClassificationMetrics: Sendable, Hashable {
    case matthews
    case accuracy
    case accuracyAndF1
}

/// The metrics of one evaluation, in the order they are reported.
public struct Scores: Sendable, Equatable, Codable {
    public struct Entry: Sendable, Equatable, Codable {
        public var metric: Metric
        public var value: Double
    }

    public let entries: [Entry]

    /// The task's one figure in the GLUE score: its only metric, or the mean of its two.
    public let taskScore: Double

    public subscript(metric: Metric) -> Double? {
        entries.first { $0.metric == metric }?.value
    }

    /// Each metric's higher value of the two evaluations; a number goes before NaN.
    public func highest(with other: Scores) -> Scores {
        func higher(_ a: Double, _ b: Double) -> Double { a.isNaN ? b : b.isNaN ? a : max(a, b) }
        return Scores(
            entries: entries.map { Entry(metric: $0.metric, value: higher($0.value, other[$0.metric] ?? .nan)) },
            taskScore: higher(taskScore, other.taskScore))
    }

    private init(entries: [Entry], taskScore: Double) {
        self.entries = entries
        self.taskScore = taskScore
    }

    fileprivate init(_ metric: Metric, _ value: Double) {
        entries = [Entry(metric: metric, value: value)]
        taskScore = value
    }

    fileprivate init(_ a: Metric, _ valueA: Double, _ b: Metric, _ valueB: Double, mean: Metric) {
        taskScore = (valueA + valueB) / 2
        entries = [
            Entry(metric: a, value: valueA), Entry(metric: b, value: valueB), Entry(metric: mean, value: taskScore),
        ]
    }
}

/// Inputs a metric can't be taken of.
public enum MetricError: Error, Equatable, CustomStringConvertible {
    /// The number of logits is not that of the labels times the decoder's width.
    case sizeMismatch(task: String, logits: Int, numberOfLabels: Int, labels: Int)
    case noSamples(task: String)
    /// The label of a sample, counted from 0, is no index of a class.
    case labelNotAClass(task: String, label: Float, sample: Int, numberOfLabels: Int)

    public var description: String {
        switch self {
        case .sizeMismatch(let task, let logits, let numberOfLabels, let labels):
            "\(task): \(logits) logits for \(labels) labels; wanted \(numberOfLabels) a label."
        case .noSamples(let task):
            "\(task): there is nothing to measure, the evaluation set is empty."
        case .labelNotAClass(let task, let label, let sample, let numberOfLabels):
            "\(task): the label \(label) of sample \(sample) is no class; the classes are 0 to \(numberOfLabels - 1)."
        }
    }
}

extension TaskDefinition {
    /// What is measured of the task, in the order of its `Scores`.
    public var metrics: [Metric] {
        switch kind {
        case .regression: [.pearson, .spearman, .pearsonAndSpearman]
        case .classification(_, .matthews): [.matthews]
        case .classification(_, .accuracy): [.accuracy]
        case .classification(_, .accuracyAndF1): [.accuracy, .f1, .accuracyAndF1]
        }
    }

    /// The task's metrics, in double precision.
    ///
    /// - Parameters:
    ///   - logits: `[samples, numberOfLabels]`, row after row. The predicted class is the index of the largest; see
    ///     `indexOfMaximum`. A regression's logits are its predictions.
    ///   - labels: `[samples]`: class indices, or scores for a regression.
    /// - Throws: `MetricError`. Not a number among the predictions of a regression is no error: its metrics are NaN.
    public func scores(logits: [Float], labels: [Float]) throws -> Scores {
        let width = numberOfLabels
        guard logits.count == labels.count * width else {
            throw MetricError.sizeMismatch(
                task: name, logits: logits.count, numberOfLabels: width, labels: labels.count)
        }
        guard !labels.isEmpty else { throw MetricError.noSamples(task: name) }
        switch kind {
        case .regression:
            return Scores(
                .pearson, pearson(logits.map(Double.init), labels.map(Double.init)),
                .spearman, spearman(logits, labels), mean: .pearsonAndSpearman)
        case .classification(let names, let metrics):
            var confusion = ConfusionMatrix(numberOfClasses: width)
            for (sample, label) in labels.enumerated() {
                guard let labelClass = Int(exactly: label), (0..<width).contains(labelClass) else {
                    throw MetricError.labelNotAClass(
                        task: name, label: label, sample: sample, numberOfLabels: width)
                }
                let row = logits[sample * width..<(sample + 1) * width]
                confusion.add(predicted: indexOfMaximum(row), actual: labelClass)
            }
            return switch metrics {
            case .matthews: Scores(.matthews, confusion.matthews)
            case .accuracy: Scores(.accuracy, confusion.accuracy)
            case .accuracyAndF1:
                Scores(
                    .accuracy, confusion.accuracy, .f1, confusion.f1(of: names.firstIndex(of: "1") ?? 1),
                    mean: .accuracyAndF1)
            }
        }
    }
}

/// The position, counted from 0, of a row's largest value: the first of several equal ones, and the first NaN if there
/// is one, as numpy's `argmax`. 0 for an empty row.
public func indexOfMaximum(_ row: some Collection<Float>) -> Int {
    var best = 0
    var largest = -Float.infinity
    for (index, value) in row.enumerated() {
        if value.isNaN { return index }
        if value > largest {
            (best, largest) = (index, value)
        }
    }
    return best
}

/// How often each class was predicted for each true class.
private struct ConfusionMatrix {
    private let numberOfClasses: Int
    private var counts: [Double]

    init(numberOfClasses: Int) {
        self.numberOfClasses = numberOfClasses
        counts = Array(repeating: 0, count: numberOfClasses * numberOfClasses)
    }

    mutating func add(predicted: Int, actual: Int) {
        counts[actual * numberOfClasses + predicted] += 1
    }

    private var total: Double { counts.reduce(0, +) }
    private var correct: Double { (0..<numberOfClasses).reduce(0) { $0 + self[$1, $1] } }
    private subscript(actual: Int, predicted: Int) -> Double { counts[actual * numberOfClasses + predicted] }
    private func predictions(of k: Int) -> Double { (0..<numberOfClasses).reduce(0) { $0 + self[$1, k] } }
    private func occurrences(of k: Int) -> Double { (0..<numberOfClasses).reduce(0) { $0 + self[k, $1] } }

    var accuracy: Double { correct / total }

    /// 2 TP / (2 TP + FP + FN) of a class; the denominator is its predictions plus its occurrences.
    func f1(of positive: Int) -> Double {
        guard positive < numberOfClasses else { return 0 }
        let denominator = predictions(of: positive) + occurrences(of: positive)
        return denominator == 0 ? 0 : 2 * self[positive, positive] / denominator
    }

    /// Gorodkin's generalisation to any number of classes, with c right of s samples, p_k predictions and t_k
    /// occurrences of class k: (c s - Σ p_k t_k) / sqrt((s² - Σ p_k²)(s² - Σ t_k²)).
    var matthews: Double {
        var (agreement, predicted, actual) = (correct * total, total * total, total * total)
        for k in 0..<numberOfClasses {
            agreement -= predictions(of: k) * occurrences(of: k)
            predicted -= predictions(of: k) * predictions(of: k)
            actual -= occurrences(of: k) * occurrences(of: k)
        }
        return predicted == 0 || actual == 0 ? 0 : agreement / (predicted * actual).squareRoot()
    }
}

/// Pearson's r = Σ (x - x̄)(y - ȳ) / sqrt(Σ (x - x̄)² Σ (y - ȳ)²), cut to -1...1 against rounding.
private func pearson(_ x: [Double], _ y: [Double]) -> Double {
    // The mean of equal values may differ from them by rounding, which would give a random coefficient.
    guard x.contains(where: { $0 != x[0] }), y.contains(where: { $0 != y[0] }) else { return .nan }
    let meanX = x.reduce(0, +) / Double(x.count)
    let meanY = y.reduce(0, +) / Double(y.count)
    var (xy, xx, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
        xy += (a - meanX) * (b - meanY)
        xx += (a - meanX) * (a - meanX)
        yy += (b - meanY) * (b - meanY)
    }
    let r = xy / (xx.squareRoot() * yy.squareRoot())
    return r.isNaN ? r : min(1, max(-1, r))
}

private func spearman(_ x: [Float], _ y: [Float]) -> Double {
    guard !x.contains(where: \.isNaN), !y.contains(where: \.isNaN) else { return .nan }
    return pearson(ranks(x), ranks(y))
}

/// Ranks from 1; equal values share the mean of their ranks.
private func ranks(_ values: [Float]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
        var end = start + 1
        while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
        for position in start..<end { ranks[order[position]] = Double(start + end + 1) / 2 }
        start = end
    }
    return ranks
}
