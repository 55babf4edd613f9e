extension Span {
    public func makeTargetSummary() -> any TargetSummary { AnswerCounts() }
}

/// How many questions have an answer. Where some have none, the baseline gives none.
private struct AnswerCounts: TargetSummary {
    var rows = 0
    var answered = 0
    var answers = 0

    mutating func add(_ marks: ExampleMarks) {
        guard !marks.isContinuation else { return }
        rows += 1
        answered += marks.texts.count > 1 ? 1 : 0
        answers += max(0, marks.texts.count - 1)
    }

    var figures: [TargetFigure] {
        rows == 0
            ? []
            : [
                TargetFigure("answered", .count(answered)), TargetFigure("without_answer", .count(rows - answered)),
                TargetFigure("answers", .count(answers)),
            ]
    }

    var baseline: Baseline? {
        guard rows > answered else { return nil }
        return Baseline(name: "no answer", prediction: "no answer", logits: [1, 1], isRepeated: false)
    }
}
