import ArgumentParser
import CAMTL
import Foundation
import Tasks
import Training

extension EncoderType: ExpressibleByArgument {}
extension UncertaintyScore: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

struct ModelOptions: SettingsGroup {
    @Option(
        name: .customLong("model_name_or_path"),
        help: "The folder of a trained model or a BERT encoder, or a name such as bert-base-cased. (required)",
        completion: .directory)
    var modelNameOrPath: String?

    @Option(
        name: .customLong("encoder_type"),
        help: "The kind of encoder to build on a BERT folder. (default: bert; by the name for CA-MTL-base and -large)")
    var encoderType: EncoderType?

    @Option(
        name: .customLong("max_seq_length"), parsing: .unconditional,
        help: "The longest input in tokens; under CA-MTL it divides the hidden size. (default: 128, or the model's)")
    var maxSeqLength: Int?

    @Option(
        name: .customLong("freeze_encoder_layers"),
        help: "Layers whose pretrained weights stay as they are, such as 0-5; the embeddings then do too. (default: none)")
    var freezeEncoderLayers: String?

    @Option(
        name: .customLong("new_task_init"),
        help: "What the embedding of a task that a trained model doesn't know starts as: mean (of the known ones), random, nearest (of the known ones, by the loss), or a known task's name. (default: mean)")
    var newTaskInit: String?

    @Flag(
        name: .customLong("train_only_new_tasks"),
        help: "Train the embeddings and decoders of tasks that the model doesn't know; all else stays bit for bit as it is.")
    var trainOnlyNewTasks = false

    @Option(
        name: .customLong("drop_tasks"), parsing: .upToNextOption,
        help: "Names of a trained model's tasks that are taken from it. (default: none)")
    var dropTasks: [String] = []

    /// The names that stand for an encoder type on a pretrained encoder.
    private static let variants: [String: (EncoderType, encoder: String)] = [
        "CA-MTL-base": (.caMTLBase, "bert-base-cased"), "CA-MTL-large": (.caMTLLarge, "bert-large-cased"),
    ]

    var resolvedEncoderType: EncoderType? {
        encoderType ?? modelNameOrPath.flatMap { ModelOptions.variants[$0]?.0 }
    }

    var settings: [Setting] {
        let isFolder = modelNameOrPath.map(FileManager.default.fileExists(atPath:)) ?? false
        return [
            isFolder
                ? Setting("model_name_or_path", path: modelNameOrPath)
                : Setting("model_name_or_path", modelNameOrPath),
            Setting("encoder_type", encoderType?.rawValue), Setting("max_seq_length", maxSeqLength),
            Setting("freeze_encoder_layers", freezeEncoderLayers), Setting("new_task_init", newTaskInit),
            Setting("train_only_new_tasks", trainOnlyNewTasks), Setting("drop_tasks", dropTasks),
        ]
    }

