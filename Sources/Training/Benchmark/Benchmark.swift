import CAMTL
import Foundation
import Tasks
import Tokenization
import Torch

/// What is measured of a run, and how long.
public struct BenchmarkSettings: Sendable {
    /// What can be measured besides the GEMM peak.
    public enum Part: String, Sendable, CaseIterable {
        case training, evaluation, tokenizer
    }

    public var parts = Set(Part.allCases)
    /// Training steps that are measured.
    public var steps = 20
    /// Training steps before them, at least 1.
    public var warmupSteps = 3
    /// Training steps under inexact uncertainty sampling after which its picks are compared with those of exact
    /// scoring; 0 compares none.
    public var comparedSteps = 0
    /// The rows of dev sets that are evaluated, about: the sets' shares of them are rounded up.
    public var evaluationExamples = 2048
    /// The rows of each training set that are tokenized, at most.
    public var tokenizerRows = 10_000
    /// How many tasks there are: those of the run, and then copies of them under other names. nil makes no copies.
    public var taskCount: Int?
    /// Where the training batches are written, those before the measured ones, too: a list of rows a line.
    public var batchesFile: URL?
    /// Where the rows that are evaluated are written: a row a line.
    public var evaluationFile: URL?
    /// Where the texts that are tokenized are written, as `Predictor` takes them: a row a line.
    public var textsFile: URL?

    public init() {}
}

public enum BenchmarkError: Error, CustomStringConvertible, Sendable {
    /// The batches depend on what the model says.
    case batchesNotKnown
    /// The copies of tasks would need a new model.
    case tooFewTasks(count: Int, tasks: Int)

    public var description: String {
        switch self {
        case .batchesNotKnown:
            "--write_batches: under uncertainty sampling the batches depend on what the model says of the candidates; "
                + "give another --sampling"
        case .tooFewTasks(let count, let tasks):
            "--task_count is \(count), and the run has \(tasks) tasks already; name fewer of them with --tasks"
        }
    }
}

/// Measures this machine for a run's model and data: the loop, the evaluation and the tokenizer that runs use, in this
/// process. It trains the model that it loaded, and writes nothing but the feature cache and the files it is asked for.
public struct Benchmark {
    let settings: BenchmarkSettings
    let configuration: RunConfiguration
    private let run: Run

    /// - Parameters:
    ///   - configuration: the run; whether it trains or evaluates is the benchmark's affair.
    ///   - settings: what is measured.
    ///   - report: told of the run's events as it loads model and data.
    public init(
        _ configuration: RunConfiguration, settings: BenchmarkSettings, report: @escaping (RunEvent) throws -> Void
    ) {
        var configuration = configuration
        // Without training, too, a pretrained encoder is measured as one that gets new decoders.
        configuration.trains = true
        configuration.evaluates = settings.parts.contains(.evaluation)
        configuration.predicts = false
        if settings.taskCount != nil {
            configuration.taskNames = configuration.taskNames ?? GLUE.tasks.map(\.name)
        }
        self.configuration = configuration
        self.settings = settings
        run = Run(configuration, report: report)
    }

    /// - Throws: `BenchmarkError`, and the errors of loading, training and writing.
    public func callAsFunction() throws -> BenchmarkReport {
        let samplings = samplings
        if settings.batchesFile != nil, configuration.training.sampling.picksCandidates {
            throw BenchmarkError.batchesNotKnown
        }
        let copies = try copiedTasks()
        let trained = try run.loadModel(from: configuration.modelFolder, extraTasks: copies.map(\.head))
        let tasks = withCopies(copies, try run.loadData(trained), of: trained)
        let model = trained.model.configuration
        var report = BenchmarkReport(
            machine: .current, device: "\(trained.model.device)",
            products: configuration.training.mixedPrecision?.rawValue ?? "fp32", libtorch: libtorchVersion,
            instructions: instructionSet, threads: threadCount,
            encoderType: model.encoderType.rawValue,
            parameters: trained.model.namedParameters().map(\.parameter.elementCount).reduce(0, +),
            tasks: model.tasks.map(\.name), maxSequenceLength: model.maxSequenceLength, gemmPeak: 0)
        if settings.parts.contains(.training) {
            for sampling in samplings {
                let training = try measureTraining(trained, tasks, sampling) {
                    report.secondsToFirstStep = report.secondsToFirstStep ?? ProcessFigures.age
                }
                report.training.append(training)
            }
            report.picks = try comparePicks(trained, tasks)
            report.peakMemoryOfTraining = ProcessFigures.peakMemory
            try writeBatches(tasks)
        }
        report.gemmPeak = try gemmPeak()
        if settings.parts.contains(.evaluation) { report.evaluation = try measureEvaluation(trained.model, tasks) }
        if settings.parts.contains(.tokenizer) {
            let own = Set(copies.map(\.definition.name))
            report.tokenizer = try measureTokenizer(
                trained.tokenizer, maxLength: model.maxSequenceLength,
                tasks: tasks.map(\.definition).filter { !own.contains($0.name) })
        }
        // The machine may have been busy the first time.
        report.gemmPeak = max(report.gemmPeak, try gemmPeak())
        report.peakMemory = ProcessFigures.peakMemory
        report.peakDeviceMemory = trained.model.device.peakMemory
        return report
    }

