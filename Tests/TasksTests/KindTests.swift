import Foundation
import XCTest

@testable import Tasks

/// Losses, entropies and metrics of the kinds of task, against numbers worked out by hand and against plain formulas.
final class KindTests: XCTestCase {
    private let accuracy = 1e-12

    private func names(_ count: Int) -> [String] { (0..<count).map { "l\($0)" } }

    private func values(_ kind: some SequenceKind, _ metrics: [Metric], _ logits: [[Float]], _ targets: [[Float]]) throws
        -> [Double]
    {
        try kind.values(of: metrics, logits: logits.flatMap { $0 }, targets: targets.flatMap { $0 })
    }

    private func assert(
        _ found: [Double], _ expected: [Double], accuracy: Double = 1e-12, _ message: String = "", line: UInt = #line
    ) {
        XCTAssertEqual(found.count, expected.count, message, line: line)
        for (a, b) in zip(found, expected) { XCTAssertEqual(a, b, accuracy: accuracy, message, line: line) }
    }

    // MARK: Multilabel

    func testAMultiLabelLossIsTheMeanBinaryCrossEntropy() throws {
        let kind = try MultiLabel(labels: names(2))
        // Logits 0 and ln 3: probabilities 1/2 and 3/4.
        let logits: [Float] = [0, Float(log(3.0))]
        XCTAssertEqual(kind.loss(logits[...], target: [1, 1]), (log(2) + log(4.0 / 3)) / 2, accuracy: 1e-7)
        XCTAssertEqual(kind.loss(logits[...], target: [0, 0]), (log(2) + log(4.0)) / 2, accuracy: 1e-7)
        // Far logits neither overflow nor become not a number.
        XCTAssertEqual(kind.loss([1000, -1000], target: [0, 1]), 1000, accuracy: accuracy)
        XCTAssertEqual(kind.loss([1000, -1000], target: [1, 0]), 0, accuracy: accuracy)
    }

    func testAMultiLabelEntropyIsTheMeanOfItsLabels() throws {
        let kind = try MultiLabel(labels: names(2))
        XCTAssertEqual(kind.entropy([0, 0]), log(2), accuracy: accuracy)
        let p = 0.75
        let binary = -(p * log(p) + (1 - p) * log(1 - p))
        XCTAssertEqual(kind.entropy([0, Float(log(3.0))]), (log(2) + binary) / 2, accuracy: 1e-7)
        XCTAssertEqual(kind.entropy([900, -900]), 0, accuracy: accuracy)
        XCTAssertEqual(kind.entropyClasses, 2)
        XCTAssertEqual(try XCTUnwrap(kind.answer([0, 0]).entropy), log(2) / (log(2) + 1e-5), accuracy: accuracy)
    }

    func testAMultiLabelAnswerHasTheLabelsOfOneHalfAndMore() throws {
        let answer = try MultiLabel(labels: ["a", "b", "c"]).answer([0, -1e-6, 2])
        XCTAssertEqual(answer.labels, ["a", "c"])
        XCTAssertEqual(answer.text, "a,c")
        XCTAssertNil(answer.label)
        assert(try XCTUnwrap(answer.probabilities), [0.5, 1 / (1 + exp(Double(Float(1e-6)))), 1 / (1 + exp(-2.0))])
    }

    func testMultiLabelMetricsByHand() throws {
        let kind = try MultiLabel(labels: names(3))
        // Label 0: 1 right, 1 false alarm, 1 missed: F1 1/2. Label 1: 2 right: 1. Label 2 is never there: 0.
        let logits: [[Float]] = [[1, 1, -1], [1, -1, -1], [-1, 1, -1]]
        let targets: [[Float]] = [[1, 1, 0], [0, 0, 0], [1, 1, 0]]
        assert(
            try values(kind, [.microF1, .macroF1, .subsetAccuracy], logits, targets),
            [2 * 3.0 / (2 * 3 + 1 + 1), (0.5 + 1 + 0) / 3, 1.0 / 3])
    }

