import CAMTL
import Files
import Foundation
import Tasks
import Torch

/// Trains a model on its tasks.
public final class Trainer {
    private let trained: TrainedModel
    private let tasks: [TaskData]
    private let settings: TrainingSettings
    private let dropout: DropoutRates
    private let team: Team?
    private let shouldStop: () -> Bool
    private let report: (TrainingEvent) throws -> Void
    private let updater: Updater
    private let plan: StepPlan
    private let scorer: CandidateScorer
    private let arithmetic: Arithmetic
    private let identity: [String: String]
    /// By the tasks' positions in the model's list, what losses weigh that don't weigh 1.
    private let weights: [Int: Double]
    private let figure: BestFigure
    private var run = UUID().uuidString
    private let batches: BatchSource
    private var usage: ExampleUsage
    private var progress = ResumeState.Progress()
    private var log = LogAccumulator()
    private var best: BestModel
    private var history = TrainerState()
    private var highest: EvaluationReport?
    /// Updates whose numbers have not been read from the device, oldest first.
    private var unread: [UnreadUpdate] = []
    /// When the last update was reported.
    private var reported = ContinuousClock.now
    /// Whether an update's numbers are read while the next one is computed. On the CPU they are there at once.
    var readsLate: Bool
    /// The last update with an evaluation.
    private var evaluatedStep: Int?
    /// Whether a process of the team is to stop, by what the last updates that were read say.
    private var anyStops = false

    private var model: CAMTLModel { trained.model }

    /// Told after each inexact scoring of candidates how many examples were picked, and how many of them exact scoring
    /// under the same dropout would have picked. It costs that scoring.
    var comparesPicks: ((_ picked: Int, _ equal: Int) -> Void)? {
        get { scorer.comparesPicks }
        set { scorer.comparesPicks = newValue }
    }

    /// - Parameters:
    ///   - trained: the model, which is changed.
    ///   - settings: how it is trained.
    ///   - tasks: those to train on, with their training sets.
    ///   - team: the processes that train it together; nil for one alone.
    ///   - shouldStop: asked after each update whether training is to stop there.
    ///   - report: told of each event; what it throws ends the run.
    /// - Throws: `TrainingError.noTrainingData`, `RunError.unknownMetric`, `TeamError`.
    public init(
        _ trained: TrainedModel, tasks: [TaskData], settings: TrainingSettings, team: Team? = nil,
        shouldStop: @escaping () -> Bool = { false }, report: @escaping (TrainingEvent) throws -> Void
    ) throws {
        guard tasks.contains(where: { $0.train != nil }) else { throw TrainingError.noTrainingData }
        self.trained = trained
        self.tasks = tasks
        self.settings = settings
        self.team = team
        self.shouldStop = shouldStop
        self.report = report
        dropout = settings.dropoutRates(trained.model.configuration)
        trained.model.productType = settings.mixedPrecision?.type
        for task in tasks where !task.definition.options.isEmpty || !trained.model.hasPlainKind(task.id) {
            trained.model.setKind(task.definition.kind.recorded, ofTask: task.id)
        }
        let device = trained.model.device
        readsLate = device != .cpu
        batches = BatchSource(tasks, settings: settings, share: team?.share ?? .whole, device: device)
        plan = StepPlan(settings, batchesPerEpoch: batches.batchesPerEpoch)
        var optimizer = settings.optimizer
        optimizer.lossScaler = optimizer.lossScaler ?? settings.mixedPrecision?.lossScaler
        updater = try Updater(
            trained.model, settings: optimizer, totalSteps: plan.totalSteps,
            keepsZeroGradients: settings.reproducesOriginal, team: team)
        scorer = CandidateScorer(model: trained.model, settings: settings, team: team)
        arithmetic = trained.model.arithmetic
        usage = ExampleUsage(
            tasks.compactMap { task in task.train.map { (task.id, task.definition.name, $0.count) } })
        figure = try BestFigure(settings.metricForBestModel, tasks: tasks.map(\.definition))
        best = BestModel(figure)
        identity = settings.identity(trained.model, tasks)
        weights = tasks.reduce(into: [:]) { weights, task in
            if task.definition.weight != 1 { weights[task.id] = task.definition.weight }
        }
        try seedRandomStream(settings.seed, on: device)
    }

    /// Makes the run go on from a checkpoint, whose weights the model has.
    ///
    /// - Throws: `ResumeError` if the checkpoint is damaged or of another run; `CheckpointError`.
    public func resume(from folder: URL) throws { try resume(from: folder, ResumeState.readWhole(from: folder)) }