    func check(_ problems: inout Problems) {
        if modelNameOrPath == nil { problems.add("--model_name_or_path is missing: a model's folder or name") }
        if let length = maxSeqLength, length < 3 {
            problems.add("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        _ = problems.catching { try freezing() }
        if trainOnlyNewTasks, freezeEncoderLayers != nil {
            problems.add("--train_only_new_tasks freezes all layers; leave --freeze_encoder_layers out")
        }
    }

    func freezing() throws -> FreezeRange? { try freezeEncoderLayers.map(FreezeRange.init(parsing:)) }

    func location() throws -> ModelLocation {
        guard let name = modelNameOrPath else {
            throw CommandError("--model_name_or_path is missing: a model's folder or name")
        }
        return try ModelOptions.location(named: name)
    }

    /// Where a model lies, by its folder or any name that `--model_name_or_path` may have.
    static func location(named name: String) throws -> ModelLocation {
        try ModelLocation(named: variants[name]?.encoder ?? name)
    }
}

struct DataOptions: SettingsGroup {
    @Option(
        name: .customLong("data_dir"),
        help: "The folder with GLUE's data in its official layout. (required for GLUE's tasks)",
        completion: .directory)
    var dataDir: String?

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "Names of GLUE's tasks and task files (.yaml, .json), in the order that numbers the tasks. (default: GLUE's nine, or the model's)")
    var tasks: [String] = []

    @Flag(name: .customLong("overwrite_cache"), help: "Encode the data anew, whatever the cache has.")
    var overwriteCache = false

    @Option(
        name: .customLong("max_train_samples"),
        help: "The most rows that are used of each training set, such as 500 or 10%, drawn by --seed. (default: all)")
    var maxTrainSamples: String?

    @Option(
        name: .customLong("max_eval_samples"),
        help: "The same of each dev set. (default: all)")
    var maxEvalSamples: String?

    @Option(
        name: .customLong("max_predict_samples"),
        help: "The same of each test set, of which the first rows are used. (default: all)")
    var maxPredictSamples: String?

    @Option(
        name: .customLong("cache_dir"),
        help: "Where encoded data is kept. (default: features in $CAMTL_CACHE_DIR, or in camtl in the user's cache)",
        completion: .directory)
    var cacheDir: String?

    var settings: [Setting] {
        [
            Setting("data_dir", path: dataDir), Setting("tasks", tasks.map(absolute)), Setting("overwrite_cache", overwriteCache),
            Setting("max_train_samples", maxTrainSamples), Setting("max_eval_samples", maxEvalSamples),
            Setting("max_predict_samples", maxPredictSamples), Setting("cache_dir", path: cacheDir),
        ]
    }

    func check(_ problems: inout Problems) {
        DataOptions.check(dataDir: dataDir, tasks: tasks, &problems)
        let limits = [
            ("max_train_samples", maxTrainSamples), ("max_eval_samples", maxEvalSamples),
            ("max_predict_samples", maxPredictSamples),
        ]
        for case (let name, let text?) in limits where ExampleLimit(text) == nil {
            problems.add("--\(name) is \(text); it has to be a number of rows, 1 or more, or a share, such as 10% or 0.1")
        }
    }

    /// Wants GLUE's folder for GLUE's tasks.
    static func check(dataDir: String?, tasks: [String], _ problems: inout Problems) {
        guard dataDir == nil, tasks.isEmpty || !tasks.allSatisfy(TaskCatalogue.isTaskFile) else { return }
        problems.add(
            tasks.isEmpty
                ? "--data_dir is missing: the folder with GLUE's data; or, for tasks of your own, --tasks FILE.yaml"
                : "--data_dir is missing: the folder with GLUE's data")
    }

    /// A task file's absolute path, so that the settings mean the same from anywhere.
    private func absolute(_ word: String) -> String {
        TaskCatalogue.isTaskFile(word) ? URL(fileURLWithPath: word).path : word
    }

    func cacheDirectory() throws -> URL {
        if let cacheDir { return URL(fileURLWithPath: cacheDir) }
        // A variable that is empty says nothing, as in Scripts/setup.py.
        let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        if let own = environment["CAMTL_CACHE_DIR"] { return URL(fileURLWithPath: own + "/features") }
        guard let base = environment["XDG_CACHE_HOME"] ?? environment["HOME"].map({ $0 + "/.cache" }) else {
            throw CommandError("there is no HOME to keep encoded data in; give --cache_dir")
        }
        return URL(fileURLWithPath: base + "/camtl/features")
    }
}

/// The tasks that `--tasks` names of a model; nil where it names none.
func heads(ofTasks words: [String]) throws -> [TaskHead]? {
    let (catalogue, names) = try TaskCatalogue.reading(words)
    return names.isEmpty ? nil : try names.map { try catalogue.task(named: $0).head }
}

extension RunConfiguration {
    /// What flags that have been checked say of the model, the data and how it is trained; the model is downloaded if
    /// need be.
    init(
        _ location: ModelLocation, _ model: ModelOptions, _ data: DataOptions, _ training: TrainingOptions,
        _ sampling: SamplingOptions
    ) throws {
        let (catalogue, names) = try TaskCatalogue.reading(data.tasks)
        self.init(
            modelFolder: try location.folder(), dataDirectory: data.dataDir.map { URL(fileURLWithPath: $0) },
            cacheDirectory: try data.cacheDirectory())
        self.model.encoderType = model.resolvedEncoderType
        self.model.maxSequenceLength = model.maxSeqLength
        self.model.seed = training.seed
        freezing = try model.freezing()
        self.model.newTaskEmbedding = model.newTaskInit.map(NewTaskEmbedding.init) ?? .mean
        self.model.droppedTasks = model.dropTasks
        trainsOnlyNewTasks = model.trainOnlyNewTasks
        self.catalogue = catalogue
        taskNames = names.isEmpty ? nil : names
        overwritesCache = data.overwriteCache
        trainingLimit = data.maxTrainSamples.flatMap(ExampleLimit.init)
        evaluationLimit = data.maxEvalSamples.flatMap(ExampleLimit.init)
        predictionLimit = data.maxPredictSamples.flatMap(ExampleLimit.init)
        self.training.sampling = try sampling.resolved()
        self.training.groupsByLength = sampling.groupsByLength
        training.apply(to: &self.training)
    }
}

struct SamplingOptions: SettingsGroup {
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case proportional, sequential, uniform, uncertainty
    }