    func testMultiLabelMetricsAreThePlainFormulas() throws {
        var random = SplitMix64(state: 7)
        for _ in 0..<200 {
            let (width, samples) = (Int.random(in: 1...6, using: &random), Int.random(in: 1...30, using: &random))
            let kind = try MultiLabel(labels: names(width))
            let logits = (0..<samples).map { _ in (0..<width).map { _ in Float.random(in: -3...3, using: &random) } }
            let targets = (0..<samples).map { _ in (0..<width).map { _ in Bool.random(using: &random) ? Float(1) : 0 } }
            func f1(_ labels: Range<Int>) -> Double {
                var (right, wrong, missed) = (0.0, 0.0, 0.0)
                for (x, y) in zip(logits, targets) {
                    for label in labels {
                        let probability = 1 / (1 + exp(-Double(x[label])))
                        switch (probability >= 0.5, y[label] == 1) {
                        case (true, true): right += 1
                        case (true, false): wrong += 1
                        case (false, true): missed += 1
                        case (false, false): break
                        }
                    }
                }
                return right + wrong + missed == 0 ? 0 : 2 * right / (2 * right + wrong + missed)
            }
            let exact = zip(logits, targets).filter { x, y in zip(x, y).allSatisfy { ($0 >= 0) == ($1 == 1) } }.count
            let losses = zip(logits, targets).flatMap { x, y in
                zip(x, y).map { x, y in
                    let probability = 1 / (1 + exp(-Double(x)))
                    return y == 1 ? -log(probability) : -log(1 - probability)
                }
            }
            assert(
                try values(kind, [.microF1, .macroF1, .subsetAccuracy, .logLoss], logits, targets),
                [
                    f1(0..<width), (0..<width).reduce(0) { $0 + f1($1..<$1 + 1) } / Double(width),
                    Double(exact) / Double(samples), losses.reduce(0, +) / Double(losses.count),
                ])
        }
    }

    func testATargetThatIsNoneIsNamed() throws {
        XCTAssertThrowsError(try values(MultiLabel(labels: names(2)), [.microF1], [[0, 0], [0, 0]], [[0, 1], [1, 2]])) {
            let error = $0 as? LabelNotAClass
            XCTAssertEqual(error?.label, 2)
            XCTAssertEqual(error?.sample, 1)
        }
        XCTAssertThrowsError(try values(Classification(labels: names(2)), [.accuracy], [[0, 0]], [[2]]))
        XCTAssertThrowsError(try values(Classification(labels: names(2)), [.accuracy], [[0, 0]], [[0.5]]))
    }

    // MARK: Classification

    func testAClassificationsLossAndEntropy() throws {
        let kind = try Classification(labels: names(3))
        let logits: [Float] = [0, Float(log(2.0)), Float(log(5.0))]
        XCTAssertEqual(kind.loss(logits[...], target: [2]), -log(5.0 / 8), accuracy: 1e-6)
        XCTAssertEqual(kind.loss(logits[...], target: [0]), -log(1.0 / 8), accuracy: 1e-6)
        let entropy = -[1.0 / 8, 2.0 / 8, 5.0 / 8].reduce(0) { $0 + $1 * log($1) }
        XCTAssertEqual(kind.entropy(logits[...]), entropy, accuracy: 1e-6)
        XCTAssertEqual(try XCTUnwrap(kind.answer(logits[...]).entropy), entropy / (log(3) + 1e-5), accuracy: 1e-6)
    }

    func testALossFarFromItsLabelIsFinite() throws {
        let kind = try Classification(labels: names(2))
        XCTAssertEqual(kind.loss([1000, 0], target: [1]), 1000, accuracy: 1e-9)
        XCTAssertEqual(kind.loss([-1000, 1000], target: [0]), 2000, accuracy: 1e-9)
    }

