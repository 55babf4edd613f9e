import Files
import Foundation
import Tasks

/// A model folder's `config.json`: the encoder's fields as the ecosystem names them and, in a folder that this
/// program wrote, the entry `camtl`.
public struct ConfigurationFile: Sendable {
    /// What a trained model adds to its encoder's configuration.
    public struct Trained: Sendable, Equatable, Codable {
        public var encoderType: EncoderType
        public var maxSequenceLength: Int
        public var tasks: [TaskHead]
        /// The names of those whose decoders are at their random start, as training never came to them.
        public var untrainedTasks: [String]?

        private enum CodingKeys: String, CodingKey {
            case encoderType = "encoder_type"
            case maxSequenceLength = "max_seq_length"
            case tasks
            case untrainedTasks = "untrained_tasks"
        }
    }

    public let backbone: BERTConfiguration
    public let trained: Trained?
    /// The file as it was read, so that writing it keeps the fields that are not ours.
    private let source: JSONText

    /// - Throws: `ModelError.badModel` if the file is missing, or says what can't be.
    public init(folder: URL) throws {
        let url = folder.appendingPathComponent("config.json")
        func fail(_ reason: String) -> ModelError { .badModel(path: url.path, reason: reason) }
        guard let data = try? readFile(url) else {
            throw fail("a model's folder needs this file, and it can't be read")
        }
        if let misplaced = MisplacedContent(data) { throw fail("\(misplaced)") }
        do {
            source = try JSONText(data)
        } catch let fault as JSONText.Fault {
            throw fail("this is not a JSON object: \(fault)")
        }
        guard let fields = source.foundationObject as? [String: Any] else { throw fail("this is not a JSON object") }
        backbone = try ConfigurationFile.backbone(fields, fail)
        guard let entry = fields["camtl"] else {
            trained = nil
            return
        }
        guard let entry = entry as? [String: Any] else { throw fail("the entry \"camtl\" is not a JSON object") }
        do {
            let decoded = try JSONDecoder().decode(Trained.self, from: JSONText.data(of: entry))
            if let problem = TaskName.repetition(in: decoded.tasks.map(\.name)) { throw TaskError.badName(problem) }
            let known = decoded.tasks.map(\.name)
            if let name = decoded.untrainedTasks?.first(where: { !known.contains($0) }) {
                throw TaskError.malformedHead(task: name, reason: "untrained_tasks names it, and tasks doesn't")
            }
            trained = decoded
        } catch let error as TaskError {
            throw fail("the entry \"camtl\": \(error)")
        } catch {
            throw fail("the entry \"camtl\" needs encoder_type, max_seq_length and tasks as this program writes them")
        }
    }

    private static func backbone(
        _ fields: [String: Any], _ fail: (String) -> ModelError
    ) throws -> BERTConfiguration {
        func value<Value>(_ name: String, _ type: Value.Type) throws -> Value? {
            guard let field = fields[name], !(field is NSNull) else { return nil }
            guard let value = field as? Value else {
                throw fail("\"\(name)\" is \(field), which is not of the right type")
            }
            return value
        }
        func required(_ name: String) throws -> Int {
            guard let size = try value(name, Int.self) else { throw fail("\"\(name)\" is missing") }
            return size
        }
        if let type = try value("model_type", String.self), type != "bert" {
            throw fail("the encoder is of type \"\(type)\"; only BERT's architecture is supported")
        }
        var result = BERTConfiguration(
            hiddenSize: try required("hidden_size"), layerCount: try required("num_hidden_layers"),
            attentionHeadCount: try required("num_attention_heads"),
            intermediateSize: try required("intermediate_size"), vocabularySize: try required("vocab_size"))
        if let size = try value("max_position_embeddings", Int.self) { result.maxPositions = size }
        if let size = try value("type_vocab_size", Int.self) { result.tokenTypeCount = size }
        if let epsilon = try value("layer_norm_eps", Double.self) { result.layerNormEpsilon = epsilon }
        if let rate = try value("hidden_dropout_prob", Double.self) { result.hiddenDropout = rate }
        if let rate = try value("attention_probs_dropout_prob", Double.self) { result.attentionDropout = rate }
        if let id = try value("pad_token_id", Int.self) { result.paddingTokenID = id }
        if let std = try value("initializer_range", Double.self) { result.initializerRange = std }
        if let rate = try value("classifier_dropout", Double.self) { result.classifierDropout = rate }
        if let name = try value("hidden_act", String.self) {
            // GELU under the name for Python's own formula of it.
            let known = name == "gelu_python" ? "gelu" : name
            guard let activation = BERTConfiguration.Activation(rawValue: known) else {
                throw fail("\"hidden_act\" is \"\(name)\"; gelu and relu are supported")
            }
            result.activation = activation
        }
        if let kind = try value("position_embedding_type", String.self), kind != "absolute" {
            throw fail("\"position_embedding_type\" is \"\(kind)\"; only absolute positions are supported")
        }
        try refuseOtherArchitectures(fields, hiddenSize: result.hiddenSize, fail)
        if !result.problems.isEmpty { throw fail(result.problems.joined(separator: "; ")) }
        return result
    }

