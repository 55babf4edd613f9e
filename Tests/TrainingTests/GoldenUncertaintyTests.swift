import CAMTL
import Foundation
import Tasks
import Torch
import Training
import XCTest

/// Uncertainty sampling on candidates whose logits are known, against what the original's sampler made of them.
///
/// The original computes in float32: its entropies and scores, of numbers up to 1, are right to a few 1e-7.
final class GoldenUncertaintyTests: XCTestCase {
    func testEntropiesAndTheTasksMeansAreTheOriginals() throws {
        for pool in try GoldenPool.all() {
            let entropies = pool.candidates.map { $0.entropy / (log(Double($0.labelCount)) + 1e-5) }
            let byTask = Dictionary(grouping: entropies.indices) { pool.candidates[$0].task }
            let means = byTask.mapValues { $0.map { entropies[$0] }.reduce(0, +) / Double($0.count) }
            for (index, candidate) in pool.candidates.enumerated() {
                XCTAssertEqual(entropies[index], pool.entropies[index], accuracy: 1e-6, "\(pool.label): \(index)")
                XCTAssertEqual(
                    try XCTUnwrap(means[candidate.task]), pool.meanEntropies[index], accuracy: 1e-6,
                    "\(pool.label): mean of task \(candidate.task)")
            }
            XCTAssertEqual(
                try XCTUnwrap(means.values.max()), pool.maxMeanEntropy, accuracy: 1e-6, "\(pool.label): highest mean")
        }
    }

    func testScoresAreTheOriginals() throws {
        for pool in try GoldenPool.all() { assertEqual(pool.originalScores, pool.scores, pool.label) }
    }

    /// Where the original's scores tie, which of the tied candidates are picked is arbitrary.
    func testPicksAreTheOriginals() throws {
        for pool in try GoldenPool.all() {
            let picks = highestScores(pool.originalScores, count: pool.batchSize)
            XCTAssertEqual(picks.count, pool.picks.count, pool.label)
            XCTAssertEqual(Set(picks).count, picks.count, "\(pool.label): a candidate is picked twice")
            for (own, golden) in zip(picks, pool.picks) where !pool.scores[golden].isNaN {
                XCTAssertEqual(
                    pool.scores[own], pool.scores[golden], accuracy: GoldenPool.rounding,
                    "\(pool.label): candidate \(own) in the place of \(golden)")
            }
            if pool.isUnambiguous { XCTAssertEqual(Set(picks), Set(pool.picks), pool.label) }
        }
    }

    /// Our rule differs in regressions only.
    func testClassificationsScoreAsInTheOriginalUnderOurRuleToo() throws {
        for pool in try GoldenPool.all() where pool.candidates.contains(where: { $0.labelCount > 1 }) {
            var random = RandomStream(seed: 1)
            let scores = uncertaintyScores(pool.candidates, score: .original, random: &random)
            // The original's rule gives a classification's scores away, but doesn't change them.
            let classified = pool.candidates.indices.filter { pool.candidates[$0].labelCount > 1 }
            assertEqual(classified.map { scores[$0] }, classified.map { pool.scores[$0] }, pool.label)
        }
    }

    /// A task's last batch is short, and its data then starts anew: in step with the original, pool by pool.
    func testSamplerOffersAsManyCandidatesOfEachTaskAsTheOriginal() throws {
        for (name, golden) in try GoldenCase.all() {
            var sampler = golden.sampler
            for pool in try GoldenPool.all() where pool.caseName == name {
                guard case .candidates(let drawn) = sampler.next() else {
                    return XCTFail("uncertainty sampling draws candidates")
                }
                XCTAssertEqual(drawn.map(\.task), pool.candidates.map(\.task), pool.label)
            }
        }
    }

    func testEpochIsAsLongAsTheOriginals() throws {
        for (name, golden) in try GoldenCase.all() {
            XCTAssertEqual(golden.sampler.batchesPerEpoch, golden.loaderLenRule, name)
        }
    }

