import CAMTL
import Foundation
import Tasks
import Tokenization
import Torch
import Training
import XCTest

/// A test with a small model and small data, in a folder of its own.
class ToyTestCase: XCTestCase {
    private(set) var directory = URL(fileURLWithPath: "/")

    /// One thread: more only wait for one another on tensors this small.
    override class func setUp() { setThreadCount(1) }

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("training-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws { try FileManager.default.removeItem(at: directory) }

    var dataDirectory: URL { directory.appendingPathComponent("data") }
    var modelFolder: URL { directory.appendingPathComponent("model") }
    var outputDirectory: URL { directory.appendingPathComponent("output") }
    var cacheDirectory: URL { directory.appendingPathComponent("cache") }

    /// Writes the folder of a trained model for GLUE's tasks of these names, its values drawn at random.
    func writeModel(
        _ encoderType: EncoderType = .caMTLBase, _ backbone: BERTConfiguration = ToyModel.backbone, tasks: [String]
    ) throws {
        try writeModel(encoderType, backbone, heads: tasks.map { try GLUE.task(named: $0).head })
    }

    /// Writes the folder of a trained model for these tasks, its values drawn at random.
    func writeModel(
        _ encoderType: EncoderType = .caMTLBase, _ backbone: BERTConfiguration = ToyModel.backbone, heads: [TaskHead]
    ) throws {
        try FileManager.default.createDirectory(at: modelFolder, withIntermediateDirectories: true)
        let model = try CAMTLModel(
            ModelConfiguration(
                encoderType: encoderType, backbone: backbone, maxSequenceLength: ToyModel.maxSequenceLength,
                tasks: heads))
        try model.materialize(seed: 7)
        try model.saveWeights(to: modelFolder)
        try WordPieceTokenizer(vocabulary: Vocabulary(tokens: ToyModel.specialTokens + ToyData.words), lowercase: true)
            .writeConfiguration(to: modelFolder)
        let configuration: [String: Any] = [
            "hidden_size": backbone.hiddenSize, "num_hidden_layers": backbone.layerCount,
            "num_attention_heads": backbone.attentionHeadCount, "intermediate_size": backbone.intermediateSize,
            "vocab_size": backbone.vocabularySize, "max_position_embeddings": backbone.maxPositions,
            "camtl": [
                "encoder_type": encoderType.rawValue, "max_seq_length": ToyModel.maxSequenceLength,
                "tasks": try JSONSerialization.jsonObject(with: JSONEncoder().encode(heads)),
            ] as [String: Any],
        ]
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: modelFolder.appendingPathComponent("config.json"))
    }

    /// Writes the training and dev files of one of GLUE's tasks.
    func writeData(_ name: String, train: Int, dev: Int = 20) throws {
        let task = try GLUE.task(named: name)
        for (file, count) in [(task.train, train)] + task.dev.map({ ($0, dev) }) {
            let url = dataDirectory.appendingPathComponent(file.paths[0])
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(ToyData.rows(of: task, file, count: count).joined(separator: "\n").utf8).write(to: url)
        }
    }

    func loadModel() throws -> TrainedModel { try TrainedModel(folder: modelFolder) }

    /// The model's tasks with their examples, or those of `names`.
    func loadData(_ trained: TrainedModel, _ names: [String]? = nil) throws -> [TaskData] {
        let heads = trained.model.configuration.tasks
        let cache = FeatureCache(
            directory: cacheDirectory, tokenizer: trained.tokenizer,
            maxSequenceLength: trained.model.configuration.maxSequenceLength)
        func features(_ task: TaskDefinition, _ file: DataFile) throws -> FeatureSet {
            try cache.features(of: task, in: file, dataDirectory: dataDirectory)
        }
        return try (names ?? heads.map(\.name)).map { name in
            let task = try GLUE.task(named: name)
            return TaskData(
                definition: task, id: try XCTUnwrap(heads.firstIndex { $0.name == name }),
                train: try features(task, task.train), dev: try task.dev.map { ($0.name, try features(task, $0)) })
        }
    }

    /// What a training run left behind.
    struct Course {
        let trained: TrainedModel
        let data: [TaskData]
        let summary: TrainingSummary
        let steps: [StepReport]
    }

