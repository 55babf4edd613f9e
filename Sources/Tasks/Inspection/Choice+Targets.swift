extension Choice {
    public func makeTargetSummary() -> any TargetSummary { PlaceCounts() }
}

/// How often the right choice stands in each place. The baseline takes the place where it stands most often.
private struct PlaceCounts: TargetSummary {
    var counts: [Int] = []

    mutating func add(_ marks: ExampleMarks) {
        guard let place = marks.target.first.map(Int.init) else { return }
        if place >= counts.count { counts += Array(repeating: 0, count: place + 1 - counts.count) }
        counts[place] += 1
    }

    var figures: [TargetFigure] {
        counts.isEmpty ? [] : [TargetFigure("labels", .labels(counts.enumerated().map { ("choice \($0)", $1) }))]
    }

    var baseline: Baseline? {
        guard let most = counts.max(), let place = counts.firstIndex(of: most) else { return nil }
        return Baseline(
            name: "majority", prediction: "choice \(place)", logits: counts.indices.map { $0 == place ? 1 : 0 },
            isRepeated: false)
    }
}
