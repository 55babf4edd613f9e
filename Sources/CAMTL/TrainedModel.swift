import Files
import Foundation
import Tasks
import Tokenization
import Torch

/// A model with all that its folder holds: configuration, vocabulary, weights.
public final class TrainedModel {
    public let model: CAMTLModel
    public let tokenizer: WordPieceTokenizer
    public let loading: LoadReport
    /// The tasks, by their positions in the model's list, whose decoders are at their random start.
    public private(set) var untrainedTasks: Set<Int>
    /// Where it was loaded from.
    public let folder: URL
    private let file: ConfigurationFile

    /// What is wanted of a folder; nil takes what a trained model's folder says, and else the default.
    public struct Request: Sendable {
        /// nil is plain BERT for a folder of a pretrained encoder.
        public var encoderType: EncoderType?
        /// In their order. nil is for a trained model only; a folder of transformers' needs exactly one.
        public var tasks: [TaskHead]?
        public var maxSequenceLength: Int?
        /// Whether a pretrained encoder is refused, as where its new decoders would not be trained, and trained models
        /// of other programs are taken: those of transformers' classes with a decoder and the original's checkpoints.
        public var mustBeTrained = false
        /// Where the vocabulary is, for a folder without one.
        public var vocabularyFolder: URL?
        /// What new parameters are drawn with.
        public var seed: UInt64 = 42
        /// Where the model computes.
        public var device = Device.cpu
        /// Whether tasks that a trained model doesn't know are added to it; else they are refused.
        public var addsTasks = false
        /// What their embeddings are at first.
        public var newTaskEmbedding = NewTaskEmbedding.mean
        /// The names of tasks that are taken from a trained model.
        public var droppedTasks: [String] = []
        /// What it computes its layers' products in: see `CAMTLModel.productType`.
        public var productType: DType?

        public init() {}
    }

    /// Loads a trained model, or builds a new one on a pretrained encoder.
    ///
    /// - Throws: `ModelError` if the folder is not a model's, or not the one that is wanted; `CheckpointError`; the
    ///   tokenizer's errors.
    public init(folder: URL, _ request: Request = Request()) throws {
        self.folder = folder
        file = try ConfigurationFile(folder: folder)
        let configuration = try TrainedModel.configuration(file, request, folder: folder)
        tokenizer = try WordPieceTokenizer(folder: request.vocabularyFolder ?? folder)
        let rows = configuration.backbone.vocabularySize
        guard tokenizer.tokenCount <= rows else {
            let count = tokenizer.vocabulary.count
            let added = tokenizer.addedTokens.filter { $0.id >= rows }.map(\.content.debugDescription)
            throw ModelError.badModel(
                path: folder.path,
                reason: count > rows
                    ? "vocab.txt has \(count) tokens, and config.json's vocab_size is \(rows)"
                    : "the added token \(added.first ?? "") has an id of \(rows) or more, and config.json's vocab_size "
                        + "is \(rows): the model has no embedding for it")
        }
        model = try CAMTLModel(configuration)
        let loading = try model.load(
            from: folder, isComplete: file.trained != nil || request.mustBeTrained, seed: request.seed,
            device: request.device, changes: TrainedModel.changes(file, configuration, request))
        if !loading.notFinite.isEmpty {
            throw ModelError.badModel(
                path: loading.path,
                reason: "\(loading.notFinite.count) tensors have values that are infinite or not numbers, such as "
                    + "\(loading.notFinite[0]): the file is damaged, or its training went wrong; use another model")
        }
        model.productType = request.productType
        self.loading = loading
        untrainedTasks = file.untrainedTasks(of: configuration)
            .union(configuration.tasks.indices.filter { loading.new.contains("decoders.\($0).model.weight") })
    }

    /// Takes the weights of a folder that this model was written to.
    ///
    /// - Throws: as `init` does.
    public func reload(from folder: URL) throws {
        _ = try model.load(from: folder, isComplete: true, seed: 0, device: model.device)
        let file = try ConfigurationFile(folder: folder)
        untrainedTasks = file.untrainedTasks(of: model.configuration)
        for (task, head) in (file.trained?.tasks ?? []).enumerated() { model.setKind(head.kind, ofTask: task) }
    }

    /// Takes note that an update has trained the tasks' decoders.
    public func recordTraining(of tasks: some Sequence<Int>) {
        untrainedTasks.subtract(tasks)
    }

