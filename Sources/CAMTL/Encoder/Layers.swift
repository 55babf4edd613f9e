import Torch

/// BERT's embeddings: LN(word + position + token type), then dropout.
final class Embeddings: Module {
    @Child("word_embeddings") var word: Embedding
    @Child("position_embeddings") var position: Embedding
    @Child("token_type_embeddings") var tokenType: Embedding
    @Child("LayerNorm") var norm: LayerNorm

    init(_ backbone: BERTConfiguration) {
        let (width, std) = (backbone.hiddenSize, backbone.initializerRange)
        super.init()
        word = Embedding(
            backbone.vocabularySize, width, std: std, paddingIndex: backbone.paddingTokenID, sparseGradient: true)
        position = Embedding(backbone.maxPositions, width, std: std)
        tokenType = Embedding(backbone.tokenTypeCount, width, std: std)
        norm = LayerNorm(width, epsilon: backbone.layerNormEpsilon)
    }

    /// -> [tokens, hidden].
    func callAsFunction(_ context: Context) throws -> Tensor {
        let layout = context.layout
        let place = try position(layout.positionIDs) + tokenType(layout.tokenTypeIDs)
        let normalized = try norm(word(layout.inputIDs), residual: place, layout: layout.packed)
        return observed(try dropout(normalized, probability: context.dropout.hidden))
    }
}

/// Multi-head attention of every token to its own sequence: softmax(M(z) + Q Kᵀ / √d) V.
final class SelfAttention: Module {
    @Child("") var bias: BlockDiagonalBias?
    @Child("query") var query: Linear
    @Child("key") var key: Linear
    @Child("value") var value: Linear
    private let headCount: Int

    init(_ configuration: ModelConfiguration) {
        let backbone = configuration.backbone
        headCount = backbone.attentionHeadCount
        super.init()
        bias = configuration.encoderType == .bert ? nil : BlockDiagonalBias(configuration)
        query = Linear(backbone.hiddenSize, backbone.hiddenSize, std: backbone.initializerRange)
        key = Linear(backbone.hiddenSize, backbone.hiddenSize, std: backbone.initializerRange)
        value = Linear(backbone.hiddenSize, backbone.hiddenSize, std: backbone.initializerRange)
    }

    /// [tokens, hidden] -> `rows` of them.
    func callAsFunction(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        let layout = context.layout
        func projection(_ linear: Linear, _ x: Tensor) throws -> Projection {
            Projection(product: try context.product(linear, x), bias: linear.bias)
        }
        let blocks = try context.condition.flatMap { try bias?(condition: $0.encoder, length: layout.longest) }
        return observed(
            try packedAttention(
                query: projection(query, layout.rows(rows, of: x)), key: projection(key, x),
                value: projection(value, x), blocks: blocks, heads: headCount, dropout: context.dropout.attention,
                layout: layout.packed, rows: rows))
    }
}

/// Norm(dropout(W x + b) + residual): the end of attention and of the feed-forward part.
final class Output: Module {
    @Child("dense") var dense: Linear
    @Child("LayerNorm") var norm: ConditionalLayerNorm

    init(_ inputs: Int, _ backbone: BERTConfiguration, conditional: Bool) {
        super.init()
        dense = Linear(inputs, backbone.hiddenSize, std: backbone.initializerRange)
        norm = ConditionalLayerNorm(backbone, conditional: conditional)
    }

    func callAsFunction(
        _ x: Tensor, residual: Tensor, _ context: Context, rows: PackedLayout.Rows
    ) throws -> Tensor {
        try finish(context.product(dense, x), residual: residual, context, rows: rows)
    }

    /// The same from W x.
    func finish(
        _ product: Tensor, residual: Tensor, _ context: Context, rows: PackedLayout.Rows
    ) throws -> Tensor {
        observed(
            try norm(
                product, bias: dense.bias, dropout: context.dropout.hidden, residual: residual, context, rows: rows))
    }
}

final class Attention: Module {
    @Child("self") var selfAttention: SelfAttention
    @Child("output") var output: Output

    init(_ configuration: ModelConfiguration, conditional: Bool) {
        super.init()
        selfAttention = SelfAttention(configuration)
        output = Output(configuration.backbone.hiddenSize, configuration.backbone, conditional: conditional)
    }

    /// [tokens, hidden] -> `rows` of them.
    func callAsFunction(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        let attended = try selfAttention(x, context, rows: rows)
        return observed(try output(attended, residual: context.layout.rows(rows, of: x), context, rows: rows))
    }
}

