import CAMTL
import Files
import Foundation
import Tasks
import Tokenization
import Torch

/// What a run is to do, from raw files to a trained and evaluated model.
public struct RunConfiguration: Sendable {
    /// The folder of a trained model or a pretrained encoder.
    public var modelFolder: URL
    /// What is made of the model's folder; its tasks are ignored in favour of `taskNames`.
    public var model = TrainedModel.Request()
    /// In their order; nil takes a trained model's tasks, and for a new model all of GLUE's.
    public var taskNames: [String]?
    /// What the names mean.
    public var catalogue = TaskCatalogue.builtIn
    /// The folder with GLUE's data; nil where no task is one of its.
    public var dataDirectory: URL?
    /// Where the model, the figures and the predictions go. Needed for training and for predicting.
    public var outputDirectory: URL?
    public var overwritesOutput = false
    /// nil starts anew.
    public var resumes: Resume?
    /// Where encoded examples are kept from run to run.
    public var cacheDirectory: URL
    public var overwritesCache = false
    /// How many rows of each training set, each dev set and each test set are used at most; nil is all.
    public var trainingLimit: ExampleLimit?
    public var evaluationLimit: ExampleLimit?
    public var predictionLimit: ExampleLimit?
    public var trains = false
    public var evaluates = false
    /// Whether the test sets are predicted and a submission is written, into the output directory.
    public var predicts = false
    /// Whether probabilities and logits are written beside the predictions.
    public var predictsProbabilities = false
    /// Where TensorBoard's event files go; nil writes none.
    public var loggingDirectory: URL?
    public var freezing: FreezeRange?
    /// Whether nothing trains but the embeddings and decoders of tasks that the model doesn't know.
    public var trainsOnlyNewTasks = false
    public var training = TrainingSettings()
    /// The settings as they are saved with a training run; nothing is read from them.
    public var record = SettingsRecord()

    /// Where a run that was stopped goes on from.
    public enum Resume: Sendable, Equatable {
        /// The newest checkpoint in the output folder; from the beginning if there is none yet.
        case newest
        /// A checkpoint's folder.
        case checkpoint(URL)
    }

    public init(modelFolder: URL, dataDirectory: URL?, cacheDirectory: URL) {
        self.modelFolder = modelFolder
        self.dataDirectory = dataDirectory
        self.cacheDirectory = cacheDirectory
    }

    /// The run's settings, with those that the model decides.
    public func record(of model: ModelConfiguration) -> SettingsRecord {
        var record = record
        record.fill("encoder_type", with: .text(model.encoderType.rawValue))
        record.fill("max_seq_length", with: .integer(model.maxSequenceLength))
        record.fill("tasks", with: .list(model.tasks.map(\.name)))
        return record
    }
}

/// What a run tells whoever renders it.
public enum RunEvent: Sendable {
    /// What the model computes on.
    case computing(on: Device)
    case loaded(ModelConfiguration, LoadReport)
    /// A checkpoint that can't be gone on from, and why.
    case passedOver(URL, reason: String)
    /// A checkpoint that is gone on from is of the first format: whether its files are as they were written can be
    /// told by their sizes alone.
    case withoutChecksums(URL)
    /// There is nothing to go on from: training starts at the beginning.
    case nothingToResume
    case frozen(FreezeReport)
    /// A new task's embedding starts as that of a known one, under which its training set's loss is the lowest.
    case placed(task: String, near: String, loss: Double)
    case encoded(set: String, split: Split, examples: Int, skippedRows: Int, FeatureSet.Origin)
    /// A task is evaluated on a file that it is trained on.
    case evaluatesOnTraining(task: String, path: String)
    case training(TrainingEvent)
    case trained(TrainingSummary)
    case saved(URL)
    /// The evaluation of the run begins.
    case evaluating
    case evaluated(EvaluationReport)
    /// The test sets' predictions, and the output folder they were written to.
    case predicted(Submission, output: URL)
}

