import CAMTL
import Foundation
import Tasks
import Torch

/// Trains a model on its tasks.
public final class Trainer {
    private let trained: TrainedModel
    private let tasks: [TaskData]
    private let settings: TrainingSettings
    private let dropout: DropoutRates
    private let report: (TrainingEvent) throws -> Void
    private let updater: Updater
    private let plan: StepPlan
    private let scorer: CandidateScorer
    private var sampler: Sampler
    private var usage: ExampleUsage

    private var model: CAMTLModel { trained.model }

    /// - Parameters:
    ///   - trained: the model, which is changed.
    ///   - settings: how it is trained.
    ///   - tasks: those to train on, with their training sets.
    ///   - report: told of each event; what it throws ends the run.
    /// - Throws: `TrainingError.noTrainingData`.
    public init(
        _ trained: TrainedModel, tasks: [TaskData], settings: TrainingSettings,
        report: @escaping (TrainingEvent) throws -> Void
    ) throws {
        let sizes = tasks.compactMap { task in task.train.map { (task: task.id, count: $0.count) } }
        guard !sizes.isEmpty else { throw TrainingError.noTrainingData }
        self.trained = trained
        self.tasks = tasks
        self.settings = settings
        self.report = report
        dropout = settings.dropoutRates(trained.model.configuration)
        sampler = Sampler(settings.sampling, sizes: sizes, batchSize: settings.batchSize, seed: settings.seed)
        plan = StepPlan(settings, batchesPerEpoch: sampler.batchesPerEpoch)
        updater = Updater(
            trained.model, settings: settings.optimizer, totalSteps: plan.totalSteps,
            keepsZeroGradients: settings.reproducesOriginal)
        scorer = CandidateScorer(model: trained.model, settings: settings)
        usage = ExampleUsage(
            tasks.compactMap { task in task.train.map { (task.id, task.definition.name, $0.count) } })
    }

    /// Trains to the end, saving a checkpoint folder in `outputDirectory` every `saveSteps` updates.
    ///
    /// - Throws: `TrainingError.lossNotFinite` or `.gradientNotFinite`, before the model is changed by it; what
    ///   saving and `report` throw.
    public func run(outputDirectory: URL) throws -> TrainingSummary {
        try seedRandomStream(settings.seed)
        let start = ContinuousClock.now
        try report(
            .started(
                TrainingPlan(
                    totalSteps: plan.expectedSteps, batchesPerEpoch: sampler.batchesPerEpoch,
                    examples: usage.ordered.map(\.available).reduce(0, +), batchSize: settings.batchSize,
                    accumulationSteps: settings.accumulationSteps)))
        var evaluations: [EvaluationReport] = []
        var step = 0
        var epoch = 0
        var pending = PendingUpdate()
        while !plan.isFinished(step: step, epoch: epoch) {
            for batch in 0..<sampler.batchesPerEpoch {
                try train(batch, &pending, step: step)
                guard plan.isDue(afterBatch: batch) else { continue }
                step += 1
                let progress = Double(epoch) + Double(batch + 1) / Double(sampler.batchesPerEpoch)
                let update = try updater.step()
                usage.record(pending.examples)
                try report(.stepped(pending.report(update, step: step, epoch: progress)))
                pending = PendingUpdate()
                if step % settings.saveSteps == 0 { try save(outputDirectory, step: step) }
                if let interval = settings.evaluationSteps,
                    step % interval == 0 || step == 1 && settings.logsFirstStep
                {
                    evaluations.append(try evaluate(step: step))
                }
                if plan.isFinished(step: step, epoch: epoch) { break }
            }
            epoch += 1
        }
        return TrainingSummary(
            steps: step, seconds: (ContinuousClock.now - start).seconds, usage: usage, evaluations: evaluations)
    }

    /// Adds the gradient of the next batch.
    private func train(_ batch: Int, _ pending: inout PendingUpdate, step: Int) throws {
        let examples: [ExampleReference]
        switch sampler.next() {
        case .batch(let drawn): examples = drawn
        case .candidates(let pool): examples = try scorer.pick(pool, tasks: tasks, dropout: dropout)
        }
        let input = TrainingBatch(
            examples, tasks: tasks, cutsLabels: settings.reproducesOriginal && !settings.sampling.picksCandidates)
        let output = try model(input.tokens, dropout: dropout)
        let loss = try output.loss(labels: input.labels, configuration: model.configuration)
        let value = try loss.total.item()
        guard value.isFinite else {
            throw TrainingError.lossNotFinite(
                step: step + 1, loss: value, tasks: loss.tasks.map { model.configuration.tasks[$0.task].name })
        }
        try updater.accumulate(loss.total, share: plan.share(ofBatch: batch))
        pending.losses.append(value)
        pending.examples += examples
        pending.tokens += input.tokens.inputIDs.count
    }

    private func evaluate(step: Int) throws -> EvaluationReport {
        let evaluation = try Evaluator(model: model, batchSize: settings.evaluationBatchSize).evaluate(tasks)
        scorer.modelWasEvaluated()
        try report(.evaluated(step: step, evaluation))
        return evaluation
    }

    private func save(_ outputDirectory: URL, step: Int) throws {
        let folder = outputDirectory.appendingPathComponent("checkpoint-\(step)")
        try trained.save(replacing: folder)
        try report(.saved(folder))
    }
}

/// What the batches since the last update add up to.
private struct PendingUpdate {
    var losses: [Double] = []
    var examples: [ExampleReference] = []
    var tokens = 0
    private let start = ContinuousClock.now

    func report(_ step: Updater.Step, step number: Int, epoch: Double) -> StepReport {
        StepReport(
            step: number, epoch: epoch, loss: losses.reduce(0, +) / Double(losses.count),
            learningRate: step.learningRate, gradientNorm: step.gradientNorm, examples: examples.count, tokens: tokens,
            seconds: (ContinuousClock.now - start).seconds)
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension Sampling {
    var picksCandidates: Bool { if case .uncertainty = self { true } else { false } }
}
