import Foundation

extension Regression {
    public func makeTargetSummary() -> any TargetSummary { NumberSpread(kind: self) }
}

/// The mean, the standard deviation √(Σ (x - x̄)² / n), the lowest and the highest of numbers. The baseline predicts the
/// mean.
///
/// Source of the sums, which lose no digits: Welford, Note on a method for calculating corrected sums of squares and
/// products, 1962.
private struct NumberSpread: TargetSummary {
    let kind: Regression
    var count = 0
    var mean = 0.0
    var squares = 0.0
    var lowest = Double.infinity
    var highest = -Double.infinity

    mutating func add(_ marks: ExampleMarks) {
        let number = Double(marks.target[0])
        count += 1
        let difference = number - mean
        mean += difference / Double(count)
        squares += difference * (number - mean)
        lowest = min(lowest, number)
        highest = max(highest, number)
    }

    var figures: [TargetFigure] {
        guard count > 0 else { return [] }
        return [
            TargetFigure("mean", .number(mean)),
            TargetFigure("standard_deviation", .number((squares / Double(count)).squareRoot())),
            TargetFigure("lowest", .number(lowest)), TargetFigure("highest", .number(highest)),
        ]
    }

    var baseline: Baseline? {
        guard count > 0 else { return nil }
        let prediction = String(format: "%.4g", mean)
        return Baseline(name: "mean", prediction: prediction, logits: [Float(kind.logit(of: mean))])
    }
}
