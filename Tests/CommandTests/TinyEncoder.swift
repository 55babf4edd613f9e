import Foundation
import Torch

/// A BERT encoder small enough to train in no time, with random weights and invented words.
struct TinyEncoder {
    struct Weights: Equatable {
        var shape: [Int]
        var values: [Float]
    }

    static let hiddenSize = 48
    static let positions = 32
    /// Two letters each.
    static let words = "bdfgklmnprstvz".flatMap { consonant in "aeiou".map { "\(consonant)\($0)" } }
    static let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?"] + words + ["##na", "##ro"]

    /// The fields of `config.json`.
    var configuration: [String: Any]
    /// The tensors of `model.safetensors`, under the names in BERT checkpoints.
    var tensors: [String: Weights] = [:]
    var vocabulary = TinyEncoder.vocabulary
    private var random = SeededRandom(seed: 7)

    init(layerCount: Int = 2) {
        let (width, wide) = (TinyEncoder.hiddenSize, 64)
        configuration = [
            "model_type": "bert", "hidden_size": width, "num_hidden_layers": layerCount, "num_attention_heads": 4,
            "intermediate_size": wide, "vocab_size": TinyEncoder.vocabulary.count,
            "max_position_embeddings": TinyEncoder.positions, "type_vocab_size": 2, "hidden_act": "gelu",
            "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
            "initializer_range": 0.02, "pad_token_id": 0,
        ]
        addTable("bert.embeddings.word_embeddings", rows: TinyEncoder.vocabulary.count)
        addTable("bert.embeddings.position_embeddings", rows: TinyEncoder.positions)
        addTable("bert.embeddings.token_type_embeddings", rows: 2)
        addNorm("bert.embeddings.LayerNorm")
        for layer in 0..<layerCount {
            let name = "bert.encoder.layer.\(layer)"
            for part in ["query", "key", "value"] { addLinear("\(name).attention.self.\(part)", width, width) }
            addLinear("\(name).attention.output.dense", width, width)
            addNorm("\(name).attention.output.LayerNorm")
            addLinear("\(name).intermediate.dense", width, wide)
            addLinear("\(name).output.dense", wide, width)
            addNorm("\(name).output.LayerNorm")
        }
        addLinear("bert.pooler.dense", width, width)
    }

    /// Makes it a trained model of plain BERT, with a decoder for each task: a classification's labels, or none in a
    /// regression.
    mutating func addDecoders(_ tasks: [(name: String, labels: [String])], maxSequenceLength: Int = 16) {
        for (number, task) in tasks.enumerated() {
            addLinear("decoders.\(number).model", TinyEncoder.hiddenSize, max(1, task.labels.count))
        }
        let heads = tasks.map { task -> [String: Any] in
            task.labels.isEmpty
                ? ["name": task.name, "type": "regression"]
                : ["name": task.name, "type": "classification", "labels": task.labels]
        }
        configuration["camtl"] = ["encoder_type": "bert", "max_seq_length": maxSequenceLength, "tasks": heads]
    }

    /// Writes the folder's `config.json`, `vocab.txt` and `model.safetensors`.
    func write(to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: folder.appendingPathComponent("config.json"))
        try Data(vocabulary.map { $0 + "\n" }.joined().utf8).write(to: folder.appendingPathComponent("vocab.txt"))
        var writer = SafetensorsWriter()
        for (name, weights) in tensors {
            try writer.add(name, TensorInfo(dtype: .float32, shape: weights.shape)) { sink in
                try weights.values.withUnsafeBytes { try sink($0) }
            }
        }
        try writer.write(to: folder.appendingPathComponent("model.safetensors"))
    }

    private mutating func addTable(_ name: String, rows: Int) {
        tensors["\(name).weight"] = randomWeights([rows, TinyEncoder.hiddenSize])
    }

    private mutating func addNorm(_ name: String) {
        let width = TinyEncoder.hiddenSize
        tensors["\(name).weight"] = Weights(shape: [width], values: Array(repeating: 1, count: width))
        tensors["\(name).bias"] = Weights(shape: [width], values: Array(repeating: 0, count: width))
    }

    private mutating func addLinear(_ name: String, _ inputs: Int, _ outputs: Int) {
        tensors["\(name).weight"] = randomWeights([outputs, inputs])
        tensors["\(name).bias"] = randomWeights([outputs])
    }

    private mutating func randomWeights(_ shape: [Int]) -> Weights {
        let count = shape.reduce(1, *)
        return Weights(shape: shape, values: (0..<count).map { _ in Float.random(in: -0.3...0.3, using: &random) })
    }
}

/// SplitMix64: the same numbers everywhere.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
