import Foundation

extension Classification {
    public func makeTargetSummary() -> any TargetSummary { ClassCounts(self) }
}

/// How many examples each class has. The baseline predicts the one that has most, the first of several, with each class's
/// share for its probability.
private struct ClassCounts: TargetSummary {
    let kind: Classification
    var counts: [Int]

    init(_ kind: Classification) {
        self.kind = kind
        counts = Array(repeating: 0, count: kind.labels.count)
    }

    mutating func add(_ marks: ExampleMarks) { counts[Int(marks.target[0])] += 1 }

    var figures: [TargetFigure] { [TargetFigure("labels", .labels(zip(kind.labels, counts).map { ($0, $1) }))] }

    var baseline: Baseline? {
        let rows = Double(counts.reduce(0, +))
        guard rows > 0 else { return nil }
        // A class that there is none of counts as half an example: its logarithm would else be no number.
        let logits = counts.map { Float(log(max(Double($0), 0.5) / rows)) }
        return Baseline(name: "majority", prediction: kind.answer(logits[...]).text, logits: logits)
    }
}
