/// A number that says how good predictions are. The raw value is its key in logs and reports, the original's where it has
/// one.
public enum Metric: String, Sendable, Codable, CaseIterable {
    /// Matthews' correlation coefficient, -1...1; 0 if predictions or labels are all of one class.
    case matthews = "mcc"
    /// The share of right predictions, 0...1.
    case accuracy = "acc"
    /// F1 of the positive class: the one that the task file names, or that is called "1", or the second; 0...1; 0 if it is
    /// neither predicted nor true.
    case f1 = "f1"
    /// The mean of accuracy and F1.
    case accuracyAndF1 = "acc_and_f1"
    /// The mean of the labels' F1, 0...1.
    case macroF1 = "macro_f1"
    /// F1 of all labels' counts added up, 0...1; of a classification its accuracy.
    case microF1 = "micro_f1"
    /// The mean of the classes' F1, each with the weight of its occurrences, 0...1.
    case weightedF1 = "weighted_f1"
    /// The share of examples whose labels are all right, 0...1.
    case subsetAccuracy = "subset_acc"
    /// The mean of -ln p of what is true; lower is better. A probability counts as at least 2⁻⁵², as in scikit-learn.
    case logLoss = "log_loss"
    /// The share of rows whose predicted text is, without case, punctuation and articles, one that is right, 0...1.
    case exactMatch = "exact_match"
    /// The mean over rows of F1 of the words that the predicted text and one that is right share, of the best of these,
    /// 0...1.
    case textF1 = "text_f1"
    /// Of the entities that are predicted the share of those that are there, with their type and all their words, 0...1.
    case entityPrecision = "entity_precision"
    /// Of the entities that are there the share of those that are predicted so, 0...1.
    case entityRecall = "entity_recall"
    /// The harmonic mean of both, 0...1.
    case entityF1 = "entity_f1"
    /// The area under the ROC curve, 0...1; the mean of the classes' or labels' where there are not just two classes. NaN
    /// where a class or a label is that of no example, or of all.
    case areaUnderROC = "auroc"
    /// The sum of the precisions at a score's thresholds, each times the rise of the recall, 0...1: of the positive class,
    /// or the mean of the classes' or labels'. That of a class or label without an example is 0.
    case averagePrecision = "average_precision"
    /// The expected calibration error, 0...1: the mean distance between share of right predictions and mean probability,
    /// of 15 equal bins of the predicted class' probability; lower is better.
    case calibrationError = "ece"
    /// Pearson's r, -1...1; NaN if predictions or labels are all equal.
    case pearson = "pearson"
    /// Spearman's rho, -1...1: Pearson's r of the ranks, equal values sharing their mean rank.
    case spearman = "spearmanr"
    /// The mean of Pearson's r and Spearman's rho.
    case pearsonAndSpearman = "corr"
    /// The mean of |prediction - label|; lower is better.
    case meanAbsoluteError = "mae"
    /// The root of the mean of (prediction - label)²; lower is better.
    case rootMeanSquaredError = "rmse"
    /// 1 - Σ (prediction - label)² / Σ (label - mean label)², at most 1. If labels are all equal it is 1 where predictions
    /// are right and else 0, as in scikit-learn; NaN of a single label.
    case r2 = "r2"

    /// Whether a lower value is a better one.
    public var isLowerBetter: Bool {
        switch self {
        case .logLoss, .calibrationError, .meanAbsoluteError, .rootMeanSquaredError: true
        default: false
        }
    }

    /// Where it has no value, for a message.
    public var undefinedWhere: String {
        switch self {
        case .areaUnderROC: "a class or label is that of no example, or of all"
        case .pearson, .spearman, .pearsonAndSpearman: "predictions or labels are all equal, or not finite"
        case .r2: "there is one example, or a prediction is not finite"
        default: "a prediction is not a finite number"
        }
    }

    /// What others call a metric.
    public static let longNames: KeyValuePairs<String, Metric> = [
        "accuracy": .accuracy, "matthews_correlation": .matthews, "spearman": .spearman,
        "subset_accuracy": .subsetAccuracy,
    ]

    /// The metric of a name, long or short.
    public init?(named name: String) {
        guard let metric = Metric.longNames.first(where: { $0.key == name })?.value ?? Metric(rawValue: name) else {
            return nil
        }
        self = metric
    }
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

    /// Each metric's better value of the two evaluations; a number goes before NaN.
    public func highest(with other: Scores) -> Scores {
        func best(_ a: Double, _ b: Double, isLower: Bool = false) -> Double {
            a.isNaN ? b : b.isNaN ? a : isLower ? min(a, b) : max(a, b)
        }
        return Scores(
            entries: entries.map { entry in
                let value = best(entry.value, other[entry.metric] ?? .nan, isLower: entry.metric.isLowerBetter)
                return Entry(metric: entry.metric, value: value)
            },
            taskScore: best(taskScore, other.taskScore))
    }