public enum RunError: Error, CustomStringConvertible, Sendable {
    case outputNotEmpty(path: String)
    case outputUnusable(path: String, reason: String)
    /// Another run is writing there.
    case outputInUse(path: String)
    /// The checkpoints of the output folder can't be gone on from.
    case noUsableCheckpoint(path: String, reason: String)
    case nothingToDo
    /// Nothing but new tasks is to train, and there are none.
    case noNewTasks(String)
    /// The encoder has no token type for a second text, which these tasks have.
    case encoderTakesNoPairs(path: String, tasks: [String])
    /// None of the run's test sets can be predicted.
    case nothingToPredict(reasons: [String])
    /// No figure of the tasks' evaluation has that name.
    case unknownMetric(name: String, nearest: String?, known: [String])

    public var description: String {
        switch self {
        case .outputNotEmpty(let path):
            "the output folder \(path) is not empty; name another --output_dir, or give --overwrite_output_dir, or "
                + "--resume_from_checkpoint to go on with the run in it"
        case .outputUnusable(let path, let reason): "the output folder \(path) can't be used: \(reason)"
        case .outputInUse(let path): "the output folder \(path) is in use by another run"
        case .noUsableCheckpoint(let path, let reason):
            "the output folder \(path) has no checkpoint to go on from: \(reason)"
        case .encoderTakesNoPairs(let path, let tasks):
            "\(path): config.json's type_vocab_size is 1, so that the encoder has no token type for the second text of "
                + "\(tasks.joined(separator: ", ")): leave these --tasks out, or use another encoder"
        case .noNewTasks(let reason): "there are no new tasks to train: \(reason)"
        case .nothingToDo: "there is nothing to do: give --do_train, --do_eval or --do_predict"
        case .nothingToPredict(let reasons): "there is nothing to predict: \(reasons.joined(separator: "\n"))"
        case .unknownMetric(let name, let nearest, let known):
            "--metric_for_best_model \(name): "
                + (nearest.map { "did you mean \($0)? The" } ?? "there is no such figure; the")
                + " figures of this run are \(known.joined(separator: ", "))"
        }
    }
}

/// Runs a configuration.
public struct Run {
    let configuration: RunConfiguration
    let team: Team?
    private let shouldStop: () -> Bool
    let report: (RunEvent) throws -> Void
    private let held = Held()

    /// - Parameters:
    ///   - configuration: what is to be done.
    ///   - team: the processes that do it together, each with the same configuration; nil for one alone.
    ///   - shouldStop: asked after each update whether training is to stop there, with a checkpoint.
    ///   - report: told of each event; what it throws ends the run.
    public init(
        _ configuration: RunConfiguration, team: Team? = nil, shouldStop: @escaping () -> Bool = { false },
        report: @escaping (RunEvent) throws -> Void
    ) {
        self.configuration = configuration
        self.team = team
        self.shouldStop = shouldStop
        self.report = report
    }

    /// - Throws: `RunError` and the errors of the stages, all of them with a message for the user. Everything that
    ///   can be checked is, before anything is written to the output folder.
    public func execute() throws {
        guard configuration.trains || configuration.evaluates || configuration.predicts else {
            throw RunError.nothingToDo
        }
        try withExtendedLifetime(held) { try executeStages() }
    }

    private func executeStages() throws {
        if team.writes, let output = configuration.outputDirectory { try checkOutput(output) }
        let checkpoint = try checkpointToResume()
        if checkpoint?.state.isOfOldFormat == true, let folder = checkpoint?.folder {
            try report(.withoutChecksums(folder))
        }
        let trained = try loadModel(from: checkpoint?.folder ?? configuration.modelFolder)
        // What rank 0 has encoded, the others find in the cache, if they see it.
        var tasks = try team?.firstThenOthers { try loadData(trained) } ?? loadData(trained)
        if team.writes { try checkPrediction(trained, tasks) }
        try team?.checkAgreement(identity(trained, tasks))
        var summary: TrainingSummary?
        if configuration.trains, let output = configuration.outputDirectory {
            if checkpoint == nil { try placeNewTasks(trained, tasks) }
            summary = try train(trained, tasks, from: checkpoint, output: output)
            tasks = try trainedTasks(tasks, trained)
        }
        if configuration.evaluates {
            let earlier = configuration.training.reproducesOriginal ? summary?.highest : nil
            try evaluate(trained, tasks, earlier: earlier.map { [$0] } ?? [])
        }
        if configuration.predicts, let output = configuration.outputDirectory {
            try predict(trained, tasks, output: output)
        }
    }

