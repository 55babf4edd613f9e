import Tasks
import Torch

/// tanh(W h + b) of each sequence's first token.
final class Pooler: Module {
    @Child("dense") var dense: Linear

    init(_ backbone: BERTConfiguration) {
        super.init()
        dense = Linear(backbone.hiddenSize, backbone.hiddenSize, std: backbone.initializerRange)
    }

    /// [sequences, hidden] -> [sequences, hidden].
    func callAsFunction(_ first: Tensor) throws -> Tensor { observed(try tanh(dense(first))) }
}

/// BERT, plain or conditioned by a task embedding.
final class ConditionedBERT: Module {
    @Child("task_type_embeddings") var taskEmbedding: Embedding?
    @Child("conditional_alignment") var alignment: FiLM?
    @Child("embeddings") var embeddings: Embeddings
    @Child("encoder") var encoder: BERTEncoder
    @Child("pooler") var pooler: Pooler

    init(_ configuration: ModelConfiguration) {
        let backbone = configuration.backbone
        let (width, std) = (backbone.hiddenSize, backbone.initializerRange)
        let isConditioned = configuration.encoderType != .bert
        super.init()
        taskEmbedding = isConditioned ? Embedding(configuration.tasks.count, width, std: std) : nil
        alignment = isConditioned ? FiLM(condition: width, width: width, std: std) : nil
        embeddings = Embeddings(backbone)
        encoder = BERTEncoder(configuration)
        pooler = Pooler(backbone)
    }

    func condition(_ layout: Layout) throws -> TaskCondition? {
        guard let taskEmbedding, let transformation = encoder.taskTransformation else { return nil }
        let embedding = try taskEmbedding(layout.taskIDs)
        return TaskCondition(embedding: embedding, encoder: try transformation(embedding))
    }

    /// -> the encoder's output, its rows that are read, and of the sequences whose first token alone is read
    /// [sequences, hidden].
    func callAsFunction(_ context: Context) throws -> (output: Tensor, read: Tensor, pooled: Tensor?) {
        var hidden = try embeddings(context)
        if let alignment, let condition = context.condition {
            hidden = try alignment(hidden, condition: condition.embedding, layout: context.layout)
        }
        let output = try encoder(hidden, context)
        let read = context.output == .read ? output : try context.layout.rows(.read, of: output)
        return (output, read, try context.layout.firstTokens(of: read).map(pooler.callAsFunction))
    }
}

/// A task's own output: dropout, then W p + b on the pooled first token, or on each token of the encoder's output.
final class TaskDecoder: Module {
    @Child("model") var linear: Linear

    init(_ backbone: BERTConfiguration, outputs: Int) {
        super.init()
        linear = Linear(backbone.hiddenSize, outputs, std: backbone.initializerRange)
    }

    /// [n, hidden] -> [n, width of the task's kind].
    func callAsFunction(_ rows: Tensor, dropout rate: Double) throws -> Tensor {
        try linear(dropout(rows, probability: rate))
    }
}

/// CA-MTL: an encoder that serves many tasks, and a decoder for each.
public final class CAMTLModel: Module {
    @Child("bert") var bert: ConditionedBERT
    @Child("decoders") var decoders: [TaskDecoder]

    public private(set) var configuration: ModelConfiguration

    /// The embeddings of tasks that don't train beside one that does, by the tasks' positions.
    var keptEmbeddings: [(task: Int, row: Tensor)] = []

    /// The model without values: `materialize` or `load` gives it some.
    public init(_ configuration: ModelConfiguration) throws {
        try configuration.validate()
        self.configuration = configuration
        super.init()
        bert = ConditionedBERT(configuration)
        decoders = configuration.tasks.map { TaskDecoder(configuration.backbone, outputs: $0.numberOfLabels) }
    }

    /// Makes a task's kind another of the same width: one with other options.
    public func setKind(_ kind: any TaskKind, ofTask task: Int) {
        precondition(kind.width == configuration.tasks[task].kind.width, "a decoder keeps its width")
        configuration.tasks[task].kind = kind
    }

    /// Whether a task's kind is what its labels make it.
    public func hasPlainKind(_ task: Int) -> Bool { configuration.tasks[task].kind.recordedOptions.isEmpty }

    /// Where the parameters are, and all is computed.
    public var device: Device { bert.embeddings.word.weight.device }

