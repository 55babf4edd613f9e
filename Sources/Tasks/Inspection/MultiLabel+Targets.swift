import Foundation

extension MultiLabel {
    public func makeTargetSummary() -> any TargetSummary { LabelCounts(self) }
}

/// How many examples have each label, and how many labels they have. The baseline predicts each label with its share for
/// its probability: those that at least half of the examples have.
private struct LabelCounts: TargetSummary {
    let kind: MultiLabel
    var counts: [Int]
    var rows = 0
    var without = 0
    var most = 0

    init(_ kind: MultiLabel) {
        self.kind = kind
        counts = Array(repeating: 0, count: kind.labels.count)
    }

    mutating func add(_ marks: ExampleMarks) {
        rows += 1
        var count = 0
        for (label, value) in marks.target.enumerated() where value == 1 {
            counts[label] += 1
            count += 1
        }
        if count == 0 { without += 1 }
        most = max(most, count)
    }

    var figures: [TargetFigure] {
        [
            TargetFigure("labels", .labels(zip(kind.labels, counts).map { ($0, $1) })),
            TargetFigure("labels_per_row", .number(rows == 0 ? .nan : Double(counts.reduce(0, +)) / Double(rows))),
            TargetFigure("most_labels", .count(most)), TargetFigure("without_label", .count(without)),
        ]
    }

    var baseline: Baseline? {
        guard rows > 0 else { return nil }
        // Where none or all of the examples have a label, a quarter of one counts as another, so that the logit is a
        // number.
        let logits = counts.map { count in
            let some = min(max(Double(count), 0.25), Double(rows) - 0.25)
            return Float(log(some / (Double(rows) - some)))
        }
        let predicted = kind.answer(logits[...]).labels ?? []
        return Baseline(
            name: "majority", prediction: predicted.isEmpty ? "no label" : predicted.joined(separator: ", "),
            logits: logits)
    }
}