    /// Gives new tasks the embeddings of the known ones that suit them best, where that is wanted.
    private func placeNewTasks(_ trained: TrainedModel, _ tasks: [TaskData]) throws {
        let configuration = trained.model.configuration
        guard self.configuration.model.newTaskEmbedding == .nearest, configuration.encoderType != .bert,
            let known = try ConfigurationFile(folder: self.configuration.modelFolder).trained?.tasks.map(\.name)
        else { return }
        let candidates = configuration.tasks.indices.filter { known.contains(configuration.tasks[$0].name) }
        let evaluator = Evaluator(
            model: trained.model, batchSize: self.configuration.training.evaluationBatchSize, team: team)
        for task in tasks where !known.contains(task.definition.name) {
            guard let train = task.train else { continue }
            let rows = Run.rowsToPlaceBy.part(of: train, task.definition.name, seed: self.configuration.training.seed)
            let losses = try candidates.map { candidate in
                try trained.model.setEmbedding(ofTask: task.id, asOf: candidate)
                return try evaluator.loss(of: rows, task)
            }
            guard let best = losses.indices.min(by: { losses[$0] < losses[$1] }) else { continue }
            try trained.model.setEmbedding(ofTask: task.id, asOf: candidates[best])
            try report(
                .placed(task: task.definition.name, near: configuration.tasks[candidates[best]].name, loss: losses[best]))
        }
    }

    /// Rows of a training set that tell the embeddings of known tasks apart well enough.
    private static let rowsToPlaceBy = ExampleLimit.rows(1024)

    /// All that decides what the run computes, the weights it begins with included.
    private func identity(_ trained: TrainedModel, _ tasks: [TaskData]) throws -> [String: String] {
        var identity = configuration.training.identity(trained.model, tasks)
        for task in tasks {
            for (name, features) in task.dev + task.test {
                identity["data of \(name) to evaluate and predict"] = String(features.identity.prefix(16))
            }
        }
        let training = configuration.training
        identity["the model's weights"] = try trained.model.checksum()
        identity["per_device_eval_batch_size"] = "\(training.evaluationBatchSize)"
        identity["eval_precision"] = training.evaluationPrecision.rawValue
        // What is frozen, and when all of them evaluate or save, decide what they exchange next.
        identity["freeze_encoder_layers"] = configuration.freezing.map { "\($0.layers)" } ?? "-"
        identity["gradient_checkpointing"] = "\(training.checkpointsGradients)"
        identity["do_train, do_eval, do_predict"] =
            [configuration.trains, configuration.evaluates, configuration.predicts].map { "\($0)" }
            .joined(separator: ", ")
        identity["save_steps"] = "\(training.saveSteps)"
        identity["logging_steps"] = "\(training.loggingSteps)"
        identity["logging_first_step"] = "\(training.logsFirstStep)"
        identity["evaluate_during_training"] = "\(training.evaluationSteps != nil)"
        identity["metric_for_best_model"] = training.metricForBestModel
        identity["load_best_model_at_end"] = "\(training.loadsBestModelAtEnd)"
        identity["early_stopping_patience"] = training.earlyStoppingPatience.map { "\($0)" } ?? "-"
        return identity
    }

    /// A checkpoint whose files are whole, with its state.
    private typealias Checkpoint = (folder: URL, state: ResumeState)

    /// The checkpoint that training goes on from: the one that is named, or the newest whole one of the last run in the
    /// output folder. Each process checks what it is going to read.
    private func checkpointToResume() throws -> Checkpoint? {
        guard configuration.trains, let resumes = configuration.resumes, let output = configuration.outputDirectory
        else { return nil }
        if case .checkpoint(let folder) = resumes { return (folder, try ResumeState.readWhole(from: folder)) }
        guard let team else { return try newestCheckpoint(in: output) }
        // The others may look a moment later, when there is one more.
        var newest: Checkpoint?
        let path = try team.told("checkpoint") {
            newest = try newestCheckpoint(in: output)
            return newest?.folder.path ?? ""
        }
        if team.isFirst || path.isEmpty { return newest }
        let folder = URL(fileURLWithPath: path)
        return (folder, try ResumeState.readWhole(from: folder))
    }

