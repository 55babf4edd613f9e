import Foundation
import Torch

/// How unsure the model is of a candidate, by the entropy of its prediction.
public enum UncertaintyScore: String, Sendable, CaseIterable {
    /// As the original code: H / (H' + 1e-5) · H̄ᵢ / maxⱼ H̄ⱼ, with H̄ᵢ the mean of task i's candidates after the
    /// division by H'.
    case original
    /// As the paper's Algorithm 1: H / (Ĥ · H'), Ĥ the highest mean entropy of a task.
    case paper
}

/// A candidate of uncertainty sampling, as the model sees it.
public struct Candidate: Sendable, Equatable {
    /// The task's position in the model's list.
    public var task: Int
    /// H: the entropy of the predicted distribution in nats; 0 for a regression.
    public var entropy: Double
    /// K of the distribution whose entropy it is: a classification's labels, 1 of a regression.
    public var labelCount: Int

    public init(task: Int, entropy: Double, labelCount: Int) {
        self.task = task
        self.entropy = entropy
        self.labelCount = labelCount
    }
}

/// The scores of a pool of candidates, in its order.
///
/// A regression has no entropy: its candidates take, position by position, the mean of the classification tasks'
/// scores. With regression tasks alone the scores are random.
public func uncertaintyScores(
    _ pool: [Candidate], score: UncertaintyScore, random: inout RandomStream
) -> [Double] {
    var scores = classificationScores(pool, score: score)
    let classified = Dictionary(grouping: pool.indices.filter { pool[$0].labelCount > 1 }) { pool[$0].task }
        .sorted { $0.key < $1.key }.map(\.value)
    let regressed = Dictionary(grouping: pool.indices.filter { pool[$0].labelCount == 1 }) { pool[$0].task }
        .sorted { $0.key < $1.key }.map(\.value)
    if classified.isEmpty { return pool.map { _ in Double.random(in: 0..<1, using: &random) } }
    for positions in regressed {
        for (position, index) in positions.enumerated() {
            // Past the end of every classification task's candidates, they start anew, as the tasks do.
            let peers = classified.map { scores[$0[position % $0.count]] }
            scores[index] = peers.reduce(0, +) / Double(peers.count)
        }
    }
    return scores
}

/// The original's rule for a regression: with both STS-B and MRPC in the pool, STS-B's first candidates take the scores
/// of as many of MRPC's, in pool order; others score 0, and NaN where there is no classification.
///
/// - Parameters:
///   - pool: every task's candidates.
///   - score: the score of a classification's candidate.
///   - stsB: STS-B's position in the model's list, if it is trained.
///   - mrpc: MRPC's position, if it is trained.
public func originalUncertaintyScores(
    _ pool: [Candidate], score: UncertaintyScore, stsB: Int?, mrpc: Int?
) -> [Double] {
    var scores = classificationScores(pool, score: score)
    let targets = pool.indices.filter { pool[$0].task == stsB }
    let sources = pool.indices.filter { pool[$0].task == mrpc }
    for (target, source) in zip(targets, sources) { scores[target] = scores[source] }
    return scores
}

private func classificationScores(_ pool: [Candidate], score: UncertaintyScore) -> [Double] {
    func mean(_ values: [Int: [Double]]) -> [Int: Double] {
        values.mapValues { $0.reduce(0, +) / Double($0.count) }
    }
    switch score {
    case .original:
        let normalized = pool.map { $0.entropy / (log(Double($0.labelCount)) + 1e-5) }
        let means = mean(Dictionary(grouping: pool.indices) { pool[$0].task }.mapValues { $0.map { normalized[$0] } })
        let highest = means.values.max() ?? 0
        return pool.indices.map { normalized[$0] * (means[pool[$0].task, default: 0] / highest) }
    case .paper:
        let means = mean(Dictionary(grouping: pool, by: \.task).mapValues { $0.map(\.entropy) })
        let highest = means.values.max() ?? 0
        return pool.map { $0.labelCount > 1 ? $0.entropy / (highest * log(Double($0.labelCount))) : 0 }
    }
}

/// The positions of the `count` highest scores, highest first; among equal ones the first in the pool. NaN counts as
/// highest, as in `torch.topk`.
public func highestScores(_ scores: [Double], count: Int) -> [Int] {
    func isHigher(_ a: Int, _ b: Int) -> Bool {
        switch (scores[a].isNaN, scores[b].isNaN) {
        case (true, true): a < b
        case (true, false): true
        case (false, true): false
        case (false, false): scores[a] == scores[b] ? a < b : scores[a] > scores[b]
        }
    }
    return Array(scores.indices.sorted(by: isHigher).prefix(count))
}
