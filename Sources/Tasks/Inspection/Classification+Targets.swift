import Foundation

extension Classification {
    public func makeTargetSummary() -> any TargetSummary { ClassCounts(labels: labels) }
}

/// How many examples each class has. The baseline predicts the one that has most, the first of several, with each class's
/// share for its probability.
private struct ClassCounts: TargetSummary {
    let labels: [String]
    var counts: [Int]

    init(labels: [String]) {
        self.labels = labels
        counts = Array(repeating: 0, count: labels.count)
    }

    mutating func add(_ target: [Float]) { counts[Int(target[0])] += 1 }

    var figures: [TargetFigure] { [TargetFigure("labels", .labels(zip(labels, counts).map { ($0, $1) }))] }

    var baseline: Baseline? {
        guard let most = counts.max(), most > 0, let place = counts.firstIndex(of: most) else { return nil }
        let rows = Double(counts.reduce(0, +))
        return Baseline(
            name: "majority", prediction: labels[place],
            // A class that there is none of counts as half an example: its logarithm would else be no number.
            logits: counts.map { Float(log(max(Double($0), 0.5) / rows)) })
    }
}