    /// Refuses what transformers would compute something else for than this program does.
    private static func refuseOtherArchitectures(
        _ fields: [String: Any], hiddenSize: Int, _ fail: (String) -> ModelError
    ) throws {
        let switches = [
            ("is_decoder", "a decoder's attention, to earlier tokens alone"),
            ("add_cross_attention", "attention to another encoder"),
        ]
        for (name, meaning) in switches {
            guard let field = fields[name], !(field is NSNull) else { continue }
            guard let isOn = field as? Bool else { throw fail("\"\(name)\" is \(field), which is not of the right type") }
            if isOn { throw fail("\"\(name)\" is true, which means \(meaning), and is not supported") }
        }
        if let heads = fields["pruned_heads"], !(heads is NSNull), (heads as? [String: Any])?.isEmpty != true,
            (heads as? [Any])?.isEmpty != true
        {
            throw fail("\"pruned_heads\" names attention heads that were taken out, which is not supported")
        }
        if let quantization = fields["quantization_config"], !(quantization is NSNull) {
            throw fail(
                "\"quantization_config\" says that the weights are quantised, which is not supported: use the model in "
                    + "floating-point numbers")
        }
        if let width = fields["embedding_size"], !(width is NSNull), width as? Int != hiddenSize {
            throw fail("\"embedding_size\" is \(width), and hidden_size \(hiddenSize); both have to be the same in BERT")
        }
    }

    /// The positions, in a model's list, of the tasks that the file names as untrained.
    func untrainedTasks(of configuration: ModelConfiguration) -> Set<Int> {
        let names = trained?.untrainedTasks ?? []
        return Set(configuration.tasks.indices.filter { names.contains(configuration.tasks[$0].name) })
    }

    private var fields: [String: Any] { source.foundationObject as? [String: Any] ?? [:] }

    /// The model of transformers with a decoder that the file describes, or nil.
    /// - Throws: `fail`'s error if what it says of its outputs can't be used.
    func transformersModel(_ fail: (String) -> ModelError) throws -> TransformersModel? {
        try TransformersModel(fields, fail)
    }

    /// Writes `config.json` for a model made from this one: the encoder's own fields, less what is of transformers'
    /// decoders, and `camtl`.
    ///
    /// - Parameters:
    ///   - configuration: the model's.
    ///   - untrained: the names of the tasks whose decoders are at their random start.
    ///   - folder: where the file goes.
    public func write(_ configuration: ModelConfiguration, untrained: [String] = [], to folder: URL) throws {
        var fields = fields
        if TransformersClass(architectures: fields["architectures"]) != nil {
            TransformersModel.fields.forEach { fields[$0] = nil }
        }
        let entry = Trained(
            encoderType: configuration.encoderType, maxSequenceLength: configuration.maxSequenceLength,
            tasks: configuration.tasks, untrainedTasks: untrained.isEmpty ? nil : untrained)
        fields["camtl"] = try JSONSerialization.jsonObject(with: JSONEncoder().encode(entry))
        let data = try JSONText.data(of: fields)
        try writeAtomically(to: folder.appendingPathComponent("config.json")) { try $0.write(data) }
    }
}

extension EncoderType: Codable {}
