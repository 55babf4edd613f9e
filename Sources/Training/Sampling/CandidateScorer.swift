import CAMTL
import Foundation
import Tasks
import Torch

/// Picks the candidates that the model is least sure of.
final class CandidateScorer {
    private let model: CAMTLModel
    private let settings: TrainingSettings
    private let team: Team?
    /// What the next picks depend on besides the model.
    var state: State
    /// See `Trainer.comparesPicks`.
    var comparesPicks: ((_ picked: Int, _ equal: Int) -> Void)?

    struct State: Sendable, Equatable, Codable {
        fileprivate var random: RandomStream
        /// Whether the next scoring goes without dropout. In the original the model is in evaluation mode before its
        /// first training step and after each evaluation.
        fileprivate var isInEvaluationMode: Bool
    }

    /// - Parameter team: the processes that each score some pieces of a pool; nil for one that scores all.
    init(model: CAMTLModel, settings: TrainingSettings, team: Team? = nil) {
        self.model = model
        self.settings = settings
        self.team = team
        state = State(
            random: RandomStream(seed: settings.seed, purpose: "uncertainty of regression"),
            isInEvaluationMode: settings.reproducesOriginal)
    }

    func modelWasEvaluated() { state.isInEvaluationMode = settings.reproducesOriginal }

    /// The `batchSize` candidates of the highest scores, highest first; with each classification's mean normalised
    /// entropy (0…1) over its candidates, by the task's position in the model's list.
    func pick(
        _ pool: CandidatePool, tasks: [TaskData], dropout: DropoutRates
    ) throws -> (examples: [ExampleReference], entropies: [Int: Double]) {
        guard case .uncertainty(_, _, let usesDropout, let precision) = settings.sampling else {
            return (pool.examples, [:])
        }
        let rates = usesDropout && !state.isInEvaluationMode ? dropout : .none
        state.isInEvaluationMode = false
        let (place, random) = (try RandomStreamPlace.current(on: model.device), state.random)
        let candidates = try candidates(pool, dropout: rates, precision: precision)
        let picks = picks(of: candidates, tasks: tasks)
        if let comparesPicks, precision != .exact {
            let (nextPlace, nextRandom) = (try RandomStreamPlace.current(on: model.device), state.random)
            (state.random, _) = (random, try place.resume(on: model.device))
            let exact = try self.picks(of: self.candidates(pool, dropout: rates, precision: .exact), tasks: tasks)
            (state.random, _) = (nextRandom, try nextPlace.resume(on: model.device))
            comparesPicks(picks.count, Set(picks).intersection(exact).count)
        }
        let entropies = Dictionary(grouping: candidates.filter { $0.labelCount > 1 }, by: \.task).mapValues { task in
            task.map { $0.entropy / log(Double($0.labelCount)) }.reduce(0, +) / Double(task.count)
        }
        return (picks.map { pool.examples[$0] }, entropies)
    }

    /// The positions of the highest scores, highest first.
    private func picks(of candidates: [Candidate], tasks: [TaskData]) -> [Int] {
        guard case .uncertainty(_, let score, _, _) = settings.sampling else { return [] }
        let scores: [Double]
        if settings.reproducesOriginal {
            func position(_ name: String) -> Int? { tasks.first { $0.definition.name == name }?.id }
            scores = originalUncertaintyScores(
                candidates, score: score, stsB: position("sts-b"), mrpc: position("mrpc"))
        } else {
            scores = uncertaintyScores(candidates, score: score, random: &state.random)
        }
        return highestScores(scores, count: settings.batchSize)
    }

    /// The pool as the model sees it.
    private func candidates(
        _ pool: CandidatePool, dropout: DropoutRates, precision: Precision
    ) throws -> [Candidate] {
        let tasks = model.configuration.tasks
        var entropies = Array(repeating: 0.0, count: pool.examples.count)
        var classes = entropies
        let quantized = try precision.layers(of: model)
        // All of the pool is computed before the first of it is waited for.
        let outputs = try pool.pieces.flatMap { piece in
            try withoutGradients { try model(piece.tokens, dropout: dropout, quantized: quantized).tasks }
                .map { output in
                    (
                        positions: output.samples.map { piece.positions[$0] }, rowCounts: output.rowCounts,
                        logits: try Readback(output.logits)
                    )
                }
        }
        for output in outputs {
            let logits = try (team?.read(output.logits) ?? output.logits.tensor()).elements(Float.self)
            var start = 0
            for (position, rows) in zip(output.positions, output.rowCounts) {
                let kind = tasks[pool.examples[position].task].kind
                let own = logits[start..<start + rows * kind.width]
                let uncertainty = kind.uncertainty(of: DecodedExample(logits: own, marks: pool.marks[position]))
                (entropies[position], classes[position]) = (uncertainty.entropy, Double(uncertainty.classes))
                start += own.count
            }
        }
        // Each candidate's is 0 but in one process.
        if let team { (entropies, classes) = (try team.sums(entropies), try team.sums(classes)) }
        return pool.examples.indices.map { index in
            Candidate(task: pool.examples[index].task, entropy: entropies[index], labelCount: Int(classes[index]))
        }
    }
}