    private func newestCheckpoint(in output: URL) throws -> Checkpoint? {
        var reasons: [String] = []
        let newest = try Checkpoints(outputDirectory: output).newest { folder, reason in
            try report(.passedOver(folder, reason: reason))
            reasons.append("\(folder.lastPathComponent): \(reason)")
        }
        if let newest { return newest }
        guard reasons.isEmpty else {
            throw RunError.noUsableCheckpoint(path: output.path, reason: reasons.joined(separator: "; "))
        }
        try report(.nothingToResume)
        return nil
    }

    /// Refuses a folder that can't be written to and, for training, one that has something in it.
    private func checkOutput(_ folder: URL) throws {
        let files = FileManager.default
        func unusable(_ reason: String) -> RunError { .outputUnusable(path: folder.path, reason: reason) }
        // What is there of the path decides whether the rest can be made.
        var existing = folder
        var isFolder: ObjCBool = false
        while !files.fileExists(atPath: existing.path, isDirectory: &isFolder), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        guard isFolder.boolValue else { throw unusable("\(existing.path) is a file") }
        guard files.isWritableFile(atPath: existing.path) else { throw unusable("\(existing.path) is not writable") }
        guard existing == folder else { return }
        try checkUnused(folder)
        guard configuration.trains else { return }
        try TrainedModel.checkReplaceable(folder)
        for name in [SettingsRecord.fileName, Checkpoints.markName, TrainerState.fileName] {
            try checkReplaceable(folder.appendingPathComponent(name))
        }
    }

    /// Refuses a folder, which exists, that has something in it, for a training that is to begin in an empty one.
    private func checkUnused(_ folder: URL) throws {
        guard configuration.trains, !configuration.overwritesOutput, configuration.resumes == nil else { return }
        if try !FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty {
            throw RunError.outputNotEmpty(path: folder.path)
        }
    }

    /// Makes the output folder if need be, and keeps other runs out of it as long as this one lives.
    func openOutput(_ folder: URL) throws {
        guard held.lock == nil else { return }
        try makeFolder(folder)
        guard let lock = try FolderLock(folder) else { throw RunError.outputInUse(path: folder.path) }
        held.lock = lock
    }

    private final class Held { var lock: FolderLock? }

    /// Loads the model when it has seen that the files of its tasks are there: a large one takes a while.
    ///
    /// - Parameter extraTasks: a new model's tasks besides those of the configuration.
    func loadModel(from folder: URL, extraTasks: [TaskHead] = []) throws -> TrainedModel {
        var request = configuration.model
        // A checkpoint of the run is without them already.
        if folder != configuration.modelFolder { request.droppedTasks = [] }
        let known = try ConfigurationFile(folder: folder).trained?.tasks
        var tasks = try configuration.taskNames?.map { name in
            try configuration.catalogue.task(named: name, in: known?.first { $0.name == name })
        }
        if tasks == nil, configuration.trains, known == nil { tasks = GLUE.tasks }
        let all = try tasks ?? known?.map { try configuration.catalogue.task(named: $0.name, in: $0) } ?? []
        // Those that a trained model doesn't have are the model's to refuse.
        let isKnown = { (task: TaskDefinition) in known?.contains { $0.name == task.name } ?? true }
        try checkFiles(of: configuration.trains ? all : all.filter(isKnown))
        request.addsTasks = configuration.trains
        request.tasks = tasks?.map(\.head)
        request.mustBeTrained = !configuration.trains
        request.productType = configuration.training.mixedPrecision?.type
        request.tasks?.append(contentsOf: extraTasks)
        try report(.computing(on: request.device))
        let trained = try TrainedModel(folder: folder, request)
        try report(.loaded(trained.model.configuration, trained.loading))
        let frozen =
            configuration.trains && configuration.trainsOnlyNewTasks
            ? try trained.model.trainOnly(newTasks(of: trained.model.configuration))
            : try trained.model.freeze(
                configuration.freezing, asOriginal: configuration.training.reproducesOriginal)
        try report(.frozen(frozen))
        return trained
    }

