/// A class of transformers that computes what plain BERT with one decoder does. Each kind of task names its own.
struct TransformersClass: Sendable, Equatable {
    /// As `config.json` has it among its `architectures`.
    var name: String
    /// What the names of its decoder's tensors begin with.
    var decoder = "classifier"
    /// Whether `config.json` names its outputs, in `id2label`; elsewhere their number is the class' own.
    var namesOutputs = true
    /// Of several kinds that are of one class, which one it is: the `problem_type` of `config.json`.
    var problemType: String?
}

/// What makes numbers in the labels' unit of a decoder's outputs: factor × output + offset.
struct OutputUnit: Sendable, Equatable {
    var factor: Double
    var offset: Double
}