/// The wide half of the feed-forward part: activation(W x + b).
final class Intermediate: Module {
    @Child("dense") var dense: Linear
    let activation: BERTConfiguration.Activation

    init(_ backbone: BERTConfiguration) {
        activation = backbone.activation
        super.init()
        dense = Linear(backbone.hiddenSize, backbone.intermediateSize, std: backbone.initializerRange)
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        switch activation {
        case .gelu: observed(try gelu(dense.withoutBias(x), bias: dense.bias))
        case .relu: observed(try relu(dense(x)))
        }
    }
}

/// A layer of an encoder: [tokens, hidden] -> [tokens, hidden], or that of the first tokens alone, of which each still
/// attends to all.
class EncoderLayer: Module {
    var parts: (attention: Attention, intermediate: Intermediate, output: Output) {
        preconditionFailure("an encoder has layers of its subclasses only")
    }

    /// Those here and below, as all layers are made before the first of them computes.
    private(set) lazy var allParameters = namedParameters().map(\.parameter)

    /// The feed-forward part of what has been attended to.
    final func feedForward(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        let (_, intermediate, output) = parts
        guard let quantized = context.quantized else {
            return try output(intermediate(x), residual: x, context, rows: rows)
        }
        let product = try QuantizedLinear.feedForward(
            x, up: quantized[intermediate.dense], activation: intermediate.activation == .gelu ? .gelu : .relu,
            down: quantized[output.dense])
        return try output.finish(product, residual: x, context, rows: rows)
    }

    func callAsFunction(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        preconditionFailure("an encoder has layers of its subclasses only")
    }
}

/// BERT's layer, with the conditional attention bias in CA-MTL, and with conditional norms in the top half.
final class TransformerLayer: EncoderLayer {
    @Child("attention") var attention: Attention
    @Child("intermediate") var intermediate: Intermediate
    @Child("output") var output: Output

    init(_ configuration: ModelConfiguration, conditionalNorms: Bool) {
        let backbone = configuration.backbone
        super.init()
        attention = Attention(configuration, conditional: conditionalNorms)
        intermediate = Intermediate(backbone)
        output = Output(backbone.intermediateSize, backbone, conditional: conditionalNorms)
    }

    override var parts: (attention: Attention, intermediate: Intermediate, output: Output) {
        (attention, intermediate, output)
    }

    override func callAsFunction(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        let attended = try attention(x, context, rows: rows)
        return observed(try feedForward(attended, context, rows: rows))
    }
}

/// The base variant's last layer: names of its own, so that nothing pretrained is loaded into it, and a bottleneck
/// behind it.
///
/// Source: `BertLayer` with `adapter` in the original's ca_mtl_base.py.
final class AdapterLayer: EncoderLayer {
    @Child("new_attention") var attention: Attention
    @Child("new_intermediate") var intermediate: Intermediate
    @Child("new_output") var output: Output
    @Child("adapter") var adapter: Adapter

    init(_ configuration: ModelConfiguration) {
        let backbone = configuration.backbone
        super.init()
        attention = Attention(configuration, conditional: true)
        intermediate = Intermediate(backbone)
        output = Output(backbone.intermediateSize, backbone, conditional: true)
        adapter = Adapter(backbone)
    }

    override var parts: (attention: Attention, intermediate: Intermediate, output: Output) {
        (attention, intermediate, output)
    }

    override func callAsFunction(_ x: Tensor, _ context: Context, rows: PackedLayout.Rows) throws -> Tensor {
        let attended = try attention(x, context, rows: rows)
        let fed = try feedForward(attended, context, rows: rows)
        return observed(try adapter(fed, attended: attended, context, rows: rows))
    }
}

/// CLN(bottleneck(o) + a). The residual is the attention's output a, not the layer's o.
final class Adapter: Module {
    @Child("bottleneck") var bottleneck: ConditionalBottleneck
    @Child("condlayernorm") var norm: ConditionalLayerNorm

    init(_ backbone: BERTConfiguration) {
        super.init()
        bottleneck = ConditionalBottleneck(backbone)
        norm = ConditionalLayerNorm(backbone, conditional: true)
    }

    func callAsFunction(
        _ x: Tensor, attended: Tensor, _ context: Context, rows: PackedLayout.Rows
    ) throws -> Tensor {
        guard let condition = context.condition else {
            preconditionFailure("an adapter stands only in an encoder that has task embeddings")
        }
        let narrow = try bottleneck(x, condition: condition, layout: context.layout, rows: rows)
        return observed(try norm(narrow, residual: attended, context, rows: rows))
    }
}