    /// - Parameter state: the checkpoint's, whose files have been checked.
    func resume(from folder: URL, _ state: ResumeState) throws {
        let differences = differences(checkpoint: state.settings, run: identity)
        guard differences.isEmpty else {
            throw ResumeError.otherRun(path: folder.path, differences: differences)
        }
        if let problem = state.problem(plan: plan, batches: batches, usage: usage) {
            throw ResumeError.notWhole(path: folder.path, reason: "in its \(ResumeState.fileName), \(problem)")
        }
        history = try TrainerState.read(from: folder)
        try updater.restore(
            from: folder.appendingPathComponent(Trainer.optimizerFile), lossScaler: state.lossScaler,
            step: state.progress.step)
        try state.dropout.resume(on: model.device)
        batches.place = state.sampler
        scorer.state = state.scorer
        usage.records = state.usage
        (run, progress, log, highest) = (state.run, state.progress, state.log, state.highest)
        evaluatedStep = state.evaluatedStep
        // Another metric starts to look for the best anew.
        if state.best.metric == best.metric { best = state.best }
        try report(.resumed(step: progress.step, from: folder))
    }

    /// Refuses an output folder in which something else has the path of a checkpoint that the run may come to.
    ///
    /// - Throws: `FileWriteError`.
    func checkRoom(in outputDirectory: URL) throws {
        let first = progress.step + 1
        try Checkpoints(outputDirectory: outputDirectory).checkRoom(for: first..<max(first, plan.expectedSteps + 1))
    }

    /// Trains to the end, or until it is to stop, saving a checkpoint folder in `outputDirectory` every `saveSteps`
    /// updates.
    ///
    /// - Throws: `TrainingError.lossNotFinite` or `.gradientNotFinite`, before the model is changed by it;
    ///   `.stopped`, when a checkpoint is written; what saving and `report` throw.
    public func run(outputDirectory: URL) throws -> TrainingSummary {
        let checkpoints = Checkpoints(outputDirectory: outputDirectory)
        if team.writes { try checkpoints.begin(run: run) }
        try report(
            .started(
                TrainingPlan(
                    totalSteps: plan.expectedSteps, batchesPerEpoch: batches.batchesPerEpoch,
                    examples: usage.ordered.map(\.available).reduce(0, +), batchSize: settings.batchSize,
                    accumulationSteps: settings.accumulationSteps)))
        let clock = TrainingClock(before: progress.seconds)
        var pending = PendingUpdate()
        while !isFinished {
            for batch in progress.batch..<batches.batchesPerEpoch {
                try train(batch, &pending)
                guard plan.isDue(afterBatch: batch) else { continue }
                progress.step += 1
                progress.batch = batch + 1
                try update(&pending)
                if isEvaluationDue { try evaluate() }
                progress.seconds = clock.seconds
                try saveIfDue(checkpoints)
                if isFinished { break }
            }
            if isFinished { break }
            // Where it is epochs that are counted, this may be the end.
            try readUpdates()
            progress.epoch += 1
            progress.batch = 0
        }
        if isOutOfPatience, !plan.isFinished(step: progress.step, epoch: progress.epoch) {
            try report(
                .stoppedEarly(
                    EarlyStop(
                        step: progress.step, metric: best.metric, latest: best.latest,
                        best: best.value.flatMap { value in best.step.map { (value, $0) } },
                        evaluations: best.evaluationsSince)))
        }
        try finish(checkpoints)
        // The last evaluation may have been of another state of the model.
        let fitting = tasks.filter { $0.definition.kind.fitsDevSet }
        if !fitting.isEmpty { _ = try fit(fitting) }
        progress.seconds = clock.seconds
        history.recordEnd(summary(checkpoints))
        if team.writes { try history.write(summary(checkpoints), to: outputDirectory) }
        return TrainingSummary(
            steps: progress.step, epoch: epoch, examples: progress.examples, seconds: progress.seconds,
            meanLoss: progress.loss / Double(max(progress.step, 1)), usage: usage, highest: highest)
    }

    private var isFinished: Bool {
        isOutOfPatience || plan.isFinished(step: progress.step, epoch: progress.epoch)
    }

    /// Whether the evaluations were not the best for so long that training ends.
    private var isOutOfPatience: Bool {
        settings.earlyStoppingPatience.map { best.evaluationsSince >= $0 } ?? false
    }

    /// Epochs gone by, with their fraction.
    private var epoch: Double { Double(progress.epoch) + Double(progress.batch) / Double(batches.batchesPerEpoch) }