    func testClassificationMetricsByHand() throws {
        let kind = try Classification(labels: names(3))
        // Predicted 0 0 1 1, actual 0 1 1 1; class 2 is in neither and does not count in the mean.
        let logits: [[Float]] = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]]
        assert(
            try values(kind, [.accuracy, .macroF1, .microF1, .weightedF1], logits, [[0], [1], [1], [1]]),
            [0.75, (2.0 / 3 + 0.8) / 2, 0.75, 0.25 * 2.0 / 3 + 0.75 * 0.8])
    }

    func testClassificationMetricsAreThePlainFormulas() throws {
        var random = SplitMix64(state: 7)
        for _ in 0..<200 {
            let (width, samples) = (Int.random(in: 2...6, using: &random), Int.random(in: 1...40, using: &random))
            let kind = try Classification(labels: names(width))
            let logits = (0..<samples).map { _ in (0..<width).map { _ in Float.random(in: -3...3, using: &random) } }
            let actual = (0..<samples).map { _ in Int.random(in: 0..<width, using: &random) }
            let predicted = logits.map { row in row.indices.max { row[$0] < row[$1] } ?? 0 }
            let pairs = Array(zip(predicted, actual))
            var (f1, weights): ([Double], [Double]) = ([], [])
            for label in 0..<width where predicted.contains(label) || actual.contains(label) {
                let right = Double(pairs.filter { $0 == label && $1 == label }.count)
                let precision = right / Double(predicted.filter { $0 == label }.count)
                let recall = right / Double(actual.filter { $0 == label }.count)
                f1.append(right == 0 ? 0 : 2 * precision * recall / (precision + recall))
                weights.append(Double(actual.filter { $0 == label }.count))
            }
            let losses = zip(logits, actual).map { row, label in
                log(row.reduce(0) { $0 + exp(Double($1)) }) - Double(row[label])
            }
            let share = Double(pairs.filter { $0 == $1 }.count) / Double(samples)
            assert(
                try values(kind, [.accuracy, .microF1, .macroF1, .weightedF1, .logLoss], logits, actual.map { [Float($0)] }),
                [
                    share, share, f1.reduce(0, +) / Double(f1.count),
                    zip(f1, weights).reduce(0) { $0 + $1.0 * $1.1 } / Double(samples),
                    losses.reduce(0, +) / Double(samples),
                ])
        }
    }

    // MARK: Regression

    func testRegressionMetricsByHand() throws {
        // Errors 1, -1, 2, 0 of labels whose mean is 2.5 and whose squared distances from it add up to 5.
        let metrics: [Metric] = [.meanAbsoluteError, .rootMeanSquaredError, .r2]
        assert(
            try values(Regression(), metrics, [[2], [1], [5], [4]], [[1], [2], [3], [4]]),
            [1, 1.5.squareRoot(), 1 - 6.0 / 5])
        assert(try values(Regression(), metrics, [[1], [2]], [[1], [2]]), [0, 0, 1])
        // Of labels that are all equal it is as scikit-learn has it; of one label there is none.
        assert(try values(Regression(), [.r2], [[1], [2]], [[0.1], [0.1]]), [0])
        assert(try values(Regression(), [.r2], [[0.1], [0.1]], [[0.1], [0.1]]), [1])
        XCTAssertTrue(try values(Regression(), [.r2], [[1]], [[0.1]])[0].isNaN)
        XCTAssertEqual(Regression().loss([2.5], target: [-1]), 12.25, accuracy: accuracy)
        XCTAssertEqual(Regression().entropy([2.5]), 0)
    }

    func testRegressionMetricsAreThePlainFormulas() throws {
        var random = SplitMix64(state: 7)
        for _ in 0..<200 {
            let count = Int.random(in: 2...40, using: &random)
            let x = (0..<count).map { _ in Float.random(in: -5...5, using: &random) }
            let y = (0..<count).map { _ in Float.random(in: -5...5, using: &random) }
            let errors = zip(x, y).map { Double($0) - Double($1) }
            let meanY = y.reduce(0) { $0 + Double($1) } / Double(count)
            let squares = errors.reduce(0) { $0 + $1 * $1 }
            assert(
                try values(
                    Regression(), [.meanAbsoluteError, .rootMeanSquaredError, .r2], x.map { [$0] }, y.map { [$0] }),
                [
                    errors.reduce(0) { $0 + abs($1) } / Double(count), (squares / Double(count)).squareRoot(),
                    1 - squares / y.reduce(0) { $0 + (Double($1) - meanY) * (Double($1) - meanY) },
                ], accuracy: 1e-9)
        }
    }

    // MARK: Scores

    func testTheTasksScoreIsTheMeanOfTheMetricsOfWhichHigherIsBetter() throws {
        let file = DataFile(name: "own", files: ["/none"], format: FileFormat(.csv), columns: .named(first: "text"))
        let task = TaskDefinition(
            name: "own", kind: Regression(), measured: [.meanAbsoluteError, .pearson, .r2], train: file, dev: [],
            test: [])
        let scores = try task.scores(logits: [2, 1, 5, 4], labels: [1, 2, 3, 4])
        let (r, r2) = (try XCTUnwrap(scores[.pearson]), try XCTUnwrap(scores[.r2]))
        XCTAssertEqual(scores.taskScore, (r + r2) / 2, accuracy: accuracy)
        let better = try task.scores(logits: [1, 2, 3, 4], labels: [1, 2, 3, 4])
        XCTAssertEqual(scores.highest(with: better)[.meanAbsoluteError], 0)
        XCTAssertEqual(better.highest(with: scores)[.meanAbsoluteError], 0)
        XCTAssertEqual(scores.highest(with: better).taskScore, better.taskScore)
    }

    func testEveryKindMeasuresAllThatItsTasksMayName() throws {
        func assertFinite(_ kind: some SequenceKind, _ logits: [Float], _ targets: [Float], line: UInt = #line) throws {
            let metrics = type(of: kind).allowedMetrics
            for (metric, value) in zip(metrics, try kind.values(of: metrics, logits: logits, targets: targets)) {
                XCTAssertTrue(value.isFinite, "\(kind.name): \(metric)", line: line)
            }
            XCTAssertTrue(type(of: kind).defaultMetrics.allSatisfy(metrics.contains), line: line)
        }
        try assertFinite(Classification(labels: names(2)), [1, 0, 0, 1, 0, 1], [0, 1, 0])
        try assertFinite(MultiLabel(labels: names(2)), [1, 0, 0, 1], [0, 1, 1, 0])
        try assertFinite(Regression(), [1, 2, 4], [1, 2, 3])
    }
}
