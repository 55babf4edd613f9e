import Files
import Foundation
import TestSupport
import XCTest

@testable import Tasks

/// Metrics, class weights, standardization and thresholds beside scikit-learn's and SciPy's.
final class PeerMetricsTests: DirectoryTestCase {
    private var random = SplitMix64(state: 20)
    private let cases = 1000

    private func names(_ count: Int) -> [String] { (0..<count).map { "l\($0)" } }

    /// Scores of four sorts: any, with many ties, all equal, and far from one another.
    private func scores(_ count: Int, sort: Int) -> [Float] {
        let constant = Float.random(in: -2...2, using: &random)
        return (0..<count).map { _ in
            switch sort {
            case 0: Float.random(in: -3...3, using: &random)
            case 1: Float(Int.random(in: -1...1, using: &random))
            case 2: constant
            default: Float.random(in: -30...30, using: &random)
            }
        }
    }

    private func json(_ values: some Sequence<Double>) -> JSONValue { .array(values.map(JSONValue.number)) }
    private func json(_ values: some Sequence<Float>) -> JSONValue { json(values.map(Double.init)) }

    private func rows(_ values: [Double], _ width: Int) -> JSONValue {
        .array(stride(from: 0, to: values.count, by: width).map { json(values[$0..<$0 + width]) })
    }

    private func found(_ kind: some SequenceKind, _ logits: [Float], _ targets: [Float]) throws -> [String: JSONValue] {
        let metrics = type(of: kind).allowedMetrics
        let values = try kind.values(of: metrics, logits: logits, targets: targets)
        return Dictionary(uniqueKeysWithValues: zip(metrics.map(\.rawValue), values.map(JSONValue.number)))
    }

    private func classification(_ number: Int) throws -> JSONValue {
        let (width, count) = (Int.random(in: 2...5, using: &random), Int.random(in: 1...40, using: &random))
        let labels = names(width)
        let positive = Int.random(in: 0..<width, using: &random)
        let kind = try Classification(labels: labels).with(["positive": .string(labels[positive])])
        let logits = scores(width * count, sort: number % 4)
        // Of some classes there may be no example.
        let classes = Array((0..<width).shuffled(using: &random).prefix(Int.random(in: 1...width, using: &random)))
        let targets = (0..<count).map { _ in Float(classes.randomElement(using: &random) ?? 0) }
        let training = Array(0..<width) + targets.map { Int($0) }
        let fitted = try kind.with(["class_weights": .string("balanced")])
            .fitted(toTraining: training.map { [Float($0)] })
        var found = try found(kind, logits, targets)
        found["class_weights"] = json(try XCTUnwrap(fitted.classWeights))
        let rows = stride(from: 0, to: logits.count, by: width).map { logits[$0..<$0 + width] }
        return .object([
            "kind": .string("classification"), "labels": .array(targets.map { .integer(Int($0)) }),
            "predicted": .array(rows.map { .integer(indexOfMaximum($0)) }),
            "probabilities": .array(rows.map { json(probabilities($0)) }), "positive": .integer(positive),
            "training": .array(training.map(JSONValue.integer)), "found": .object(found),
        ])
    }

    private func regression(_ number: Int) throws -> JSONValue {
        let count = Int.random(in: 1...40, using: &random)
        let (logits, other) = (scores(count, sort: number % 4), scores(count, sort: number / 4 % 4))
        // Of equal labels with a fraction, whether their mean is equal to them is up to rounding.
        let labels = Set(other).count == 1 ? other.map { $0.rounded() } : other
        let fitted = try Regression().with(["standardize": .bool(true)]).fitted(toTraining: labels.map { [$0] })
        let kind = number % 2 == 0 ? Regression() : fitted
        let standardization = try XCTUnwrap(fitted.standardization)
        var found = try found(kind, logits, labels)
        found["standardize"] = json([standardization.mean, standardization.deviation])
        return .object([
            "kind": .string("regression"), "labels": json(labels),
            "predictions": json(try logits.map { try XCTUnwrap(kind.answer([$0]).value) }), "found": .object(found),
        ])
    }

    private func multilabel(_ number: Int) throws -> JSONValue {
        let (width, count) = (Int.random(in: 1...4, using: &random), Int.random(in: 1...40, using: &random))
        let labels = names(width)
        let logits = scores(width * count, sort: number % 4)
        let share = [0.5, 0.9, 0.05][number % 3]
        let targets = logits.map { _ in Double.random(in: 0..<1, using: &random) < share ? Float(1) : 0 }
        let thresholds = (0..<width).map { _ in Double.random(in: 0.01...0.99, using: &random) }
        let numbers = Dictionary(uniqueKeysWithValues: zip(labels, thresholds.map(JSONValue.number)))
        let kind = try MultiLabel(labels: labels).with(number % 2 == 0 ? [:] : ["threshold": .object(numbers)])
        let best = try MultiLabel(labels: labels).with(["threshold": .string("best")])
            .fitted(toDevLogits: logits, targets: targets)
        var found = try found(kind, logits, targets)
        found["best_f1"] = json(labels.map { _ in 0.0 })
        func probabilities(_ logits: [Float]) -> [Double] {
            stride(from: 0, to: logits.count, by: width)
                .flatMap { kind.answer(logits[$0..<$0 + width]).probabilities ?? [] }
        }
        return .object([
            "kind": .string("multilabel"), "labels": rows(targets.map(Double.init), width),
            "logits": rows(logits.map(Double.init), width), "probabilities": rows(probabilities(logits), width),
            // 1 - p would lose the digits of a p near 1.
            "complements": rows(probabilities(logits.map { -$0 }), width),
            "thresholds": json(kind.thresholds ?? labels.map { _ in 0.5 }),
            "best": json(try XCTUnwrap(best.thresholds)), "found": .object(found),
        ])
    }

    /// 1e-9: sums are in another order.
    func testMetricsWeightsAndThresholdsAreThoseOfTheField() throws {
        let all = try (0..<cases).flatMap { try [classification($0), regression($0), multilabel($0)] }
        let url = directory.appendingPathComponent("cases.json")
        try JSONEncoder().encode(JSONValue.array(all)).write(to: url)
        let output = try PeerPython.run(file: "metrics.py", [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        XCTAssertEqual(differences.count, 11 + 6 + 7)
        XCTAssertLessThanOrEqual(differences.values.max() ?? 1, 1e-9, output)
    }
}
