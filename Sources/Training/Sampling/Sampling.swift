/// How the examples of an update are chosen.
public enum Sampling: Sendable, Equatable {
    /// At random over all tasks together, tasks mixed in a batch: what the original does without flags.
    case proportional
    /// The tasks in their order, each shuffled, one task a batch, until the data runs out.
    case sequential
    /// Each task equally often: an epoch has `share` (0…1) × the largest task's examples from each.
    case uniform(share: Double)
    /// MT-Uncertainty (the paper's Algorithm 1): a batch of candidates from each task, trained on those that the
    /// model is least sure of. An epoch has `share` (0…1) × the number of tasks × the largest task's batches as
    /// steps. The original scores the candidates under dropout, as it trains; without it the scores are the model's
    /// own.
    case uncertainty(
        share: Double, score: UncertaintyScore, usesDropout: Bool = true, precision: Precision = .exact)
}

extension Sampling {
    /// Whether it picks a batch from candidates by what the model says of them.
    public var picksCandidates: Bool { if case .uncertainty = self { true } else { false } }

    /// Its name on the command line.
    var name: String {
        switch self {
        case .proportional: "proportional"
        case .sequential: "sequential"
        case .uniform: "uniform"
        case .uncertainty: "uncertainty"
        }
    }
}

/// An example by its task's position in the model's list and its row in the task's training set.
public struct ExampleReference: Sendable, Hashable {
    public var task: Int
    public var index: Int

    public init(task: Int, index: Int) {
        self.task = task
        self.index = index
    }
}

/// What a sampler draws: the examples of a batch, or candidates of which a batch is picked.
public enum Draw: Sendable, Equatable {
    case batch([ExampleReference])
    case candidates([ExampleReference])
}
