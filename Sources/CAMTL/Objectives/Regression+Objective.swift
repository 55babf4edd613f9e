import Tasks
import Torch

extension Regression: TaskObjective {
    /// The squared error, of standardized labels where the decoder puts out these.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let logits = output.logits
        let values = try Tensor(output.targets.map { logit(of: $0[0]) }, device: logits.device).to(logits.dtype)
        return try meanSquaredError(logits.reshaped([-1]), values)
    }

    var outputUnit: OutputUnit? { standardization.map { OutputUnit(factor: $0.deviation, offset: $0.mean) } }
}