    @Option(
        name: .customLong("sampling"), help: "How the examples of an update are chosen. (default: proportional)")
    var sampling: Name?

    @Flag(name: .customLong("uniform_mt_sampling"), help: "The same as --sampling uniform: each task equally often.")
    var uniform = false

    @Flag(
        name: .customLong("use_mt_uncertainty"),
        help: "The same as --sampling uncertainty: train on the examples that the model is least sure of.")
    var uncertainty = false

    @Option(
        name: .customLong("percent_of_max_data_size"), parsing: .unconditional,
        help: "The share (0 to 1) of the largest task that makes an epoch, if sampling is uniform or uncertainty.")
    var share = 1.0

    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @Option(
        name: .customLong("uncertainty_score"),
        help: "The score under uncertainty sampling: as the original code has it, or Algorithm 1 of the paper.")
    var score = UncertaintyScore.original

    @Option(
        name: .customLong("uncertainty_dropout"),
        help: "Whether candidates are scored under dropout, as the original does, or as the model is without it.")
    var dropout = Switch.on

    @Option(
        name: .customLong("uncertainty_scoring"),
        help: "How exactly candidates are scored: exact, or int8: twice as fast or more, with nearly the same picks.")
    var precision = Precision.exact

    @Flag(
        name: .customLong("group_by_length"),
        help: "Make batches of examples of about one length; not with uncertainty sampling, where the model picks.")
    var groupsByLength = false

    /// The flags as they are given; where none of the three is, the default's name.
    var settings: [Setting] {
        let isOpen = sampling == nil && !uniform && !uncertainty
        return [
            Setting("sampling", isOpen ? Name.proportional.rawValue : sampling?.rawValue),
            Setting("uniform_mt_sampling", uniform), Setting("use_mt_uncertainty", uncertainty),
            Setting("percent_of_max_data_size", share), Setting("uncertainty_score", score.rawValue),
            Setting("uncertainty_dropout", dropout.rawValue), Setting("uncertainty_scoring", precision.rawValue),
            Setting("group_by_length", groupsByLength),
        ]
    }

    func check(_ problems: inout Problems) {
        if problems.catching(resolved)?.picksCandidates == true, groupsByLength {
            problems.add(
                "--group_by_length makes batches by length, and under uncertainty sampling the model picks them by how "
                    + "unsure it is; leave one of the two out")
        }
    }

    /// What there is to warn of: flags that the sampling leaves nothing to say.
    var warnings: [String] {
        let isUncertainty = sampling == .uncertainty || uncertainty
        let isUniform = sampling == .uniform || uniform
        return withoutEffect(
            [
                ("uncertainty_score", score != .original), ("uncertainty_dropout", dropout != .on),
                ("uncertainty_scoring", precision != .exact),
            ], unless: isUncertainty, need: "--sampling uncertainty")
            + withoutEffect(
                [("percent_of_max_data_size", share != 1)], unless: isUncertainty || isUniform,
                need: "--sampling uniform or uncertainty")
    }

    /// How exactly candidates are scored, if any are.
    var scoringPrecision: Precision { sampling == .uncertainty || uncertainty ? precision : .exact }

    func resolved() throws -> Sampling {
        let given = [sampling, uniform ? .uniform : nil, uncertainty ? .uncertainty : nil].compactMap { $0 }
        if Set(given).count > 1 {
            throw CommandError("the samplings \(given.map(\.rawValue).joined(separator: " and ")) exclude each other")
        }
        guard share.isFinite else { throw CommandError("--percent_of_max_data_size has to be a number from 0 to 1") }
        switch given.first ?? .proportional {
        case .proportional: return .proportional
        case .sequential: return .sequential
        case .uniform: return .uniform(share: share)
        case .uncertainty: 
            return .uncertainty(share: share, score: score, usesDropout: dropout == .on, precision: precision)
        }
    }
}
