import Tasks
import Torch

/// How the decoder of a kind of task is trained. Each kind has its own in a file beside this one.
protocol TaskObjective: TaskKind {
    /// The mean loss of a task's examples of a batch, each with its `lossWeight`.
    ///
    /// - Returns: a scalar.
    func loss(_ output: DecoderOutput) throws -> Tensor
}

/// What a task's decoder gave for its examples of a batch, and what it should have.
struct DecoderOutput {
    /// `[rows, width]`, of one example after the other.
    let logits: Tensor
    /// The rows of each example.
    let rowCounts: [Int]
    /// Of each example, as the task's kind has it.
    let targets: [[Double]]
}

extension DecoderOutput {
    /// The logits of each of the decoder's outputs with a row an example, `[examples, the most rows of one]`. Rows that an
    /// example lacks are minus infinity, of which a softmax makes 0.
    func logitsByExample() throws -> [Tensor] {
        let (device, most, count) = (logits.device, rowCounts.max() ?? 0, rowCounts.count)
        var rows: [Int64] = []
        var mask: [Double] = []
        var start = 0
        for length in rowCounts {
            rows += (0..<most).map { Int64(start + min($0, length - 1)) }
            mask += (0..<most).map { $0 < length ? 0 : -.infinity }
            start += length
        }
        let padded = try logits.selected(0, Tensor(rows, device: device))
        let missing = try Tensor(mask, shape: [count, most], device: device).to(logits.dtype)
        return try (0..<logits.size(1)).map { output in
            let column = try padded.narrowed(1, output..<output + 1).reshaped([count, most])
            return mask.contains(-.infinity) ? try column + missing : column
        }
    }
}

extension TaskHead {
    var objective: any TaskObjective {
        guard let objective = kind as? any TaskObjective else {
            preconditionFailure("the kind \(kind.name) has no objective")
        }
        return objective
    }
}
