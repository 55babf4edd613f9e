import CAMTL
import Torch

/// How exactly a model computes where nothing is learnt: in scoring candidates, in evaluation and in prediction.
public enum Precision: String, Sendable, CaseIterable {
    /// By the model as it is.
    case exact
    /// With the encoder's wide layers in 8-bit integers: in less than half the time, and for nearly the same results.
    case int8

    /// What takes the place of the model's wide layers, as they are now; nil where they compute themselves.
    func layers(of model: CAMTLModel) throws -> QuantizedLayers? {
        self == .int8 ? try model.quantizedLayers() : nil
    }
}

/// A type of half precision that matrix products and attention are computed in, beside all else in float32.
public enum MixedPrecision: String, Sendable, CaseIterable {
    /// bfloat16.
    case bf16
    /// float16, with a loss that is scaled for it: see `LossScaler`.
    case fp16

    /// The type of the products.
    public var type: DType { self == .bf16 ? .bfloat16 : .float16 }

    var lossScaler: LossScaler? { self == .fp16 ? LossScaler() : nil }
}