    /// Adds the gradient of the next batch.
    private func train(_ batch: Int, _ pending: inout PendingUpdate) throws {
        let number = progress.epoch * batches.batchesPerEpoch + batch
        try team?.dropoutPlace(batch: number, seed: settings.seed).resume(on: model.device)
        let (examples, input): ([ExampleReference], TrainingBatch)
        switch batches.next() {
        case .batch(let drawn, let batch): (examples, input) = (drawn, batch)
        case .candidates(let pool):
            let picks = try scorer.pick(pool, tasks: tasks, dropout: dropout)
            (examples, input) = (picks.examples, batches.batch(of: picks.examples))
            pending.add(entropies: picks.entropies)
            let scored = pool.pieces.map(\.tokens)
            pending.operations +=
                arithmetic.operations(
                    lengths: scored.flatMap(\.lengths), taskIDs: scored.flatMap(\.taskIDs)
                ).forward
        }
        let output = try model(
            input.tokens, dropout: dropout, sequence: settings.readsEveryPosition,
            recomputesLayers: settings.checkpointsGradients)
        let loss = try output.loss(
            targets: input.targets, configuration: model.configuration,
            wholeBatch: team == nil ? nil : input.wholeBatch, weights: weights)
        try updater.accumulate(
            loss.total, share: input.isStandIn ? 0 : plan.share(ofBatch: batch), isLast: plan.isDue(afterBatch: batch))
        pending.examples += examples
        try pending.add(loss, of: input)
        guard !input.isStandIn else { return }
        pending.tokens += input.tokens.inputIDs.count
        pending.operations +=
            arithmetic.operations(lengths: input.tokens.lengths, taskIDs: input.tokens.taskIDs).total
    }

    /// Applies the gradients that are there, and reports what is known.
    private func update(_ pending: inout PendingUpdate) throws {
        // Where the losses are there, they tell whether the update is to be made at all.
        if !readsLate { try read(&pending, step: progress.step) }
        let step = try updater.queueStep()
        usage.record(pending.examples)
        if !step.isSkipped { trained.recordTraining(of: pending.examples.map(\.task)) }
        unread.append(UnreadUpdate(pending: pending, step: step, number: progress.step, epoch: epoch))
        pending = PendingUpdate()
        try readUpdates(leaving: readsLate && !isLogDue(progress.step) && !isEvaluationDue ? 1 : 0)
    }

    /// Reads and reports the updates that have not been, but for the newest.
    private func readUpdates(leaving count: Int = 0) throws {
        while unread.count > count {
            var update = unread.removeFirst()
            if readsLate { try read(&update.pending, step: update.number) }
            try report(update)
        }
    }

    /// Reads what the batches' losses are, over all processes.
    private func read(_ pending: inout PendingUpdate, step: Int) throws {
        try pending.read(value)
        if let team { anyStops = try pending.sum(over: team, stops: shouldStop()) || anyStops }
        let names = model.configuration.tasks.map(\.name)
        if let (loss, tasks) = pending.notFinite {
            throw TrainingError.lossNotFinite(step: step, loss: loss, tasks: tasks.map { names[$0] })
        }
    }

    /// Waits for numbers of the device's.
    private func value(_ readback: Readback) throws -> Tensor {
        guard let team else { return try readback.tensor() }
        return try team.exchange { try readback.tensor(timeout: team.timeout) }
    }

    private func isLogDue(_ step: Int) -> Bool {
        (settings.logsFirstStep && step == 1) || step % settings.loggingSteps == 0
            || (step == progress.step && isFinished)
    }

    private func report(_ update: UnreadUpdate) throws {
        let step = Updater.Step(
            learningRate: update.step.learningRate, gradientNorm: try update.step.gradientNorm(value),
            isSkipped: update.step.isSkipped)
        if step.isSkipped, let scaler = updater.lossScaler {
            try report(.skipped(step: update.number, lossScale: scaler.scale))
        }
        let stepReport = update.pending.report(
            step, at: (update.number, update.epoch),
            seconds: (ContinuousClock.now - max(update.pending.start, reported)).seconds,
            names: model.configuration.tasks.map(\.name))
        reported = .now
        progress.examples += stepReport.examples
        progress.tokens += stepReport.tokens
        progress.loss += stepReport.loss
        try report(.stepped(stepReport))
        log.add(stepReport)
        guard isLogDue(update.number) else { return }
        let logReport = log.report(stepReport)
        history.record(logReport)
        try report(.logged(logReport))
    }

    // MARK: - Evaluation

    private var isEvaluationDue: Bool {
        guard let interval = settings.evaluationSteps else { return false }
        return progress.step % interval == 0 || (settings.logsFirstStep && progress.step == 1)
    }

