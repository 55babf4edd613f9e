import CAMTL
import Tasks
import Torch

/// Picks the candidates that the model is least sure of.
final class CandidateScorer {
    private let model: CAMTLModel
    private let settings: TrainingSettings
    private var random: RandomStream
    /// Whether the next scoring goes without dropout. In the original the model is in evaluation mode before its
    /// first training step and after each evaluation.
    private var isInEvaluationMode: Bool

    init(model: CAMTLModel, settings: TrainingSettings) {
        self.model = model
        self.settings = settings
        random = RandomStream(seed: settings.seed, purpose: "uncertainty of regression")
        isInEvaluationMode = settings.reproducesOriginal
    }

    func modelWasEvaluated() { isInEvaluationMode = settings.reproducesOriginal }

    /// The `batchSize` candidates of the highest scores, highest first.
    func pick(_ pool: [ExampleReference], tasks: [TaskData], dropout: DropoutRates) throws -> [ExampleReference] {
        guard case .uncertainty(_, let score) = settings.sampling else { return pool }
        let candidates = try candidates(pool, tasks: tasks, dropout: isInEvaluationMode ? .none : dropout)
        isInEvaluationMode = false
        let scores: [Double]
        if settings.reproducesOriginal {
            func position(_ name: String) -> Int? { tasks.first { $0.definition.name == name }?.id }
            scores = originalUncertaintyScores(
                candidates, score: score, stsB: position("sts-b"), mrpc: position("mrpc"))
        } else {
            scores = uncertaintyScores(candidates, score: score, random: &random)
        }
        return highestScores(scores, count: settings.batchSize).map { pool[$0] }
    }

    /// The pool as the model sees it, in pieces of about one length.
    private func candidates(
        _ pool: [ExampleReference], tasks: [TaskData], dropout: DropoutRates
    ) throws -> [Candidate] {
        var result = pool.map { Candidate(task: $0.task, entropy: 0, labelCount: 1) }
        let sets = Dictionary(uniqueKeysWithValues: tasks.map { ($0.id, $0.train) })
        let lengths = pool.map { sets[$0.task]??.length(at: $0.index) ?? 0 }
        for positions in batchesByLength(lengths, size: max(settings.batchSize, settings.evaluationBatchSize)) {
            let batch = TrainingBatch(positions.map { pool[$0] }, tasks: tasks)
            for output in try withoutGradients({ try model(batch.tokens, dropout: dropout).tasks }) {
                let logits = try output.logits.elements(Float.self)
                let width = logits.count / output.samples.count
                for (row, sample) in output.samples.enumerated() {
                    result[positions[sample]].labelCount = width
                    result[positions[sample]].entropy = entropy(logits[row * width..<(row + 1) * width])
                }
            }
        }
        return result
    }
}