    /// The positions of a model's tasks that the model which the run begins with doesn't know.
    private func newTasks(of model: ModelConfiguration) throws -> [Int] {
        guard let known = try ConfigurationFile(folder: configuration.modelFolder).trained?.tasks.map(\.name) else {
            throw RunError.noNewTasks("--model_name_or_path is no trained model, whose tasks would stay as they are")
        }
        let new = model.tasks.indices.filter { !known.contains(model.tasks[$0].name) }
        guard !new.isEmpty else {
            throw RunError.noNewTasks("--tasks names none that the model doesn't know; its tasks are \(known.joined(separator: ", "))")
        }
        return new
    }

    /// Whether the dev sets are evaluated at some time.
    private var needsDev: Bool {
        configuration.evaluates || configuration.trains && configuration.training.evaluationSteps != nil
    }

    /// Refuses tasks whose files are missing.
    private func checkFiles(of tasks: [TaskDefinition]) throws {
        for task in tasks {
            let isSplit = task.devShare != nil
            let train = configuration.trains || needsDev && isSplit ? [task.train] : []
            for file in train + (needsDev && !isSplit ? task.dev : []) {
                _ = try file.urls(in: configuration.dataDirectory)
            }
        }
        if configuration.predicts, !tasks.isEmpty { try checkTestFiles(of: tasks) }
    }

    /// The rows of a set that are used: those of training and dev sets are drawn, of a test set the first.
    private func limited(_ features: FeatureSet, _ name: String, _ split: Split) -> FeatureSet {
        let seed = configuration.training.seed
        return switch split {
        case .train: configuration.trainingLimit?.part(of: features, "\(name) train", seed: seed) ?? features
        case .dev: configuration.evaluationLimit?.part(of: features, "\(name) dev", seed: seed) ?? features
        case .test: configuration.predictionLimit?.part(of: features, name, seed: nil) ?? features
        }
    }

    /// The examples of the run's tasks, encoded.
    func loadData(_ trained: TrainedModel) throws -> [TaskData] {
        let model = trained.model.configuration
        let cache = FeatureCache(
            directory: configuration.cacheDirectory, tokenizer: trained.tokenizer,
            maxSequenceLength: model.maxSequenceLength)
        func features(_ task: TaskDefinition, _ file: DataFile) throws -> FeatureSet {
            try cache.features(
                of: task, in: file, dataDirectory: configuration.dataDirectory,
                overwrite: configuration.overwritesCache)
        }
        func reported(_ set: String, _ split: Split, _ all: FeatureSet) throws -> FeatureSet {
            let features = limited(all, set, split)
            try report(
                .encoded(
                    set: set, split: split, examples: features.count, skippedRows: features.skippedRows,
                    features.origin))
            return features
        }
        func checkApart(_ task: TaskDefinition) throws {
            let training = (try? task.train.urls(in: configuration.dataDirectory)) ?? []
            for file in try task.dev.flatMap({ try $0.urls(in: configuration.dataDirectory) }) {
                guard training.contains(where: { isSameFile($0, file) }) else { continue }
                return try report(.evaluatesOnTraining(task: task.name, path: file.path))
            }
        }
        func reported(_ task: TaskDefinition, _ file: DataFile, _ split: Split) throws -> FeatureSet {
            try reported(file.name, split, features(task, file))
        }
        let wanted = configuration.taskNames ?? model.tasks.map(\.name)
        try checkPairs(wanted, trained)
        let onlyNew = configuration.trains && configuration.trainsOnlyNewTasks ? try newTasks(of: model) : nil
        return try wanted.map { name in
            guard let id = model.tasks.firstIndex(where: { $0.name == name }) else {
                preconditionFailure("a model that was loaded for tasks has them")
            }
            let task = try configuration.catalogue.task(named: name, in: model.tasks[id])
            if !configuration.trains, let option = task.kind.unfoundOption {
                throw TaskError.notFoundInTraining(task: name, option: option)
            }
            let trains = configuration.trains && onlyNew?.contains(id) ?? true
            let needsDev = needsDev || trains && task.kind.fitsDevSet
            var data = TaskData(definition: task, id: id, train: nil, dev: [])
            if let share = task.devShare, trains || needsDev {
                let parts = try DevSplit(share: share, seed: configuration.training.seed)
                    .split(features(task, task.train), of: task)
                if trains { data.train = try reported(name, .train, parts.train) }
                if needsDev { data.dev = [(name, try reported(name, .dev, parts.dev))] }
            } else {
                if trains { data.train = try reported(task, task.train, .train) }
                if needsDev { try checkApart(task) }
                if needsDev { data.dev = try task.dev.map { ($0.name, try reported(task, $0, .dev)) } }
            }
            if let train = data.train { data.definition.kind = try fitted(task, to: train) }
            data.test = try testFiles(of: task, id: id, trained).map { ($0.name, try reported(task, $0, .test)) }
            return data
        }
    }