    /// Of the run's device, in the type that its layers compute products in.
    private func gemmPeak() throws -> Double {
        try Benchmark.gemmPeak(
            on: configuration.model.device, configuration.training.mixedPrecision?.type ?? .float32)
    }

    // MARK: - Training

    /// The run's, and beside uncertainty sampling what a step of the same batch costs without it.
    private var samplings: [Sampling] {
        guard case .uncertainty(let share, _, _, _) = configuration.training.sampling else {
            return [configuration.training.sampling]
        }
        return [.uniform(share: share), configuration.training.sampling]
    }

    /// The run's training without checkpoints and logs.
    private var quietTraining: TrainingSettings {
        var training = configuration.training
        (training.saveSteps, training.loggingSteps) = (.max, .max)
        return training
    }

    private func measureTraining(
        _ trained: TrainedModel, _ tasks: [TaskData], _ sampling: Sampling, started: @escaping () -> Void
    ) throws -> BenchmarkReport.Training {
        var training = quietTraining
        training.sampling = sampling
        // A device's step is heard of only when the next one is queued, so the last measured one needs one behind it.
        let unmeasured = trained.model.device == .cpu ? 0 : 1
        training.maxSteps = settings.warmupSteps + settings.steps + unmeasured
        var ends: [ContinuousClock.Instant] = []
        var steps: [StepReport] = []
        let trainer = try Trainer(trained, tasks: tasks, settings: training) { event in
            switch event {
            case .started: started()
            case .stepped(let step):
                ends.append(.now)
                steps.append(step)
            default: break
            }
        }
        try withTemporaryFolder { _ = try trainer.run(outputDirectory: $0) }
        let measured = settings.warmupSteps..<settings.warmupSteps + settings.steps
        return BenchmarkReport.Training(
            sampling: sampling.name, batchSize: training.batchSize * training.accumulationSteps,
            seconds: measured.map { (ends[$0] - ends[$0 - 1]).seconds }, examples: measured.map { steps[$0].examples },
            tokens: measured.map { steps[$0].tokens }, operations: measured.map { steps[$0].floatingPointOperations })
    }

    /// Trains, and compares what is picked with what exact scoring would pick.
    private func comparePicks(_ trained: TrainedModel, _ tasks: [TaskData]) throws -> BenchmarkReport.Picks? {
        guard settings.comparedSteps > 0, case .uncertainty = configuration.training.sampling else { return nil }
        var training = quietTraining
        training.maxSteps = settings.comparedSteps
        var picks = BenchmarkReport.Picks(steps: training.maxSteps ?? 0, picked: 0, equal: 0)
        let trainer = try Trainer(trained, tasks: tasks, settings: training) { _ in }
        trainer.comparesPicks = {
            picks.picked += $0
            picks.equal += $1
        }
        try withTemporaryFolder { _ = try trainer.run(outputDirectory: $0) }
        return picks
    }

    /// Lends a folder for the marks of a run.
    private func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    /// Writes the batches that training is going to draw.
    private func writeBatches(_ tasks: [TaskData]) throws {
        guard let file = settings.batchesFile else { return }
        let training = configuration.training
        let byID = Dictionary(uniqueKeysWithValues: tasks.map { ($0.id, $0) })
        let source = BatchSource(tasks, settings: training)
        let count = (settings.warmupSteps + settings.steps) * training.accumulationSteps
        let batches = (0..<count).lazy.map { _ -> [BenchmarkRows.Row] in
            guard case .batch(let examples, _) = source.next() else { return [] }
            return examples.compactMap { example in
                guard let task = byID[example.task], let features = task.train else { return nil }
                return BenchmarkRows.Row(features, at: example.index, task: task.definition.name)
            }
        }
        try BenchmarkRows.write(batches, to: file)
    }

    // MARK: - Tasks

    /// The copies of the run's tasks that the benchmark adds, with their numbers in its list.
    private func copiedTasks() throws -> [TaskCopy] {
        guard let count = settings.taskCount, let names = configuration.taskNames else { return [] }
        guard count >= names.count else { throw BenchmarkError.tooFewTasks(count: count, tasks: names.count) }
        return try (names.count..<count).map { number in
            var definition = try configuration.catalogue.task(named: names[number % names.count])
            definition.name += "-\(number / names.count + 1)"
            return TaskCopy(definition: definition, original: number % names.count, id: number)
        }
    }

    private struct TaskCopy {
        var definition: TaskDefinition
        /// The position in the run's list.
        var original: Int
        var id: Int
        var head: TaskHead { definition.head }
    }

    private func withCopies(_ copies: [TaskCopy], _ tasks: [TaskData], of trained: TrainedModel) -> [TaskData] {
        tasks
            + copies.map { copy in
                var task = tasks[copy.original]
                (task.definition, task.id) = (copy.definition, copy.id)
                return task
            }
    }
}