    private init(entries: [Entry], taskScore: Double) {
        self.entries = entries
        self.taskScore = taskScore
    }

    /// - Parameters:
    ///   - metrics: what was measured, with its values; the score is the mean of those of which higher is better.
    ///   - mean: the name that the score has among the entries, if it is one of them.
    init(_ metrics: [Metric], _ values: [Double], mean: Metric?) {
        let positive = zip(metrics, values).filter { !$0.0.isLowerBetter }.map(\.1)
        let score = positive.reduce(0, +) / Double(positive.count)
        taskScore = score
        entries =
            zip(metrics, values).map { Entry(metric: $0, value: $1) }
            + (mean.map { [Entry(metric: $0, value: score)] } ?? [])
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

/// A label that is no index of a class.
public struct LabelNotAClass: Error {
    var label: Float
    /// Counted from 0.
    var sample: Int
    var numberOfLabels: Int
}

extension TaskDefinition {
    /// What is measured of the task, in the order of its `Scores`.
    public var metrics: [Metric] { measured + (meanMetric.map { [$0] } ?? []) }

    /// The task's metrics, in double precision.
    ///
    /// - Parameter examples: of a set with labels, in its order.
    /// - Throws: `MetricError`. Not a number among the predictions of a regression is no error: its metrics are NaN.
    public func scores(of examples: [DecodedExample]) throws -> Scores {
        guard !examples.isEmpty else { throw MetricError.noSamples(task: name) }
        do {
            return Scores(measured, try kind.values(of: measured, examples: examples), mean: meanMetric)
        } catch let error as LabelNotAClass {
            throw MetricError.labelNotAClass(
                task: name, label: error.label, sample: error.sample, numberOfLabels: error.numberOfLabels)
        }
    }

    /// The same of a task whose examples are sequences with a label.
    ///
    /// - Parameters:
    ///   - logits: `[samples, width]`, row after row. The predicted class is the index of the largest; see
    ///     `indexOfMaximum`. A regression's logits are its predictions.
    ///   - labels: `[samples, targetWidth]`: class indices, scores of a regression, or 0 and 1 for each label.
    public func scores(logits: [Float], labels: [Float]) throws -> Scores {
        let targetWidth = (kind as? any SequenceKind)?.targetWidth ?? 1
        let samples = labels.count / targetWidth
        guard logits.count == samples * kind.width, labels.count == samples * targetWidth else {
            throw MetricError.sizeMismatch(
                task: name, logits: logits.count, numberOfLabels: kind.width, labels: labels.count)
        }
        return try scores(
            of: (0..<samples).map { sample in
                DecodedExample(
                    logits: logits[sample * kind.width..<(sample + 1) * kind.width],
                    marks: ExampleMarks(target: Array(labels[sample * targetWidth..<(sample + 1) * targetWidth])))
            })
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
struct ConfusionMatrix {
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

    /// The mean of the F1 of the classes that are predicted or true.
    var macroF1: Double { mean(seenClasses.map(f1)) }

    /// The mean of the classes' F1, each with the weight of its occurrences.
    var weightedF1: Double {
        (0..<numberOfClasses).reduce(0) { $0 + f1(of: $1) * occurrences(of: $1) } / total
    }

    private var seenClasses: [Int] { (0..<numberOfClasses).filter { predictions(of: $0) + occurrences(of: $0) > 0 } }

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
func pearson(_ x: [Double], _ y: [Double]) -> Double {
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

func spearman(_ x: [Float], _ y: [Float]) -> Double {
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

/// How often a label was predicted and was there.
struct BinaryCounts {
    private var both = 0
    private var predicted = 0
    private var actual = 0

    mutating func add(predicted: Bool, actual: Bool) {
        self.predicted += predicted ? 1 : 0
        self.actual += actual ? 1 : 0
        both += predicted && actual ? 1 : 0
    }

    mutating func add(_ other: BinaryCounts) {
        both += other.both
        predicted += other.predicted
        actual += other.actual
    }

    /// 2 TP / (2 TP + FP + FN); 0 if it is neither predicted nor there.
    var f1: Double { predicted + actual == 0 ? 0 : 2 * Double(both) / Double(predicted + actual) }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// 1 - Σ (y - x)² / Σ (y - ȳ)² of predictions x and labels y; of equal labels as scikit-learn's `r2_score` has it.
func r2(_ x: [Double], _ y: [Double]) -> Double {
    guard y.count > 1 else { return .nan }
    let meanY = mean(y)
    let residual = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    // The mean of equal values may differ from them by rounding.
    guard y.contains(where: { $0 != y[0] }) else { return residual.isNaN ? .nan : residual == 0 ? 1 : 0 }
    return 1 - residual / y.reduce(0) { $0 + ($1 - meanY) * ($1 - meanY) }
}