    /// The type that the encoder's layers compute their matrix products in, and the scores of attention: `bfloat16` or
    /// `float16`; nil is the parameters' own. Everything else, gradients of parameters too, is of the parameters' type.
    public var productType: DType? {
        get { bert.encoder.rowwiseLinears.first?.productType }
        set { for linear in bert.encoder.rowwiseLinears { linear.productType = newValue } }
    }

    /// One pass over a batch of any tasks.
    /// - Parameters:
    ///   - batch: sequences with their tasks.
    ///   - dropout: `.none`, or the rates to train with.
    ///   - sequence: whether the encoder's output is wanted for every token. Most decoders read the first token's alone,
    ///     and without the others the last layer has little to compute for their sequences.
    ///   - quantized: what computes in place of the encoder's wide layers, without gradients; nil for themselves.
    ///   - recomputesLayers: whether layers keep only what goes into them, and are computed again for their gradients.
    /// - Throws: `TorchError`; `ModelError.badBatch` for a batch that the model can't take.
    public func callAsFunction(
        _ batch: PackedBatch, dropout: DropoutRates = .none, sequence: Bool = false, quantized: QuantizedLayers? = nil,
        recomputesLayers: Bool = false
    ) throws -> ModelOutput {
        try check(batch)
        let layout = try Layout(
            batch, inputs: configuration.tasks.map { type(of: $0.kind).decoderInput }, device: device)
        let context = Context(
            layout: layout, dropout: dropout, condition: try bert.condition(layout),
            output: sequence ? .tokens : .read, quantized: quantized, recomputesLayers: recomputesLayers)
        let (output, read, pooled) = try bert(context)
        let outputs = try layout.tasks.enumerated().map { slot, task in
            let readsTokens = type(of: configuration.tasks[task].kind).decoderInput == .tokens
            guard let input = readsTokens ? read : pooled else {
                preconditionFailure("the first tokens of a task's sequences are pooled where its decoder reads them")
            }
            return TaskLogits(
                task: task, samples: layout.slots[slot].samples, rowCounts: layout.slots[slot].rowCounts,
                logits: try decoders[task](layout.rows(of: slot, input), dropout: dropout.decoder))
        }
        return ModelOutput(sequence: sequence ? output : nil, pooled: pooled, tasks: outputs)
    }

    private func check(_ batch: PackedBatch) throws {
        let limit =
            configuration.encoderType == .bert
            ? configuration.backbone.maxPositions : configuration.maxSequenceLength
        if batch.count == 0 { throw ModelError.badBatch("it has no sequences") }
        let tokens = batch.lengths.reduce(0, +)
        guard batch.taskIDs.count == batch.count, batch.inputIDs.count == tokens,
            batch.sequenceCounts.reduce(0, +) == batch.count, batch.sequenceCounts.allSatisfy({ $0 > 0 }),
            batch.tokenTypeIDs.count == tokens, batch.attentionMask?.count ?? tokens == tokens
        else { throw ModelError.badBatch("its lists don't fit its \(batch.count) sequences of \(tokens) tokens") }
        if let length = batch.lengths.first(where: { $0 > limit || $0 == 0 }) {
            throw ModelError.badBatch("a sequence has \(length) tokens; 1 to \(limit) can be taken")
        }
        if let task = batch.taskIDs.first(where: { !decoders.indices.contains($0) }) {
            throw ModelError.badBatch("there is no task number \(task)")
        }
        let rows = Int64(configuration.backbone.vocabularySize)
        if let id = batch.inputIDs.first(where: { $0 < 0 || $0 >= rows }) {
            throw ModelError.badBatch("the token id \(id) is outside of the vocabulary, 0 to \(rows - 1)")
        }
        let types = Int64(configuration.backbone.tokenTypeCount)
        if let type = batch.tokenTypeIDs.first(where: { $0 < 0 || $0 >= types }) {
            throw ModelError.badBatch("the token type id \(type) is outside of 0 to \(types - 1)")
        }
    }
}

/// What a task's decoder gave for its sequences of a batch.
public struct TaskLogits {
    /// The task's position in the model's list.
    public let task: Int
    /// Positions of its examples in the batch.
    public let samples: [Int]
    /// The rows of the logits that each of these has: one, or one a choice, or one a token.
    public let rowCounts: [Int]
    /// [rows, width of the task's kind].
    public let logits: Tensor
}

public struct ModelOutput {
    /// The encoder's output: [tokens, hidden]; nil where it wasn't asked for.
    public let sequence: Tensor?
    /// [sequences, hidden], of the sequences whose decoder reads no more; nil where there are none.
    public let pooled: Tensor?
    /// The tasks in the batch, in rising order.
    public let tasks: [TaskLogits]
}
