import Torch

/// The layers, one of three kinds: base (an adapter in the last layer), large (a chain of bottlenecks beside the
/// layers), plain BERT.
final class BERTEncoder: Module {
    @Child("task_transformation") var taskTransformation: Linear?
    @Child("layer") var layers: [EncoderLayer]
    @Child("adapter_layer") var bottlenecks: [ConditionalBottleneck]

    init(_ configuration: ModelConfiguration) {
        let backbone = configuration.backbone
        let count = backbone.layerCount
        super.init()
        taskTransformation =
            configuration.encoderType == .bert
            ? nil : Linear(backbone.hiddenSize, backbone.hiddenSize, std: backbone.initializerRange)
        switch configuration.encoderType {
        case .bert:
            layers = (0..<count).map { _ in TransformerLayer(configuration, conditionalNorms: false) }
            bottlenecks = []
        case .caMTLBase:
            layers =
                (0..<count - 1).map { TransformerLayer(configuration, conditionalNorms: $0 >= count / 2) }
                + [AdapterLayer(configuration)]
            bottlenecks = []
        case .caMTLLarge:
            layers = (0..<count).map {
                TransformerLayer(configuration, conditionalNorms: $0 >= ceilingDivision(count, 2))
            }
            bottlenecks = (0..<count).map { _ in ConditionalBottleneck(backbone) }
        }
    }

    /// What computes on a row a token: nearly all the work. What there is but once a task stays apart.
    var rowwiseLinears: [Linear] {
        let projections = layers.flatMap { layer in
            let (attention, intermediate, output) = layer.parts
            let own = attention.selfAttention
            return [own.query, own.key, own.value, attention.output.dense, intermediate.dense, output.dense]
        }
        let adapters = layers.compactMap { ($0 as? AdapterLayer)?.adapter.bottleneck }
        return projections + (adapters + bottlenecks).flatMap { [$0.downProjection, $0.upProjection] }
    }

    /// [tokens, hidden] -> the rows that are read of the output. In the large variant with its bottlenecks fᵢ =
    /// bottleneckᵢ(z, hᵢ + fᵢ₋₁), f₋₁ = 0, the output is the last f: the layers' own output reaches the decoders only
    /// through it, row by row.
    func callAsFunction(_ x: Tensor, _ context: Context) throws -> Tensor {
        var hidden = x
        var chain: Tensor?
        for (index, layer) in layers.enumerated() {
            let isLast = index == layers.count - 1
            hidden = try output(of: layer, hidden, context, rows: isLast ? context.output : .tokens)
            guard let condition = context.condition, !bottlenecks.isEmpty else { continue }
            let read = isLast ? hidden : try context.layout.rows(context.output, of: hidden)
            chain = try bottlenecks[index](
                chain.map { try read + $0 } ?? read, condition: condition, layout: context.layout,
                rows: context.output)
        }
        return chain ?? hidden
    }

    private func output(
        of layer: EncoderLayer, _ x: Tensor, _ context: Context, rows: PackedLayout.Rows
    ) throws -> Tensor {
        guard context.recomputesLayers else { return try layer(x, context, rows: rows) }
        let inputs = [x] + (context.condition.map { [$0.encoder] } ?? [])
        return try recomputed(inputs, parameters: layer.allParameters) { inputs in
            try layer(inputs[0], inputs.count > 1 ? context.conditioned(by: inputs[1]) : context, rows: rows)
        }
    }
}
