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
///
/// Linear layers and norms work on the tokens alone, [tokens, hidden]; attention works on a rectangle [sequences,
/// longest, hidden].
final class Layout {
    let count: Int
    let longest: Int
    /// The tasks in the batch, in rising order: a "slot" is a position in this list.
    let tasks: [Int]
    /// Positions of each task's sequences in the batch, by slot.
    let samples: [[Int]]
    let inputIDs: Tensor
    let tokenTypeIDs: Tensor
    let positionIDs: Tensor
    let taskIDs: Tensor
    private let firstTokens: Tensor
    private let sampleSlots: Tensor
    private let tokenSlots: Tensor
    /// nil where the sequences are all of one length and the tokens already are a rectangle.
    private let rectangle: (fromTokens: Tensor, toTokens: Tensor)?
    /// -10000 where a key is padding, as BERT has it: [sequences, 1, 1, longest], or nil.
    private let paddingBias: Tensor?

    init(_ batch: PackedBatch, dtype: DType, device: Device) throws {
        func tensor(_ values: [Int64]) throws -> Tensor { try Tensor(values).to(device: device) }
        count = batch.count
        let longest = batch.lengths.max() ?? 0
        self.longest = longest
        let tasks = Set(batch.taskIDs).sorted()
        self.tasks = tasks
        let slotOfTask = Dictionary(uniqueKeysWithValues: tasks.enumerated().map { ($1, $0) })
        let slots = batch.taskIDs.map { slotOfTask[$0, default: 0] }
        samples = tasks.indices.map { slot in slots.indices.filter { slots[$0] == slot } }

        var positions: [Int64] = []
        var tokenSlots: [Int64] = []
        var firsts: [Int64] = []
        var toTokens: [Int64] = []
        var fromTokens: [Int64] = []
        var padding: [Float] = []
        var hasPadding = batch.lengths.contains { $0 != longest }
        for (sequence, length) in batch.lengths.enumerated() {
            let first = positions.count
            firsts.append(Int64(first))
            for position in 0..<longest {
                let isToken = position < length
                let isVisible = isToken && batch.attentionMask?[first + position] ?? true
                // A place without a token repeats the sequence's first one; nothing attends to it or reads it.
                fromTokens.append(Int64(isToken ? first + position : first))
                padding.append(isVisible ? 0 : -10_000)
                hasPadding = hasPadding || !isVisible
                guard isToken else { continue }
                toTokens.append(Int64(sequence * longest + position))
                positions.append(Int64(position))
                tokenSlots.append(Int64(slots[sequence]))
            }
        }
        inputIDs = try tensor(batch.inputIDs)
        tokenTypeIDs = try tensor(batch.tokenTypeIDs)
        positionIDs = try tensor(positions)
        taskIDs = try tensor(tasks.map(Int64.init))
        firstTokens = try tensor(firsts)
        sampleSlots = try tensor(slots.map(Int64.init))
        self.tokenSlots = try tensor(tokenSlots)
        rectangle =
            toTokens.count == fromTokens.count ? nil : (try tensor(fromTokens), try tensor(toTokens))
        paddingBias =
            hasPadding ? try Tensor(padding, shape: [count, 1, 1, longest]).to(dtype, device: device) : nil
    }

    /// Rows of the tasks in the batch [tasks, width] -> a row a token, as far as broadcasting needs it.
    func perToken(_ table: Tensor) throws -> Tensor {
        tasks.count == 1 ? table : try embedding(tokenSlots, table: table)
    }

    /// [tokens, hidden] -> [sequences, heads, longest, hidden / heads].
    func heads(_ x: Tensor, count heads: Int) throws -> Tensor {
        let rows = try rectangle.map { try x.selected(0, $0.fromTokens) } ?? x
        return try rows.reshaped([count, longest, heads, -1]).transposed(1, 2)
    }

    /// [sequences, heads, longest, hidden / heads] -> [tokens, hidden].
    func tokens(_ x: Tensor) throws -> Tensor {
        let rows = try x.transposed(1, 2).reshaped([count * longest, x.size(1) * x.size(3)])
        return try rectangle.map { try rows.selected(0, $0.toTokens) } ?? rows
    }

    /// What attention adds to its scores: the tasks' biases [tasks, longest, longest], or nil, and the padding's.
    func attentionBias(_ taskBias: Tensor?) throws -> Tensor? {
        guard let taskBias else { return paddingBias }
        let bias =
            try (tasks.count == 1 ? taskBias : taskBias.selected(0, sampleSlots)).unsqueezed(1)
        return try paddingBias.map { try bias + $0 } ?? bias
    }

    /// [tokens, hidden] -> the first token of each sequence: [sequences, hidden].
    func first(_ x: Tensor) throws -> Tensor { try x.selected(0, firstTokens) }

    /// [sequences, width] -> those of the task in `slot`.
    func rows(of slot: Int, _ x: Tensor) throws -> Tensor {
        tasks.count == 1 ? x : try x.selected(0, Tensor(samples[slot].map(Int64.init)).to(device: x.device))
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
}
