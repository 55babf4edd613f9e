import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

/// `tiny.json`: small models with random parameters, and what the original computed with them.
struct TinyModels: Decodable {
    /// By name. What stands before the first "_" is the architecture: base, large or bert.
    let kinds: [String: TinyKind]
    let runs: [TinyRun]

    static func read() throws -> TinyModels { try GoldenFiles.json("tiny.json") }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let entries = try container.decode([String: Entry].self)
        var kinds: [String: TinyKind] = [:]
        var runs: [TinyRun] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            switch entry {
            case .kind(let kind): kinds[name] = kind
            case .run(let results):
                let parts = name.split(separator: ".").map(String.init)
                guard parts.count == 3, let dtype = DType(golden: parts[2]) else {
                    throw DecodingError.dataCorruptedError(in: container, debugDescription: "an entry named \(name)")
                }
                runs.append(TinyRun(kind: parts[0], batch: parts[1], dtype: dtype, results: results))
            }
        }
        self.kinds = kinds
        self.runs = runs
    }

    private enum Entry: Decodable {
        case kind(TinyKind)
        case run(TinyRun.Results)

        private enum CodingKeys: CodingKey { case config }

        init(from decoder: any Decoder) throws {
            let isKind = try decoder.container(keyedBy: CodingKeys.self).contains(.config)
            self = isKind ? .kind(try TinyKind(from: decoder)) : .run(try TinyRun.Results(from: decoder))
        }
    }
}

extension DType {
    /// f32, f64, or torch's name.
    init?(golden name: String) {
        switch name {
        case "f32", "torch.float32": self = .float32
        case "f64", "torch.float64": self = .float64
        default: return nil
        }
    }

    var goldenName: String { self == .float64 ? "f64" : "f32" }
}

/// One batch that went through one model.
struct TinyRun: CustomStringConvertible {
    struct Results: Decodable {
        let loss: Double
        /// Of each sample.
        let entropy: [Double]
    }

    let kind: String
    let batch: String
    let dtype: DType
    let results: Results

    var description: String { "\(kind).\(batch).\(dtype.goldenName)" }
}

struct TinyKind: Decodable {
    struct Freezing: Decodable {
        let trainable: [String]
        let frozen: [String]
        let nTrainable: Int
        let nTotal: Int
    }

    private struct Encoder: Decodable {
        let hiddenSize: Int
        let numHiddenLayers: Int
        let numAttentionHeads: Int
        let intermediateSize: Int
        let vocabSize: Int
        let maxPositionEmbeddings: Int
    }

    private let config: Encoder
    private let layerNormEps: Double
    private let hiddenAct: String
    private let maxSeqLength: Int
    private let tasks: [String]
    private let numLabels: [Int]
    /// The parameters without a gradient, by batch.
    let gradNone: [String: [String]]
    /// By range of layers.
    let freeze: [String: Freezing]
    /// The shape of each parameter.
    let params: [String: [Int]]

    func configuration(_ name: String) throws -> ModelConfiguration {
        let architectures: [String: EncoderType] = ["base": .caMTLBase, "large": .caMTLLarge, "bert": .bert]
        let architecture = String(name.prefix { $0 != "_" })
        let activation = String(hiddenAct.prefix { $0 != "(" })
        var backbone = BERTConfiguration(
            hiddenSize: config.hiddenSize, layerCount: config.numHiddenLayers,
            attentionHeadCount: config.numAttentionHeads, intermediateSize: config.intermediateSize,
            vocabularySize: config.vocabSize)
        backbone.maxPositions = config.maxPositionEmbeddings
        backbone.layerNormEpsilon = layerNormEps
        backbone.activation = try XCTUnwrap(.init(rawValue: activation), "\(name): hiddenAct \(hiddenAct)")
        return ModelConfiguration(
            encoderType: try XCTUnwrap(architectures[architecture], "a kind of model named \(name)"),
            backbone: backbone, maxSequenceLength: maxSeqLength, tasks: TaskHead.named(tasks, numLabels))
    }

    /// The model with the golden set's parameters.
    func model(_ name: String, _ dtype: DType) throws -> CAMTLModel {
        let parameters = try GoldenFiles.tensors("tiny_\(name).params")
        let model = try CAMTLModel(configuration(name))
        try model.materialize(seed: 0, dtype: dtype) { name, _ in try parameters.tensor(name) }
        return model
    }
}

extension TaskHead {
    /// Tasks by their names and numbers of labels, of which 1 means a regression.
    static func named(_ names: [String], _ labelCounts: [Int]) -> [TaskHead] {
        zip(names, labelCounts).map { name, count in
            guard let kind = try? Classification(labels: (0..<count).map { "label \($0)" }) else {
                return TaskHead(name: name, kind: Regression())
            }
            return TaskHead(name: name, kind: kind)
        }
    }
}

/// A batch as the original takes it: [samples, length], padded.
struct GoldenBatch {
    let length: Int
    let labels: [Double]
    let taskIDs: [Int]
    private let inputIDs: [Int64]
    private let tokenTypeIDs: [Int64]
    private let isVisible: [Bool]

    /// - Parameter prefix: what the batch's tensors' names begin with.
    init(_ tensors: GoldenTensors, prefix: String = "") throws {
        func integers(_ name: String) throws -> [Int64] { try tensors.tensor(prefix + name).elements() }
        length = try tensors.tensor(prefix + "input_ids").size(1)
        labels = try tensors.values(prefix + "labels")
        taskIDs = try integers("task_id").map(Int.init)
        inputIDs = try integers("input_ids")
        tokenTypeIDs = try integers("token_type_ids")
        isVisible = try integers("attention_mask").map { $0 != 0 }
    }

    var count: Int { taskIDs.count }

    /// How much of each row a model is given.
    enum Cut: CaseIterable {
        /// The whole row, as the original takes it.
        case none
        /// As much as the row that needs the most.
        case toLongest
        /// Each row without the padding at its end.
        case toTokens
    }

    /// The positions kept of each row. One in which nothing may be attended to keeps them all, as what softmax makes of
    /// it depends on their number.
    func lengths(_ cut: Cut) -> [Int] {
        let needed = isVisible.chunks(count).map { row in
            row.lastIndex(of: true).map { $0 + 1 - row.startIndex } ?? length
        }
        return switch cut {
        case .none: needed.map { _ in length }
        case .toLongest: needed.map { _ in needed.max() ?? length }
        case .toTokens: needed
        }
    }

    /// Where the kept positions stand among all: what a model computes for its n-th token, the original did for the
    /// n-th of these.
    func positions(_ cut: Cut) -> [Int] {
        lengths(cut).enumerated().flatMap { row, count in (0..<count).map { row * length + $0 } }
    }

    /// The model's input: with a mask if positions are kept that may not be attended to.
    func packed(_ cut: Cut) -> PackedBatch {
        let positions = positions(cut)
        var batch = PackedBatch()
        batch.inputIDs = positions.map { inputIDs[$0] }
        batch.tokenTypeIDs = positions.map { tokenTypeIDs[$0] }
        batch.lengths = lengths(cut)
        batch.taskIDs = taskIDs
        batch.sequenceCounts = taskIDs.map { _ in 1 }
        let mask = positions.map { isVisible[$0] }
        batch.attentionMask = mask.contains(false) ? mask : nil
        return batch
    }
}
