import Tasks
import Torch

extension Choice: TaskObjective {
    /// Cross entropy over the choices of each example.
    func loss(_ output: DecoderOutput) throws -> Tensor {
        let (device, most) = (output.logits.device, output.rowCounts.max() ?? 0)
        // Choices that an example lacks are given a row of another, and what makes its probability 0.
        var rows: [Int64] = []
        var missing: [Double] = []
        var start = 0
        for count in output.rowCounts {
            rows += (0..<most).map { Int64(start + min($0, count - 1)) }
            missing += (0..<most).map { $0 < count ? 0 : -.infinity }
            start += count
        }
        let shape = [output.rowCounts.count, most]
        let logits = try output.logits.selected(0, Tensor(rows, device: device)).reshaped(shape)
        let mask = try Tensor(missing, shape: shape, device: device).to(logits.dtype)
        return try crossEntropy(
            logits: output.rowCounts.allSatisfy { $0 == most } ? logits : logits + mask,
            classes: Tensor(output.targets.map { Int64($0[0]) }, device: device))
    }
}
