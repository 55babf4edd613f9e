import Tasks

/// The floating-point operations of a pass through a model. A multiplication with the addition behind it counts as two.
public struct PassOperations: Sendable, Equatable {
    public var forward = 0.0
    public var backward = 0.0

    /// Of a training step's forward and backward pass.
    public var total: Double { forward + backward }

    /// - Parameter gradients: the products of the same size that the backward pass makes: one for each of the two
    ///   factors that has a gradient.
    fileprivate mutating func add(_ operations: Double, gradients: Int) {
        forward += operations
        backward += Double(gradients) * operations
    }
}

/// Counts the floating-point operations that a model needs for the tokens that a batch really has.
///
/// Matrix products alone are counted: 2 · in · out for each row that a linear layer is needed at, and 4 · l² · hidden
/// for the attention of a sequence of l tokens. Of the last layer r positions are read, the first, or all where the task's
/// decoder reads tokens, so that it needs keys and values of all tokens, and all else at the positions that are read:
/// 4 · r · l · hidden of attention. A task's bottlenecks are needed at these positions, and what a task's embedding
/// decides once for each task in the batch.
/// The backward pass needs a product for each factor that has a gradient: none for weights that are frozen, nor for
/// inputs that nothing trainable lies before. Embeddings are looked up, which is no arithmetic.
public struct Arithmetic: Sendable, Equatable {
    private let configuration: ModelConfiguration
    private let frozenLayers: Set<Int>
    private let hasFrozenEmbeddings: Bool

    /// - Parameters:
    ///   - configuration: the model's.
    ///   - frozenLayers: the encoder layers, from 0, whose linear layers do not train. What conditions them does.
    ///   - hasFrozenEmbeddings: whether word, position and token type embeddings do not train.
    public init(
        _ configuration: ModelConfiguration, frozenLayers: Set<Int> = [], hasFrozenEmbeddings: Bool = false
    ) {
        self.configuration = configuration
        self.frozenLayers = frozenLayers
        self.hasFrozenEmbeddings = hasFrozenEmbeddings
    }

    /// What a batch needs.
    /// - Parameters:
    ///   - lengths: the tokens of each sequence.
    ///   - taskIDs: the position of each sequence's task in the model's list.
    public func operations(lengths: [Int], taskIDs: [Int]) -> PassOperations {
        let readsTokens = taskIDs.map { type(of: configuration.tasks[$0].kind).decoderInput == .tokens }
        let rows = Rows(
            lengths: lengths, reads: zip(lengths, readsTokens).map { $1 ? $0 : 1 }, taskCount: Set(taskIDs).count)
        let hidden = Double(configuration.backbone.hiddenSize)
        var pass = PassOperations()
        // The alignment and the task embeddings train, and lie before the first layer.
        var hasInputGradient = configuration.encoderType != .bert || !hasFrozenEmbeddings
        for layer in 0..<configuration.backbone.layerCount {
            addLayer(layer, rows, &hasInputGradient, to: &pass)
        }
        if configuration.encoderType != .bert { addConditioning(rows, to: &pass) }
        pass.add(
            2 * hidden * hidden * Double(readsTokens.count { !$0 }), gradients: hasInputGradient ? 2 : 1)
        let outputs = zip(taskIDs, rows.reads).reduce(0) { $0 + Double(configuration.tasks[$1.0].numberOfLabels * $1.1) }
        pass.add(2 * hidden * outputs, gradients: 2)
        return pass
    }

    /// The rows that products are made for.
    private struct Rows {
        let tokens: Double
        /// The positions that are read of each sequence's last layer.
        let reads: [Int]
        let read: Double
        /// Pairs of a position that is read and a token of its sequence.
        let readPairs: Double
        /// Pairs of tokens of one sequence.
        let pairs: Double
        let tasks: Double

        init(lengths: [Int], reads: [Int], taskCount: Int) {
            self.reads = reads
            read = reads.reduce(0) { $0 + Double($1) }
            readPairs = zip(lengths, reads).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            tokens = lengths.reduce(0) { $0 + Double($1) }
            pairs = lengths.reduce(0) { $0 + Double($1) * Double($1) }
            tasks = Double(taskCount)
        }
    }

    /// Attention and feed-forward part of a layer.
    /// - Parameter hasInputGradient: whether what comes into the layer has a gradient; then, what goes out of it.
    private func addLayer(_ layer: Int, _ rows: Rows, _ hasInputGradient: inout Bool, to pass: inout PassOperations) {
        let hidden = Double(configuration.backbone.hiddenSize)
        let wide = Double(configuration.backbone.intermediateSize)
        let isLast = layer == configuration.backbone.layerCount - 1
        let read = isLast ? rows.read : rows.tokens
        let weights = frozenLayers.contains(layer) ? 0 : 1
        pass.add(2 * hidden * hidden * (2 * rows.tokens + read), gradients: weights + (hasInputGradient ? 1 : 0))
        hasInputGradient = hasInputGradient || weights > 0
        let inner = hasInputGradient ? 1 : 0
        pass.add(4 * hidden * (isLast ? rows.readPairs : rows.pairs), gradients: 2 * inner)
        pass.add((2 * hidden * hidden + 4 * hidden * wide) * read, gradients: weights + inner)
    }

    /// What CA-MTL adds, all of which trains.
    private func addConditioning(_ rows: Rows, to pass: inout PassOperations) {
        let (hidden, layers) = (configuration.backbone.hiddenSize, configuration.backbone.layerCount)
        let length = configuration.maxSequenceLength
        let blockWidth = ceilingDivision(length, hidden / length)
        let isBase = configuration.encoderType == .caMTLBase
        // Each has γ and β of as many columns.
        let norms = isBase ? 2 * (layers - layers / 2) + 1 : 2 * (layers - ceilingDivision(layers, 2))
        let bottlenecks = isBase ? 1 : layers
        let modulations = 1 + norms + bottlenecks
        let columns = 2 * hidden * modulations + 2 * blockWidth * layers + hidden * (1 + bottlenecks)
        pass.add(2 * Double(hidden) * Double(columns) * rows.tasks, gradients: 2)
        pass.add(4 * Double(hidden) * Double(hidden / 3) * Double(bottlenecks) * rows.read, gradients: 2)
    }
}

extension CAMTLModel {
    /// Counts the operations of this model with what is frozen in it now.
    public var arithmetic: Arithmetic {
        var frozenLayers: Set<Int> = []
        var hasFrozenEmbeddings = false
        for (name, parameter) in namedParameters() where !parameter.isTrainable {
            let parts = name.split(separator: ".")
            if name == "bert.embeddings.word_embeddings.weight" { hasFrozenEmbeddings = true }
            guard name.hasSuffix(".query.weight"), parts.count > 3, let layer = Int(parts[3]) else { continue }
            frozenLayers.insert(layer)
        }
        return Arithmetic(configuration, frozenLayers: frozenLayers, hasFrozenEmbeddings: hasFrozenEmbeddings)
    }
}
