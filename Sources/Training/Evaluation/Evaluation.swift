import CAMTL
import Foundation
import Tasks
import Torch

/// A set's dev figures.
public struct EvaluationResult: Sendable, Equatable, Codable {
    /// The set's name: the task's, or such as `mnli-mm`.
    public var name: String
    public var task: String
    public var count: Int
    public var loss: Double
    public var scores: Scores
}

/// The figures of one evaluation.
public struct EvaluationReport: Sendable, Equatable, Codable {
    public var results: [EvaluationResult]

    public init(results: [EvaluationResult]) { self.results = results }

    /// Each metric's maximum over these figures and earlier ones, which may be of other states of the model: what the
    /// original reports.
    public func highest(over earlier: [EvaluationReport]) -> EvaluationReport {
        EvaluationReport(
            results: results.map { result in
                var result = result
                for other in earlier.flatMap(\.results) where other.name == result.name {
                    result.scores = result.scores.highest(with: other.scores)
                }
                return result
            })
    }

    /// All figures by name: `rte_acc`, `rte_loss`, `mnli-mm_acc` …, and over the tasks `average` and `average_std`.
    public var figures: [String: Double] {
        var figures = ["average": average, "average_std": deviation]
        for result in results {
            figures["\(result.name)_loss"] = result.loss
            for entry in result.scores.entries { figures["\(result.name)_\(entry.metric.rawValue)"] = entry.value }
        }
        return figures
    }

    /// A task's score: the mean of its metrics, over its sets.
    public var taskScores: [(task: String, score: Double)] {
        var order: [String] = []
        for result in results where !order.contains(result.task) { order.append(result.task) }
        return order.map { task in
            let scores = results.filter { $0.task == task }.map(\.scores.taskScore)
            return (task, scores.reduce(0, +) / Double(scores.count))
        }
    }

    /// The mean of the tasks' scores; GLUE's, where all its tasks are there.
    public var average: Double {
        let scores = taskScores.map(\.score)
        return scores.reduce(0, +) / Double(scores.count)
    }

    /// The standard deviation of the tasks' scores (the paper's σ over tasks).
    public var deviation: Double {
        let scores = taskScores.map(\.score)
        return (scores.map { pow($0 - average, 2) }.reduce(0, +) / Double(scores.count)).squareRoot()
    }
}

/// Runs a model over sets of examples, without dropout and without gradients.
public struct Evaluator {
    public let model: CAMTLModel
    /// Sequences over which losses are averaged first, and that are at least computed at a time.
    public let batchSize: Int
    /// Tokens up to which more sequences are computed at a time.
    private let pieceTokens: Int

    private let precision: Precision
    private let team: Team?

    /// - Parameters:
    ///   - model: the model, which stays as it is.
    ///   - batchSize: sequences over which losses are averaged first.
    ///   - precision: how exactly the layers compute.
    ///   - team: the processes that each compute a share of the sequences; nil for one that computes all.
    public init(model: CAMTLModel, batchSize: Int, precision: Precision = .exact, team: Team? = nil) {
        self.init(
            model: model, batchSize: batchSize, precision: precision,
            pieceTokens: PackedBatch.pieceTokens(on: model.device), team: team)
    }

    init(
        model: CAMTLModel, batchSize: Int, precision: Precision = .exact, pieceTokens: Int, team: Team? = nil
    ) {
        self.model = model
        self.batchSize = batchSize
        self.precision = precision
        self.pieceTokens = pieceTokens
        self.team = team
    }

    /// The tokens of an example of one task.
    public struct Size: Sendable {
        /// Of all its sequences.
        public var tokens: Int
        /// The rows of the decoder's logits.
        public var rows: Int

        public init(tokens: Int, rows: Int) {
            self.tokens = tokens
            self.rows = rows
        }

        init(_ features: FeatureSet, at index: Int, kind: any TaskKind) {
            let lengths = features.sequenceLengths(at: index)
            self.init(tokens: lengths.reduce(0, +), rows: kind.logitRows(lengths: lengths))
        }
    }