    /// Trains the model of the folder.
    ///
    /// - Parameter observe: told of each event, with the model as it then is.
    @discardableResult
    func train(
        _ settings: TrainingSettings, on names: [String]? = nil,
        observe: @escaping (TrainingEvent, TrainedModel) throws -> Void = { _, _ in }
    ) throws -> Course {
        try FileManager.default.createDirectory(at: outputDirectory, withIntermediateDirectories: true)
        let trained = try loadModel()
        let data = try loadData(trained, names)
        var steps: [StepReport] = []
        let trainer = try Trainer(trained, tasks: data, settings: settings) { event in
            if case .stepped(let report) = event { steps.append(report) }
            try observe(event, trained)
        }
        let summary = try trainer.run(outputDirectory: outputDirectory)
        return Course(trained: trained, data: data, summary: summary, steps: steps)
    }
}

enum ToyModel {
    static let specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    static let maxSequenceLength = 16

    /// Four layers; the smallest encoder that has every part of CA-MTL, with room to learn.
    static let backbone = {
        var backbone = BERTConfiguration(
            hiddenSize: 48, layerCount: 4, attentionHeadCount: 4, intermediateSize: 64,
            vocabularySize: specialTokens.count + ToyData.words.count)
        backbone.maxPositions = maxSequenceLength
        backbone.initializerRange = 0.1
        return backbone
    }()

    /// As little as counts steps.
    static let tinyBackbone = {
        var backbone = BERTConfiguration(
            hiddenSize: 16, layerCount: 1, attentionHeadCount: 1, intermediateSize: 8,
            vocabularySize: specialTokens.count + ToyData.words.count)
        backbone.maxPositions = maxSequenceLength
        return backbone
    }()
}

/// Sentences of invented words. Of the first four words each sentence has one, which tells its label.
enum ToyData {
    static let words = ["ba", "de", "fi", "go", "lu"].flatMap { start in
        ["k", "lm", "no", "pra", "s", "tu", "vin", "x", "ya", "zem", "rr"].map { start + $0 }
    }

    /// The lines of a file, from 3 to 12 words in a row.
    static func rows(of task: TaskDefinition, _ file: DataFile, count: Int) -> [String] {
        var random = RandomStream(seed: 11, purpose: file.paths[0])
        let rows = (0..<count).map { _ in
            let kind = Int.random(in: 0..<max(task.kind.width, 2), using: &random)
            let label =
                // Of a regression two scores that are no whole numbers.
                task.kind.labels.isEmpty ? (kind == 0 ? "0.75" : "4.5") : task.kind.labels[kind]
            let length = Int.random(in: 2...6, using: &random)
            var first = (0..<length).map { _ in words[Int.random(in: 4..<words.count, using: &random)] }
            let second = (0..<length).map { _ in words[Int.random(in: 4..<words.count, using: &random)] }
            first.insert(words[kind], at: Int.random(in: 0...length, using: &random))
            return (first.joined(separator: " "), second.dropLast().joined(separator: " "), label)
        }
        let columns = file.columns
        guard columns.hasHeader else {
            // CoLA's label is in the second column, its sentence in the fourth.
            return rows.map { ["-", $0.2, "-", $0.0].joined(separator: "\t") }
        }
        let names = [columns.first, columns.second].compactMap { $0 } + columns.labelColumns
        return [names.map(\.description).joined(separator: "\t")]
            + rows.map { row in
                let texts = columns.hasSecond ? [row.0, row.1] : [row.0]
                return (texts + (columns.hasLabel ? [row.2] : [])).joined(separator: "\t")
            }
    }
}

extension TrainedModel {
    /// Each parameter's bytes, by its name.
    func weights() throws -> [String: [UInt8]] {
        var weights: [String: [UInt8]] = [:]
        for (name, parameter) in model.namedParameters() { weights[name] = try parameter.wrappedValue.bytes() }
        return weights
    }

    func weights(_ name: String) throws -> [UInt8] {
        try XCTUnwrap(model.namedParameters().first { $0.name == name }).parameter.wrappedValue.bytes()
    }
}

/// The names of the parameters that differ.
func differences(_ one: [String: [UInt8]], _ other: [String: [UInt8]]) -> Set<String> {
    Set(one.keys).union(other.keys).filter { one[$0] != other[$0] }
}

extension TrainingSettings {
    /// With a learning rate that is high, and highest at once.
    static func toy(_ sampling: Sampling = .proportional, batchSize: Int = 8, steps: Int) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.sampling = sampling
        settings.batchSize = batchSize
        settings.maxSteps = steps
        settings.optimizer.learningRate = 1e-3
        settings.optimizer.warmupProportion = 0
        return settings
    }
}
