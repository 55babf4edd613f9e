import Torch

/// The wide layers of an encoder as they are at one moment, in 8-bit integers: for passes that choose between examples,
/// which an error of a percent in each layer hardly disturbs. What depends on the task alone is small, and stays exact.
public final class QuantizedLayers {
    private let layers: [ObjectIdentifier: QuantizedLinear]

    init(_ encoder: BERTEncoder) throws {
        var layers: [ObjectIdentifier: QuantizedLinear] = [:]
        func add(_ linear: Linear, withBias: Bool = false) throws {
            layers[ObjectIdentifier(linear)] = try QuantizedLinear(
                weight: linear.weight, bias: withBias ? linear.bias : nil)
        }
        for layer in encoder.layers {
            let (attention, intermediate, output) = layer.parts
            for linear in [attention.selfAttention.query, attention.selfAttention.key, attention.selfAttention.value] {
                try add(linear)
            }
            try add(attention.output.dense)
            // The activation reads the sum; the other biases are added by what comes after the product.
            try add(intermediate.dense, withBias: true)
            try add(output.dense)
        }
        self.layers = layers
    }

    subscript(linear: Linear) -> QuantizedLinear {
        guard let quantized = layers[ObjectIdentifier(linear)] else {
            preconditionFailure("the encoder's wide layers are quantized, all of them")
        }
        return quantized
    }
}

extension CAMTLModel {
    /// The encoder's layers as they are now, in 8-bit integers.
    /// - Throws: `TorchError` if the weights are not float32 on the CPU.
    public func quantizedLayers() throws -> QuantizedLayers {
        try withoutGradients { try QuantizedLayers(bert.encoder) }
    }
}
