import Files
import Foundation

/// One of several classes: cross entropy over the softmax of as many logits.
public struct Classification: SequenceKind {
    public static let name = "classification"
    public static let defaultMetrics: [Metric] = [.accuracy]
    public static let allowedMetrics: [Metric] = [
        .accuracy, .f1, .macroF1, .microF1, .weightedF1, .matthews, .areaUnderROC, .averagePrecision, .logLoss,
        .calibrationError,
    ]
    public static let problemType = "single_label_classification"

    /// A label's position is its class and its row in the decoder.
    public let labels: [String]
    private let bytes: [[UInt8]]
    /// What each class weighs in the loss; nil where each weighs 1.
    public private(set) var classWeights: [Double]?
    /// Whether these are counted in the training set.
    private var balancesClasses = false
    /// The share ε of a target that is spread over all classes, 0..<1.
    public private(set) var labelSmoothing = 0.0
    /// The class that `f1` and `average_precision` are of, where the task file names it.
    private var positive: Int?

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

    public var recorded: Classification {
        var kind = self
        (kind.balancesClasses, kind.positive) = (false, nil)
        return kind
    }

    /// With weights w and smoothing ε over K classes, (1 - ε) w_y (-ln p_y) + ε / K Σ w_k (-ln p_k): the sum of these over
    /// the sum of the w_y is PyTorch's `CrossEntropyLoss`.
    public func loss(_ logits: ArraySlice<Float>, target: ArraySlice<Float>) -> Double {
        let label = Int(target[target.startIndex])
        let own = crossEntropy(logits, class: label) * (classWeights?[label] ?? 1)
        guard labelSmoothing > 0 else { return own }
        let all = (0..<width).reduce(0) { $0 + crossEntropy(logits, class: $1) * (classWeights?[$1] ?? 1) }
        return (1 - labelSmoothing) * own + labelSmoothing / Double(width) * all
    }

    public func entropy(_ logits: ArraySlice<Float>) -> Double { Tasks.entropy(logits) }
    public var entropyClasses: Int { width }

    public func values(of metrics: [Metric], logits: [Float], targets: [Float]) throws(LabelNotAClass) -> [Double] {
        var confusion = ConfusionMatrix(numberOfClasses: width)
        var outcomes = ClassOutcomes(numberOfClasses: width)
        let needsOutcomes = metrics.contains(where: Classification.ofProbabilities.contains)
        for (sample, target) in targets.enumerated() {
            guard let actual = Int(exactly: target), (0..<width).contains(actual) else {
                throw LabelNotAClass(label: target, sample: sample, numberOfLabels: width)
            }
            let row = logits[sample * width..<(sample + 1) * width]
            let predicted = indexOfMaximum(row)
            confusion.add(predicted: predicted, actual: actual)
            if needsOutcomes { outcomes.add(probabilities(row), predicted: predicted, actual: actual) }
        }
        let positive = positive ?? labels.firstIndex(of: "1") ?? 1
        return metrics.map { metric in
            switch metric {
            case .accuracy: confusion.accuracy
            case .matthews: confusion.matthews
            case .f1: confusion.f1(of: positive)
            case .macroF1: confusion.macroF1
            case .microF1: confusion.accuracy
            case .weightedF1: confusion.weightedF1
            case .areaUnderROC: outcomes.mean(positive: positive, Tasks.areaUnderROC)
            case .averagePrecision: outcomes.mean(positive: positive, Tasks.averagePrecision)
            case .logLoss: outcomes.logLoss
            case .calibrationError: outcomes.calibrationError
            default: .nan
            }
        }
    }

    private static let ofProbabilities: Set<Metric> = [
        .areaUnderROC, .averagePrecision, .logLoss, .calibrationError,
    ]

    public var summary: String { "a classification with the labels \(labels.joined(separator: ", "))" }
}

extension Classification {
    private static let weightsOption = "class_weights"
    private static let smoothingOption = "label_smoothing"
    private static let positiveOption = "positive"
    private static let balanced = JSONValue.string("balanced")