    private func assertEqual(_ scores: [Double], _ golden: [Double], _ label: String) {
        XCTAssertEqual(scores.count, golden.count, label)
        for (index, (score, other)) in zip(scores, golden).enumerated() {
            if score.isNaN && other.isNaN { continue }
            XCTAssertEqual(score, other, accuracy: 1e-6, "\(label): candidate \(index)")
        }
    }
}

/// A list of tasks whose candidates the original picked from, as `mtu.json` has it.
private struct GoldenCase: Decodable {
    struct Step: Decodable {
        let maxMeanEntropy: Double
        let nScoresEqualToCut: Int
        let nSelectedEqualToCut: Int
    }

    let tasks: [String]
    let batchSize: Int
    let datasetSizes: [Int]
    let loaderLenRule: Int
    let steps: [Step]

    var sampler: Sampler {
        Sampler(
            .uncertainty(share: 1, score: .original),
            sizes: datasetSizes.enumerated().map { (task: $0, count: $1) }, batchSize: batchSize, seed: 3)
    }

    static func all() throws -> [(name: String, golden: GoldenCase)] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let data = try Data(contentsOf: GoldenFiles.url("mtu.json"))
        let cases = try decoder.decode([String: GoldenCase].self, from: data)
        XCTAssertFalse(cases.isEmpty)
        return cases.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// The candidates of one step, and what the original made of them.
private struct GoldenPool {
    /// Scores that are nearer to one another than this may be in another order in float32.
    static let rounding = 5e-7

    let caseName: String
    let label: String
    let candidates: [Candidate]
    let entropies: [Double]
    let meanEntropies: [Double]
    let maxMeanEntropy: Double
    let scores: [Double]
    let picks: [Int]
    let batchSize: Int
    /// By our implementation of the original's rule.
    let originalScores: [Double]
    /// Whether no candidate that wasn't picked scores as high as the last that was.
    let isUnambiguous: Bool

    static func all() throws -> [GoldenPool] {
        let file = try CheckpointFile.open(GoldenFiles.url("mtu.safetensors"))
        return try GoldenCase.all().flatMap { name, golden in
            XCTAssertFalse(golden.steps.isEmpty, name)
            return try golden.steps.indices.map { try GoldenPool(file, name, golden, step: $0) }
        }
    }

    private init(_ file: CheckpointFile, _ name: String, _ golden: GoldenCase, step: Int) throws {
        (caseName, label, batchSize) = (name, "\(name), step \(step)", golden.batchSize)
        func values(_ field: String) throws -> [Double] { try file.elements("\(name).s\(step).\(field)") }
        let tasks = try values("task_id").map { Int($0) }
        let labelCounts = try values("num_labels").map { Int($0) }
        let logits: [Float] = try file.elements("\(name).s\(step).logits_padded3")
        let width = logits.count / tasks.count
        candidates = tasks.indices.map { row in
            let known = logits[row * width..<row * width + labelCounts[row]]
            return Candidate(task: tasks[row], entropy: entropy(known), labelCount: labelCounts[row])
        }
        entropies = try values("entropy")
        meanEntropies = try values("entropy_mean")
        maxMeanEntropy = golden.steps[step].maxMeanEntropy
        let scores = try values("scores_final")
        let picks = try values("selected_indices").map { Int($0) }
        originalScores = originalUncertaintyScores(
            candidates, score: .original, stsB: golden.tasks.firstIndex(of: "sts-b"),
            mrpc: golden.tasks.firstIndex(of: "mrpc"))
        let cut = picks.map { scores[$0] }.min() ?? .nan
        let others = Set(scores.indices).subtracting(picks)
        let json = golden.steps[step]
        isUnambiguous =
            json.nScoresEqualToCut == json.nSelectedEqualToCut && !cut.isNaN
            && !others.contains { scores[$0] > cut - GoldenPool.rounding }
        (self.scores, self.picks) = (scores, picks)
    }
}
