import Tasks
import Torch

/// How the decoder of a kind of task is trained, and what it is in transformers. Each kind has its own in a file beside
/// this one.
protocol TaskObjective: TaskKind {
    /// The mean loss of a task's examples of a batch, each with its `lossWeight`.
    ///
    /// - Returns: a scalar.
    func loss(_ output: DecoderOutput) throws -> Tensor

    /// The class of transformers whose outputs are the decoder's.
    static var transformersClass: TransformersClass { get }
    /// What makes numbers in the labels' unit of the decoder's outputs, as that class puts them out; nil where they are in
    /// it.
    var outputUnit: OutputUnit? { get }
    /// The kind of a decoder whose outputs are in the labels' unit.
    var inLabelsUnit: Self { get }
}

extension TaskObjective {
    var outputUnit: OutputUnit? { nil }
    var inLabelsUnit: Self { self }
}

extension TaskObjective where Self: SequenceKind {
    static var transformersClass: TransformersClass {
        TransformersClass(name: "BertForSequenceClassification", problemType: problemType)
    }
}

extension TransformersClass {
    /// Those of all kinds of task.
    private static var all: [TransformersClass] {
        TaskKinds.all.compactMap { ($0 as? any TaskObjective.Type)?.transformersClass }
    }

    /// The class of these names, of `config.json`'s `architectures`, that some kind of task is of; without a
    /// `problem_type`. nil if there is none.
    init?(architectures: Any?) {
        guard let names = architectures as? [String],
            let found = Self.all.first(where: { names.contains($0.name) })
        else { return nil }
        self = found
        problemType = nil
    }
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

    /// The class of transformers that the task is of.
    var transformersClass: TransformersClass { type(of: objective).transformersClass }
    /// Whether its decoder reads the pooler's output.
    var readsPooler: Bool { type(of: kind).decoderInput == .firstToken }
}
