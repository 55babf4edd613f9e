import Foundation
import Tasks

/// The kinds of encoder.
public enum EncoderType: String, Sendable, CaseIterable {
    /// CA-MTL for shallow encoders: one conditional bottleneck, in a last layer that starts at random.
    case caMTLBase = "ca-mtl-base"
    /// CA-MTL for deep encoders: a chain of conditional bottlenecks beside the pretrained layers.
    case caMTLLarge = "ca-mtl-large"
    /// BERT without task embeddings; only the decoders know the task.
    case bert
}

/// The shape of a BERT encoder, as its `config.json` has it.
public struct BERTConfiguration: Sendable, Equatable {
    public enum Activation: String, Sendable {
        case gelu, relu
    }

    public var hiddenSize: Int
    public var layerCount: Int
    public var attentionHeadCount: Int
    public var intermediateSize: Int
    public var vocabularySize: Int
    public var maxPositions = 512
    public var tokenTypeCount = 2
    public var layerNormEpsilon = 1e-12
    public var activation = Activation.gelu
    public var hiddenDropout = 0.1
    public var attentionDropout = 0.1
    public var paddingTokenID = 0
    /// The standard deviation of new weights.
    public var initializerRange = 0.02
    /// The dropout before the decoders; nil is the original's, 0.1.
    public var classifierDropout: Double?
    /// Whether there is a token type for the second text of a pair.
    public var takesPairs: Bool { tokenTypeCount > 1 }

    public init(
        hiddenSize: Int, layerCount: Int, attentionHeadCount: Int, intermediateSize: Int, vocabularySize: Int
    ) {
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.attentionHeadCount = attentionHeadCount
        self.intermediateSize = intermediateSize
        self.vocabularySize = vocabularySize
    }

    /// Everything that no encoder can be made of, in the terms of `config.json`.
    var problems: [String] {
        let sizes = [
            ("hidden_size", hiddenSize, 1_000_000), ("num_hidden_layers", layerCount, 1000),
            ("num_attention_heads", attentionHeadCount, 1_000_000), ("intermediate_size", intermediateSize, 1_000_000),
            ("vocab_size", vocabularySize, 1_000_000_000), ("max_position_embeddings", maxPositions, 1_000_000_000),
            ("type_vocab_size", tokenTypeCount, 1_000_000_000),
        ]
        var result = sizes.filter { !(1...$0.2).contains($0.1) }.map { "\($0.0) is \($0.1); it has to be 1 to \($0.2)" }
        let rates = [("hidden_dropout_prob", hiddenDropout), ("attention_probs_dropout_prob", attentionDropout)]
            + (classifierDropout.map { [("classifier_dropout", $0)] } ?? [])
        result += rates.filter { !(0..<1).contains($0.1) }.map { "\($0.0) is \($0.1); it has to be from 0 to below 1" }
        let scales = [("layer_norm_eps", layerNormEpsilon), ("initializer_range", initializerRange)]
        result += scales.filter { !(0...1).contains($0.1) }.map { "\($0.0) is \($0.1); it has to be from 0 to 1" }
        if !result.isEmpty { return result }
        if hiddenSize % attentionHeadCount != 0 {
            result.append("hidden_size \(hiddenSize) can't be divided into \(attentionHeadCount) attention heads")
        }
        if !(0..<vocabularySize).contains(paddingTokenID) {
            result.append("pad_token_id \(paddingTokenID) is outside of the vocabulary of \(vocabularySize)")
        }
        return result
    }
}

/// Everything that a model's shape depends on.
public struct ModelConfiguration: Sendable, Equatable {
    public var encoderType: EncoderType
    public var backbone: BERTConfiguration
    /// The longest input in tokens. The conditional attention bias is made for it, so a trained CA-MTL model keeps it.
    public var maxSequenceLength: Int
    /// The tasks, in the order that numbers them.
    public var tasks: [TaskHead]

    public init(encoderType: EncoderType, backbone: BERTConfiguration, maxSequenceLength: Int, tasks: [TaskHead]) {
        self.encoderType = encoderType
        self.backbone = backbone
        self.maxSequenceLength = maxSequenceLength
        self.tasks = tasks
    }

    /// The dropout that the configuration, or else the original for its decoders, prescribes in training.
    public var dropout: DropoutRates {
        DropoutRates(
            hidden: backbone.hiddenDropout, attention: backbone.attentionDropout,
            decoder: backbone.classifierDropout ?? 0.1)
    }

    /// - Throws: `ModelError.badConfiguration` with everything that no model can be made of.
    public func validate() throws {
        var problems = backbone.problems
        func require(_ condition: Bool, _ problem: @autoclosure () -> String) {
            if !condition { problems.append(problem()) }
        }
        require(maxSequenceLength >= 1, "--max_seq_length is \(maxSequenceLength); it has to be at least 1")
        if !problems.isEmpty { throw ModelError.badConfiguration(problems) }
        let hidden = backbone.hiddenSize
        require(
            maxSequenceLength <= backbone.maxPositions,
            "--max_seq_length \(maxSequenceLength) is more than the encoder's \(backbone.maxPositions) positions")
        require(
            encoderType == .bert || hidden % maxSequenceLength == 0,
            "--max_seq_length \(maxSequenceLength) does not divide the hidden size \(hidden), as "
                + "\(encoderType.rawValue)'s attention blocks need; the lengths that do: \(divisors(of: hidden))")
        require(
            encoderType != .caMTLBase || backbone.layerCount % 2 == 0,
            "ca-mtl-base needs an even number of layers, and this encoder has \(backbone.layerCount); use ca-mtl-large")
        require(!tasks.isEmpty, "a model needs at least one task")
        problems += tasks.compactMap { TaskName.problem(with: $0.name) }
        if let problem = TaskName.repetition(in: tasks.map(\.name)) { problems.append(problem) }
        if !problems.isEmpty { throw ModelError.badConfiguration(problems) }
    }

    private func divisors(of number: Int) -> String {
        let longest = min(number, backbone.maxPositions)
        return (8...max(8, longest)).filter { number % $0 == 0 }.map(String.init).joined(separator: ", ")
    }
}