    public static var options: [KindOption] {
        [
            KindOption(
                name: weightsOption, rule: "is balanced, or a number above 0 for each label that doesn't weigh 1",
                accepts: { $0 == balanced || $0.numbers?.values.allSatisfy { $0 > 0 } == true }),
            KindOption(
                name: smoothingOption, rule: "is a number from 0 to below 1",
                accepts: { $0.finite.map { (0..<1).contains($0) } == true }),
            KindOption(
                name: positiveOption, rule: "is a label", accepts: { if case .string = $0 { true } else { false } },
                isText: true, metrics: [.f1, .averagePrecision]),
        ]
    }

    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {
        for option in Classification.options {
            guard let value = options[option.name], !option.accepts(value) else { continue }
            throw OptionError(option: option.name, description: "\"\(option.name)\" \(option.rule)")
        }
        let weights = options[Classification.weightsOption]
        balancesClasses = weights == Classification.balanced
        classWeights = nil
        if let numbers = weights?.numbers {
            classWeights = try aligned(numbers, to: labels, option: Classification.weightsOption, missing: 1)
        }
        labelSmoothing = options[Classification.smoothingOption]?.finite ?? 0
        positive = nil
        if case .string(let name)? = options[Classification.positiveOption] {
            // The numbers don't matter: a label that is none is named.
            _ = try aligned([name: 1], to: labels, option: Classification.positiveOption, missing: 0)
            positive = labels.firstIndex(of: name)
        }
    }

    public var recordedOptions: [String: JSONValue] {
        var options: [String: JSONValue] = [:]
        if let classWeights {
            options[Classification.weightsOption] = .object(
                Dictionary(uniqueKeysWithValues: zip(labels, classWeights.map(JSONValue.number))))
        }
        if labelSmoothing > 0 { options[Classification.smoothingOption] = .number(labelSmoothing) }
        return options
    }

    public mutating func adopt(_ trained: any TaskKind) throws(OptionError) {
        if balancesClasses, let trained = trained as? Classification { classWeights = trained.classWeights }
    }

    public var unfoundOption: String? {
        balancesClasses && classWeights == nil ? "\(Classification.weightsOption): balanced" : nil
    }

    /// Balanced weights are n / (K nₖ) of the nₖ of n examples that have class k of K, as those of scikit-learn's
    /// `compute_class_weight`.
    public mutating func fit(training targets: some Sequence<[Float]>) throws(OptionError) {
        guard balancesClasses else { return }
        var counts = [Int](repeating: 0, count: width)
        for target in targets { counts[Int(target[0])] += 1 }
        if let missing = counts.firstIndex(of: 0) {
            throw OptionError(
                option: Classification.weightsOption,
                description: "\"\(Classification.weightsOption)\": the training set has no example of "
                    + "\"\(labels[missing])\", whose balanced weight would be infinite; give weights by label, or take "
                    + "it out of \"labels\"")
        }
        let total = Double(counts.reduce(0, +))
        classWeights = counts.map { total / (Double(width) * Double($0)) }
    }

    public func lossWeight(of target: ArraySlice<Float>) -> Double {
        classWeights.map { $0[Int(target[target.startIndex])] } ?? 1
    }
}

/// The probabilities of all examples' classes, with what is true.
private struct ClassOutcomes {
    private let numberOfClasses: Int
    /// Of each class, its examples'.
    private var scores: [[Double]]
    private var actual: [Int] = []
    private var confidences: [Double] = []
    private var isRight: [Bool] = []

    init(numberOfClasses: Int) {
        self.numberOfClasses = numberOfClasses
        scores = Array(repeating: [], count: numberOfClasses)
    }

    mutating func add(_ probabilities: [Double], predicted: Int, actual: Int) {
        for (label, probability) in probabilities.enumerated() { scores[label].append(probability) }
        self.actual.append(actual)
        confidences.append(probabilities[predicted])
        isRight.append(predicted == actual)
    }

    /// A metric of one class against the others: of two classes that of the positive one, of more the mean of all.
    func mean(positive: Int, _ metric: ([Double], [Bool]) -> Double) -> Double {
        let values = (numberOfClasses == 2 ? [positive] : Array(0..<numberOfClasses)).map { label in
            metric(scores[label], actual.map { $0 == label })
        }
        return Tasks.mean(values)
    }

    var logLoss: Double {
        Tasks.mean(actual.enumerated().map { clippedLogLoss(scores[$1][$0]) })
    }

    var calibrationError: Double { expectedCalibrationError(confidences, isRight) }
}
