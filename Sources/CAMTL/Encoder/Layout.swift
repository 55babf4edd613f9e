import Torch

/// Sequences of a batch, one after the other without padding: the model's input.
public struct PackedBatch: Sendable, Equatable {
    /// Token ids of all sequences, one sequence after the other: [tokens].
    public var inputIDs: [Int64] = []
    /// 0 in a sequence's first segment, 1 in its second: [tokens].
    public var tokenTypeIDs: [Int64] = []
    /// The tokens of each sequence.
    public var lengths: [Int] = []
    /// The position of each sequence's task in the model's list.
    public var taskIDs: [Int] = []
    /// Whether a token may be attended to: [tokens], or nil where all may. Sequences that do carry padding say so here.
    public var attentionMask: [Bool]?

    public init() {}

    public var count: Int { lengths.count }

    /// Adds a sequence without padding.
    public mutating func append<IDs: Collection<Int32>, Types: Collection<Int32>>(
        inputIDs: IDs, tokenTypeIDs: Types, taskID: Int
    ) {
        self.inputIDs.append(contentsOf: inputIDs.lazy.map(Int64.init))
        self.tokenTypeIDs.append(contentsOf: tokenTypeIDs.lazy.map(Int64.init))
        lengths.append(inputIDs.count)
        taskIDs.append(taskID)
    }
}

/// Where the tokens of a batch stand: what every layer needs to know of it, made once.
final class Layout {
    let longest: Int
    /// The tasks in the batch, in rising order: a "slot" is a position in this list.
    let tasks: [Int]
    /// Positions of each task's sequences in the batch, by slot.
    let samples: [[Int]]
    let inputIDs: Tensor
    let tokenTypeIDs: Tensor
    let positionIDs: Tensor
    let taskIDs: Tensor
    let packed: PackedLayout
    private let firstTokens: Tensor

    init(_ batch: PackedBatch, device: Device) throws {
        func tensor(_ values: [Int64]) throws -> Tensor { try Tensor(values, device: device) }
        longest = batch.lengths.max() ?? 0
        let tasks = Set(batch.taskIDs).sorted()
        self.tasks = tasks
        let slotOfTask = Dictionary(uniqueKeysWithValues: tasks.enumerated().map { ($1, $0) })
        let slots = batch.taskIDs.map { slotOfTask[$0, default: 0] }
        samples = tasks.indices.map { slot in slots.indices.filter { slots[$0] == slot } }
        var firsts: [Int64] = []
        var positions: [Int64] = []
        positions.reserveCapacity(batch.inputIDs.count)
        for length in batch.lengths {
            firsts.append(Int64(positions.count))
            positions.append(contentsOf: 0..<Int64(length))
        }
        inputIDs = try tensor(batch.inputIDs)
        tokenTypeIDs = try tensor(batch.tokenTypeIDs)
        positionIDs = try tensor(positions)
        taskIDs = try tensor(tasks.map(Int64.init))
        firstTokens = try tensor(firsts)
        packed = try PackedLayout(
            lengths: batch.lengths, slots: slots, slotCount: tasks.count, attentionMask: batch.attentionMask)
    }

    /// [tokens, hidden] -> itself, or the first token of each sequence: [sequences, hidden].
    func rows(_ rows: PackedLayout.Rows, of x: Tensor) throws -> Tensor {
        rows == .tokens ? x : try x.selected(0, firstTokens)
    }

    /// [sequences, width] -> those of the task in `slot`.
    func rows(of slot: Int, _ x: Tensor) throws -> Tensor {
        tasks.count == 1 ? x : try x.selected(0, Tensor(samples[slot].map(Int64.init), device: x.device))
    }
}

/// The learned embeddings of the tasks in a batch.
struct TaskCondition {
    /// e, which conditions the alignment: [tasks, hidden].
    let embedding: Tensor
    /// z = W e + b, which conditions everything in the encoder: [tasks, hidden].
    let encoder: Tensor
}

/// Probabilities of dropout; all 0 outside of training.
public struct DropoutRates: Sendable, Equatable {
    public var hidden: Double
    public var attention: Double
    public var decoder: Double

    public init(hidden: Double, attention: Double, decoder: Double) {
        self.hidden = hidden
        self.attention = attention
        self.decoder = decoder
    }

    public static let none = DropoutRates(hidden: 0, attention: 0, decoder: 0)
}

/// What a forward pass hands to every layer.
struct Context {
    let layout: Layout
    let dropout: DropoutRates
    /// nil in plain BERT.
    let condition: TaskCondition?
    /// The rows of the encoder's output that are read. Nothing else depends on the others of its last layer: they are
    /// not computed.
    let output: PackedLayout.Rows
    /// What stands in for the wide layers, or nil where they compute exactly.
    let quantized: QuantizedLayers?
    /// Whether layers keep only what goes into them, and are computed again for their gradients.
    var recomputesLayers = false

    /// The same with another z.
    func conditioned(by encoder: Tensor) -> Context {
        Context(
            layout: layout, dropout: dropout,
            condition: condition.map { TaskCondition(embedding: $0.embedding, encoder: encoder) }, output: output,
            quantized: quantized)
    }

    /// x Wᵀ.
    func product(_ linear: Linear, _ x: Tensor) throws -> Tensor {
        try quantized.map { try $0[linear](x) } ?? linear.withoutBias(x)
    }
}