    /// A task's kind with what its options leave to the training set.
    private func fitted(_ task: TaskDefinition, to train: FeatureSet) throws -> any TaskKind {
        defer { train.releasePages() }
        do {
            return try task.kind.fitted(toTraining: (0..<train.count).lazy.map(train.target))
        } catch {
            throw TaskError.unfitOption(task: task.name, reason: "\(error)")
        }
    }

    /// The tasks as the model has them after training: with what their options left to it.
    private func trainedTasks(_ tasks: [TaskData], _ trained: TrainedModel) throws -> [TaskData] {
        try tasks.map { task in
            guard !task.definition.options.isEmpty else { return task }
            var task = task
            do {
                task.definition.kind = try task.definition.kind.adopted(from: trained.model.configuration.tasks[task.id].kind)
            } catch {
                throw TaskError.unfitOption(task: task.definition.name, reason: "\(error)")
            }
            return task
        }
    }

    /// Refuses tasks of pairs where the encoder has one token type, before anything is encoded.
    private func checkPairs(_ tasks: [String], _ trained: TrainedModel) throws {
        guard !trained.model.configuration.backbone.takesPairs else { return }
        let heads = trained.model.configuration.tasks
        let pairs = try tasks.filter { name in
            try configuration.catalogue.task(named: name, in: heads.first { $0.name == name }).isPair
        }
        if !pairs.isEmpty { throw RunError.encoderTakesNoPairs(path: trained.folder.path, tasks: pairs) }
    }

    private func train(
        _ trained: TrainedModel, _ tasks: [TaskData], from checkpoint: Checkpoint?, output: URL
    ) throws -> TrainingSummary {
        let trainer = try Trainer(
            trained, tasks: tasks, settings: configuration.training, team: team, shouldStop: shouldStop
        ) { try report(.training($0)) }
        if let checkpoint { try trainer.resume(from: checkpoint.folder, checkpoint.state) }
        guard team.writes else {
            let summary = try trainer.run(outputDirectory: output)
            try report(.trained(summary))
            return summary
        }
        try trainer.checkRoom(in: output)
        let isNew = !FileManager.default.fileExists(atPath: output.path)
        try openOutput(output)
        // Another run may have ended there while this one read its data.
        try checkUnused(output)
        removeUnfinished(in: output)
        let summary: TrainingSummary
        do {
            try configuration.record(of: trained.model.configuration).write(to: output)
            summary = try trainer.run(outputDirectory: output)
        } catch {
            if isNew { removeUnlessUsed(output) }
            throw error
        }
        try trained.save(to: output)
        try report(.saved(output))
        try report(.trained(summary))
        return summary
    }

    /// Takes away a folder that holds nothing but the records of the run that failed.
    private func removeUnlessUsed(_ folder: URL) {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        guard let names, Set(names).isSubset(of: [SettingsRecord.fileName, Checkpoints.markName]) else { return }
        names.forEach { unlink(folder.appendingPathComponent($0).path) }
        rmdir(folder.path)
    }

    /// - Parameter earlier: evaluations whose figures count where they are higher.
    private func evaluate(_ trained: TrainedModel, _ tasks: [TaskData], earlier: [EvaluationReport]) throws {
        try report(.evaluating)
        let evaluation = try Evaluator(
            model: trained.model, batchSize: configuration.training.evaluationBatchSize,
            precision: configuration.training.evaluationPrecision, team: team
        ).evaluate(tasks).highest(over: earlier)
        if team.writes, let output = configuration.outputDirectory { try openOutput(output) }
        try report(.evaluated(evaluation))
    }
}
