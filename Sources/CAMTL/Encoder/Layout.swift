import Tasks
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
    /// The sequences of each example, which stand one after the other: one, or as many as it has choices.
    public var sequenceCounts: [Int] = []

    public init() {}

    public var count: Int { lengths.count }

    /// Adds a sequence without padding.
    ///
    /// - Parameter continuesExample: whether it is a further one of the last example.
    public mutating func append<IDs: Collection<Int32>, Types: Collection<Int32>>(
        inputIDs: IDs, tokenTypeIDs: Types, taskID: Int, continuesExample: Bool = false
    ) {
        self.inputIDs.append(contentsOf: inputIDs.lazy.map(Int64.init))
        self.tokenTypeIDs.append(contentsOf: tokenTypeIDs.lazy.map(Int64.init))
        lengths.append(inputIDs.count)
        taskIDs.append(taskID)
        if continuesExample { sequenceCounts[sequenceCounts.count - 1] += 1 } else { sequenceCounts.append(1) }
    }
}

/// Where the tokens of a batch stand: what every layer needs to know of it, made once.
final class Layout {
    let longest: Int
    /// The tasks in the batch, in rising order: a "slot" is a position in this list.
    let tasks: [Int]
    /// What the decoder of each task has to do, by slot.
    let slots: [Slot]
    let inputIDs: Tensor
    let tokenTypeIDs: Tensor
    let positionIDs: Tensor
    let taskIDs: Tensor
    let packed: PackedLayout
    private let hasFirsts: Bool
    /// The token of each row that is read.
    private let readTokens: Tensor
    /// The sequences whose first token alone is read: their rows among those that are read; nil where it is so of all.
    private let firstRows: Tensor?

    /// The part of a batch that is of one task.
    struct Slot {
        /// Positions of its examples in the batch.
        var samples: [Int] = []
        /// The rows of the decoder's input of each example.
        var rowCounts: [Int] = []
        /// The rows of the decoder's input: among those that are read where it reads tokens, else among the pooled ones.
        var rows: [Int64] = []
    }

    /// - Parameters:
    ///   - batch: the sequences.
    ///   - inputs: what the decoder of each task reads, by the task's position in the model's list.
    ///   - device: where tensors are made.
    init(_ batch: PackedBatch, inputs: [DecoderInput], device: Device) throws {
        func tensor(_ values: [Int64]) throws -> Tensor { try Tensor(values, device: device) }
        longest = batch.lengths.max() ?? 0
        let tasks = Set(batch.taskIDs).sorted()
        self.tasks = tasks
        let slotOfTask = Dictionary(uniqueKeysWithValues: tasks.enumerated().map { ($1, $0) })
        let slotOfSequence = batch.taskIDs.map { slotOfTask[$0, default: 0] }
        var positions: [Int64] = []
        positions.reserveCapacity(batch.inputIDs.count)
        var (read, firsts): ([Int64], [Int64]) = ([], [])
        let reads = zip(batch.lengths, batch.taskIDs).map { inputs[$1] == .tokens ? $0 : 1 }
        var slots = tasks.map { _ in Slot() }
        var sequence = 0
        for (sample, count) in batch.sequenceCounts.enumerated() {
            let slot = slotOfSequence[sequence]
            slots[slot].samples.append(sample)
            slots[slot].rowCounts.append(reads[sequence..<sequence + count].reduce(0, +))
            for _ in 0..<count {
                let start = Int64(positions.count)
                if inputs[batch.taskIDs[sequence]] == .tokens {
                    slots[slot].rows += Int64(read.count)..<Int64(read.count + reads[sequence])
                } else {
                    slots[slot].rows.append(Int64(firsts.count))
                    firsts.append(Int64(read.count))
                }
                read += start..<start + Int64(reads[sequence])
                positions.append(contentsOf: 0..<Int64(batch.lengths[sequence]))
                sequence += 1
            }
        }
        self.slots = slots
        inputIDs = try tensor(batch.inputIDs)
        tokenTypeIDs = try tensor(batch.tokenTypeIDs)
        positionIDs = try tensor(positions)
        taskIDs = try tensor(tasks.map(Int64.init))
        readTokens = try tensor(read)
        hasFirsts = !firsts.isEmpty
        firstRows = firsts.count == read.count ? nil : try tensor(firsts)
        packed = try PackedLayout(
            lengths: batch.lengths, slots: slotOfSequence, slotCount: tasks.count, attentionMask: batch.attentionMask,
            reads: firsts.count == read.count ? nil : reads)
    }

    /// [tokens, hidden] -> itself, or the rows that are read.
    func rows(_ rows: PackedLayout.Rows, of x: Tensor) throws -> Tensor {
        rows == .tokens ? x : try x.selected(0, readTokens)
    }

    /// The rows that are read -> those of first tokens that are pooled, or nil where none is.
    func firstTokens(of read: Tensor) throws -> Tensor? {
        hasFirsts ? try firstRows.map { try read.selected(0, $0) } ?? read : nil
    }

    /// What the decoders of the slot's kind read -> the rows of the task in `slot`.
    func rows(of slot: Int, _ x: Tensor) throws -> Tensor {
        slots[slot].rows.count == x.size(0) ? x : try x.selected(0, Tensor(slots[slot].rows, device: x.device))
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