    /// The logits of examples of one task in their order: of each as many rows as it has, of the decoder's width,
    /// row-major.
    ///
    /// - Parameters:
    ///   - task: the task's position in the model's list.
    ///   - sizes: of each example.
    ///   - append: adds the example at a position to a batch.
    public func logits(
        task: Int, sizes: [Size], append: (_ position: Int, _ batch: inout PackedBatch) -> Void
    ) throws -> [ArraySlice<Float>] {
        let width = model.configuration.tasks[task].kind.width
        var starts = [0]
        for size in sizes { starts.append(starts[starts.count - 1] + size.rows * width) }
        var result = [Float](repeating: 0, count: starts[sizes.count])
        let quantized = try precision.layers(of: model)
        let lengths = sizes.map(\.tokens)
        let pieces = piecesByLength(lengths, atLeast: batchSize, tokens: pieceTokens)
        let own = (team?.share ?? .whole).own(pieces.map { $0.map { lengths[$0] }.reduce(0, +) })
        // Several pieces are on their way to the device, or through it, while the numbers of the first are waited for.
        var unread: [(positions: [Int], logits: Readback)] = []
        func readOldest() throws {
            let (positions, readback) = unread.removeFirst()
            let logits = try (team?.read(readback) ?? readback.tensor()).elements(Float.self)
            var next = 0
            for position in positions {
                let count = starts[position + 1] - starts[position]
                result.replaceSubrange(starts[position]..<starts[position + 1], with: logits[next..<next + count])
                next += count
            }
        }
        for positions in own.map({ pieces[$0] }) {
            var batch = PackedBatch()
            for position in positions { append(position, &batch) }
            let logits = try withoutGradients { try model(batch, quantized: quantized).tasks[0].logits }
            unread.append((positions, try Readback(logits)))
            if unread.count > 4 { try readOldest() }
        }
        while !unread.isEmpty { try readOldest() }
        // Each example's are 0 but in one process.
        let all = try team?.sums(result) ?? result
        return sizes.indices.map { all[starts[$0]..<starts[$0 + 1]] }
    }

    /// A set's examples with what the model says of them.
    func decoded(_ features: FeatureSet, of task: TaskData) throws -> [DecodedExample] {
        defer { features.releasePages() }
        let sizes = (0..<features.count).map { Size(features, at: $0, kind: task.definition.kind) }
        let logits = try logits(task: task.id, sizes: sizes) { $1.append(features, at: $0, taskID: task.id) }
        return logits.enumerated().map { DecodedExample(logits: $1, marks: features.marks(at: $0)) }
    }

    /// The mean loss of a set's examples.
    func loss(of features: FeatureSet, _ task: TaskData) throws -> Double {
        try loss(decoded(features, of: task), kind: task.definition.kind)
    }

    /// Evaluates the tasks' dev sets.
    public func evaluate(_ tasks: [TaskData]) throws -> EvaluationReport { try evaluate(tasks, fits: false).report }

    /// Evaluates the tasks' dev sets with what is found on them of what the tasks' options leave to them.
    ///
    /// - Returns: the figures, and the kinds of these tasks, by the tasks' positions in the model's list.
    func fit(_ tasks: [TaskData]) throws -> (report: EvaluationReport, kinds: [Int: any TaskKind]) {
        try evaluate(tasks, fits: true)
    }

    private func evaluate(
        _ tasks: [TaskData], fits: Bool
    ) throws -> (report: EvaluationReport, kinds: [Int: any TaskKind]) {
        var results: [EvaluationResult] = []
        var kinds: [Int: any TaskKind] = [:]
        for var task in tasks {
            for (name, features) in task.dev {
                results.append(try evaluate(&task, name: name, features: features, fits: fits))
            }
            if fits, task.definition.kind.fitsDevSet { kinds[task.id] = task.definition.kind }
        }
        return (EvaluationReport(results: results), kinds)
    }

    private func evaluate(
        _ task: inout TaskData, name: String, features: FeatureSet, fits: Bool
    ) throws -> EvaluationResult {
        let examples = try decoded(features, of: task)
        if fits, task.definition.kind.fitsDevSet {
            task.definition.kind = task.definition.kind.fitted(
                toDevLogits: examples.flatMap(\.logits), targets: examples.flatMap(\.marks.target))
        }
        return EvaluationResult(
            name: name, task: task.definition.name, count: rows(of: examples).count,
            loss: loss(examples, kind: task.definition.kind), scores: try task.definition.scores(of: examples))
    }

    /// The unweighted mean over batches, in the set's order, of the batches' mean losses, as the original reports it. In
    /// a batch an example counts with its `lossWeight`.
    private func loss(_ examples: [DecodedExample], kind: any TaskKind) -> Double {
        let means = stride(from: 0, to: examples.count, by: batchSize).map { start in
            let batch = examples[start..<min(start + batchSize, examples.count)]
            let weight = batch.reduce(0) { $0 + kind.lossWeight(of: $1.marks.target[...]) }
            return batch.reduce(0) { $0 + kind.loss(of: $1) } / weight
        }
        return means.reduce(0, +) / Double(means.count)
    }
}
