import Foundation

/// Metrics of scores and probabilities, not of the classes that they lead to.

/// Examples of one score: how many are positive, and how many are not.
private struct ScoreGroup {
    var score: Double
    var positive = 0
    var negative = 0
}

/// Groups examples by their scores, highest first.
private func groups(_ scores: [Double], _ isPositive: [Bool]) -> [ScoreGroup] {
    var groups: [ScoreGroup] = []
    for index in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
        if groups.last?.score != scores[index] { groups.append(ScoreGroup(score: scores[index])) }
        if isPositive[index] {
            groups[groups.count - 1].positive += 1
        } else {
            groups[groups.count - 1].negative += 1
        }
    }
    return groups
}

/// The area under the ROC curve: the share of the pairs of a positive and another example whose positive one has the
/// higher score, where pairs of equal scores count half.
///
/// - Returns: 0...1; NaN where all examples are positive or none is, or a score is NaN.
func areaUnderROC(_ scores: [Double], _ isPositive: [Bool]) -> Double {
    let positives = isPositive.count { $0 }
    let negatives = isPositive.count - positives
    guard positives > 0, negatives > 0, !scores.contains(where: \.isNaN) else { return .nan }
    var (pairs, above) = (0.0, 0)
    for group in groups(scores, isPositive) {
        pairs += Double(group.negative) * (Double(above) + Double(group.positive) / 2)
        above += group.positive
    }
    return pairs / (Double(positives) * Double(negatives))
}

/// Σ (Rₙ - Rₙ₋₁) Pₙ over the scores, highest first, of the recall R and the precision P of taking all examples of that
/// score and more for positive.
///
/// - Returns: 0...1; 0 where none is positive, and NaN where a score is NaN.
func averagePrecision(_ scores: [Double], _ isPositive: [Bool]) -> Double {
    let positives = isPositive.count { $0 }
    guard !scores.contains(where: \.isNaN) else { return .nan }
    guard positives > 0 else { return 0 }
    var (sum, right, taken) = (0.0, 0, 0)
    for group in groups(scores, isPositive) {
        right += group.positive
        taken += group.positive + group.negative
        sum += Double(group.positive) / Double(positives) * Double(right) / Double(taken)
    }
    return sum
}

/// The expected calibration error, Σ |Bₘ| / n |acc(Bₘ) - conf(Bₘ)|, where bin m of M has the examples whose prediction
/// has a probability above (m - 1) / M and up to m / M.
///
/// Source: Guo et al., 2017, "On Calibration of Modern Neural Networks", equation 5, which takes 15 bins.
///
/// - Parameters:
///   - confidences: the predicted classes' probabilities.
///   - isRight: whether they are the true ones.
func expectedCalibrationError(_ confidences: [Double], _ isRight: [Bool], bins: Int = 15) -> Double {
    guard !confidences.contains(where: \.isNaN) else { return .nan }
    var (right, sums) = ([Double](repeating: 0, count: bins), [Double](repeating: 0, count: bins))
    for (confidence, isRight) in zip(confidences, isRight) {
        let bin = (1...bins).first { confidence <= Double($0) / Double(bins) } ?? bins
        right[bin - 1] += isRight ? 1 : 0
        sums[bin - 1] += confidence
    }
    // |B| |acc - conf| is the distance between the sums.
    return zip(right, sums).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(confidences.count)
}

/// -ln of a probability that is taken for at least 2⁻⁵² and at most 1 - 2⁻⁵², as scikit-learn's `log_loss` takes it.
func clippedLogLoss(_ probability: Double) -> Double {
    -log(min(max(probability, .ulpOfOne), 1 - .ulpOfOne))
}

/// The threshold at and above which scores, taken for positive, have the highest F1. It lies half-way between two scores;
/// of several such places it is the one nearest to one half.
///
/// - Parameter probabilities: 0...1; one that is NaN is never taken for positive.
/// - Returns: above 0 and below 1; one half where no example is positive.
func thresholdOfHighestF1(_ probabilities: [Double], _ isPositive: [Bool]) -> Double {
    let positives = isPositive.count { $0 }
    let there = probabilities.indices.filter { !probabilities[$0].isNaN }
    let groups = groups(there.map { probabilities[$0] }, there.map { isPositive[$0] })
    var best = (f1: 0.0, threshold: 0.5)
    var (right, taken) = (0, 0)
    for (place, group) in groups.enumerated() {
        right += group.positive
        taken += group.positive + group.negative
        let f1 = 2 * Double(right) / Double(taken + positives)
        let next = place + 1 < groups.count ? groups[place + 1].score : 0
        let middle = next + (group.score - next) / 2
        // Between neighbouring numbers there is none.
        let threshold = middle > next ? middle : group.score
        guard threshold > 0, threshold < 1, f1 > 0 else { continue }
        if f1 > best.f1 || f1 == best.f1 && abs(threshold - 0.5) < abs(best.threshold - 0.5) { best = (f1, threshold) }
    }
    return best.threshold
}
