extension Tagging {
    public func makeTargetSummary() -> any TargetSummary { TagCounts(labels: labels) }
}

/// How many words have each tag. The baseline gives each word the tag that most have.
private struct TagCounts: TargetSummary {
    let labels: [String]
    var counts: [Int]

    init(labels: [String]) {
        self.labels = labels
        counts = Array(repeating: 0, count: labels.count)
    }

    mutating func add(_ marks: ExampleMarks) {
        for tag in marks.target where tag >= 0 { counts[Int(tag)] += 1 }
    }

    var figures: [TargetFigure] {
        let words = counts.reduce(0, +)
        return words == 0 ? [] : [TargetFigure("words", .count(words)), TargetFigure("labels", .labels(Array(zip(labels, counts))))]
    }

    var baseline: Baseline? {
        guard let most = counts.max(), most > 0, let tag = counts.firstIndex(of: most) else { return nil }
        return Baseline(
            name: "majority", prediction: labels[tag], logits: labels.indices.map { $0 == tag ? 1 : 0 })
    }
}