    private static func configuration(
        _ file: ConfigurationFile, _ request: Request, folder: URL
    ) throws -> ModelConfiguration {
        func fail(_ reason: String) -> ModelError { .badModel(path: folder.path, reason: reason) }
        guard let trained = file.trained else {
            if let name = request.droppedTasks.first {
                throw fail("this is no trained model, which would have the task \(name) to drop")
            }
            if request.mustBeTrained { return try trainedElsewhere(file, request, folder: folder) }
            guard let tasks = request.tasks else {
                throw fail("this is a pretrained encoder and no trained model: config.json has no entry \"camtl\"")
            }
            return ModelConfiguration(
                encoderType: request.encoderType ?? .bert, backbone: file.backbone,
                maxSequenceLength: request.maxSequenceLength ?? 128, tasks: tasks)
        }
        if let type = request.encoderType, type != trained.encoderType {
            throw fail("this model's encoder is \(trained.encoderType.rawValue), not \(type.rawValue)")
        }
        if let length = request.maxSequenceLength, length != trained.maxSequenceLength,
            trained.encoderType != .bert
        {
            throw fail("this model was made for --max_seq_length \(trained.maxSequenceLength), not \(length)")
        }
        if let problem = TaskName.repetition(in: (request.tasks ?? []).map(\.name)) {
            throw ModelError.badConfiguration([problem])
        }
        let unknown = (request.tasks ?? []).map(\.name).filter { name in !trained.tasks.contains { $0.name == name } }
        let kept = try TrainedModel.kept(trained.tasks, request, fail)
        if let name = kept.map(\.name).isEmpty && unknown.isEmpty ? request.droppedTasks.first : nil {
            throw fail("without \(name) the model has no task left")
        }
        if !unknown.isEmpty, !request.addsTasks {
            throw fail(
                "this model has no decoder for \(unknown.joined(separator: ", ")); its tasks are "
                    + trained.tasks.map(\.name).joined(separator: ", "))
        }
        return ModelConfiguration(
            encoderType: trained.encoderType, backbone: file.backbone,
            maxSequenceLength: request.maxSequenceLength ?? trained.maxSequenceLength,
            tasks: kept + (request.tasks ?? []).filter { unknown.contains($0.name) })
    }

    /// The tasks of a trained model that stay.
    private static func kept(
        _ tasks: [TaskHead], _ request: Request, _ fail: (String) -> ModelError
    ) throws -> [TaskHead] {
        let names = tasks.map(\.name)
        for name in request.droppedTasks {
            guard names.contains(name) else {
                let hint = nearestName(to: name, among: names).map { "; did you mean \($0)?" } ?? ""
                throw fail("there is no task \(name) to drop; the model's are \(names.joined(separator: ", "))\(hint)")
            }
            if request.tasks?.contains(where: { $0.name == name }) == true {
                throw fail("\(name) is to be dropped and is a task of this run")
            }
        }
        return tasks.filter { !request.droppedTasks.contains($0.name) }
    }

    /// What a model's tasks are beside those of its file; nil where they are the same.
    private static func changes(
        _ file: ConfigurationFile, _ configuration: ModelConfiguration, _ request: Request
    ) -> TaskChanges? {
        guard let names = file.trained?.tasks.map(\.name) else { return nil }
        let changes = TaskChanges(
            sources: configuration.tasks.map { names.firstIndex(of: $0.name) }, fileTasks: names.count,
            embedding: request.newTaskEmbedding)
        return changes.isEmpty ? nil : changes
    }

    /// The model in a folder that another program trained.
    private static func trainedElsewhere(
        _ file: ConfigurationFile, _ request: Request, folder: URL
    ) throws -> ModelConfiguration {
        func fail(_ reason: String) -> ModelError { .badModel(path: folder.path, reason: reason) }
        if let model = try file.transformersModel(fail) {
            return try model.configuration(request, backbone: file.backbone, fail)
        }
        if let checkpoint = try OriginalCheckpoint(folder: folder) {
            return try checkpoint.configuration(request, backbone: file.backbone, fail)
        }
        throw fail(
            "this is a pretrained encoder and no trained model: config.json has no entry \"camtl\", and new decoders "
                + "would say anything; train it first (--do_train), or name a trained model's folder")
    }

    /// The names of the files that ``write(to:)`` and `export` write.
    static let fileNames = Set(["config.json", "model.safetensors"] + WordPieceTokenizer.writtenFiles)

    /// Refuses a folder that has a model which this program didn't write, as ``save(to:)`` would replace its files.
    ///
    /// - Throws: `ModelError.badModel`; `FileWriteError` where something else than a file has the name of one.
    public static func checkReplaceable(_ folder: URL) throws {
        let files = FileManager.default
        let there = fileNames.sorted().filter { files.fileExists(atPath: folder.appendingPathComponent($0).path) }
        guard !there.isEmpty else { return }
        let data = try? readFile(folder.appendingPathComponent("config.json"))
        let fields = data.flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
        guard fields?["camtl"] == nil else {
            for name in there { try Files.checkReplaceable(folder.appendingPathComponent(name)) }
            return
        }
        throw ModelError.badModel(
            path: folder.path,
            reason: "this folder has \(there.joined(separator: ", ")) of a model that camtl did not write, which would "
                + "be replaced; name another --output_dir")
    }

    /// Writes the model's files into a folder that exists, in place of those of an earlier model. They are all there
    /// before the first is replaced: an error leaves the folder as it was.
    public func save(to folder: URL) throws {
        try writeFilesAtomically(into: folder, write)
    }

    /// Writes the model's files into a new folder.
    public func write(to folder: URL) throws {
        try tokenizer.writeConfiguration(to: folder, maxLength: model.configuration.maxSequenceLength)
        try model.saveWeights(to: folder)
        try file.write(
            model.configuration,
            untrained: untrainedTasks.sorted().map { model.configuration.tasks[$0].name }, to: folder)
    }
}