    private func evaluate() throws {
        let evaluation = try fit(tasks)
        scorer.modelWasEvaluated()
        evaluatedStep = progress.step
        best.record(evaluation, step: progress.step, figure: figure)
        highest = evaluation.highest(over: highest.map { [$0] } ?? [])
        history.record(evaluation, step: progress.step, epoch: epoch)
        try report(.evaluated(step: progress.step, evaluation))
    }

    /// Evaluates tasks, with what their options leave to the dev sets, which the model then has.
    private func fit(_ tasks: [TaskData]) throws -> EvaluationReport {
        let (report, kinds) = try Evaluator(
            model: model, batchSize: settings.evaluationBatchSize, precision: settings.evaluationPrecision, team: team
        ).fit(tasks)
        for (task, kind) in kinds { model.setKind(kind.recorded, ofTask: task) }
        return report
    }

    // MARK: - Checkpoints

    private static let optimizerFile = "optimizer.safetensors"

    private func saveIfDue(_ checkpoints: Checkpoints) throws {
        let isBest = settings.loadsBestModelAtEnd && best.step == progress.step
        let stops = !isFinished && (team == nil ? shouldStop() : anyStops)
        guard stops || isBest || progress.step % settings.saveSteps == 0 else { return }
        try save(checkpoints)
        if stops {
            throw TrainingError.stopped(step: progress.step, checkpoint: checkpoints.folder(step: progress.step))
        }
    }

    private func save(_ checkpoints: Checkpoints) throws {
        try readUpdates()
        guard team.writes else { return }
        let folder = checkpoints.folder(step: progress.step)
        try writeFolderAtomically(to: folder, replacing: Checkpoints.isOurs) { draft in
            try trained.write(to: draft)
            try updater.save(to: draft.appendingPathComponent(Trainer.optimizerFile))
            try history.write(summary(checkpoints), to: draft)
            try ResumeState(
                run: run, settings: identity, progress: progress, dropout: .current(on: model.device),
                lossScaler: updater.lossScaler, sampler: batches.place, scorer: scorer.state, usage: usage.records,
                log: log, best: best, evaluatedStep: evaluatedStep,
                highest: settings.reproducesOriginal ? highest : nil
            ).write(to: draft)
        }
        try report(.saved(folder))
        if let limit = settings.saveTotalLimit {
            try checkpoints.rotate(limit: limit, newest: progress.step, best: best.step, run: run)
        }
    }

    /// Leaves the model as the best checkpoint has it, if that is wanted.
    private func finish(_ checkpoints: Checkpoints) throws {
        guard settings.loadsBestModelAtEnd else { return }
        if evaluatedStep != progress.step {
            try evaluate()
            if best.step == progress.step { try save(checkpoints) }
        }
        guard let step = best.step else { return try report(.noBest(metric: best.metric, step: progress.step)) }
        guard step != progress.step else { return }
        let folder = checkpoints.folder(step: step)
        // It may have been written only now.
        try team?.meet()
        do {
            try ResumeState.read(from: folder).checkFiles(in: folder) {
                $0 != Trainer.optimizerFile && $0 != TrainerState.fileName
            }
        } catch ResumeError.notWhole(let path, let reason) {
            // What has been trained since is not lost with it.
            let last = checkpoints.folder(step: progress.step)
            if !FileManager.default.fileExists(atPath: last.path) { try save(checkpoints) }
            throw ResumeError.bestNotWhole(path: path, reason: reason, last: last.path)
        }
        try trained.reload(from: folder)
        try report(.loadedBest(step: step, from: folder))
    }

    /// The best evaluation's update, if the settings make a checkpoint of it.
    private var savedBestStep: Int? {
        best.step.flatMap { settings.loadsBestModelAtEnd || $0 % settings.saveSteps == 0 ? $0 : nil }
    }

    private func summary(_ checkpoints: Checkpoints) -> TrainerState.Summary {
        let weights = model.namedParameters().filter { !$0.name.contains("embeddings") }
        return TrainerState.Summary(
            progress: progress, epoch: epoch, best: best,
            bestFolder: savedBestStep.map(checkpoints.folder), plan: plan, settings: settings,
            floatingPointOperations: 6 * Double(progress.tokens)
                * Double(weights.map(\.parameter.elementCount).reduce(0, +)))
    }
}

/// An update that is made, or that a device has been given to make, and that is not reported yet.
private struct UnreadUpdate {
    var pending: PendingUpdate
    let step: QueuedStep
    /// The update's number, from 1.
    let number: Int
    let epoch: Double
}

/// Time that goes on from that of earlier runs.
private struct TrainingClock {
    private let before: Double
    private let start = ContinuousClock.now

    init(before: Double) { self.before = before }

    var seconds: Double { before + (ContinuousClock.now - start).seconds }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
