import CAMTL
import Tasks

/// The examples of an update with their labels, as the model takes them: all of them, or a process's share.
struct TrainingBatch: Sendable {
    private(set) var tokens = PackedBatch()
    /// Of each example, as its task's kind has it: class numbers, or values, or 0 and 1 for each label.
    private(set) var targets: [[Double]] = []
    /// What the examples of each task weigh in the whole batch, by their kind's `lossWeight`, and those here.
    let wholeBatch: [Int: Double]
    private(set) var ownWeights: [Int: Double] = [:]
    /// Whether the process has no share of so small a batch: an example of another's stands in, which is not to count.
    /// The exchange of gradients needs some from every process.
    let isStandIn: Bool

    /// - Parameters:
    ///   - examples: of the whole batch.
    ///   - data: the sets they are from.
    ///   - share: whose part it is.
    ///   - cutsLabels: whether a regression's labels lose their fraction where the batch begins with an example of a
    ///     classification, as the original's collator has it.
    init(_ examples: [ExampleReference], data: TrainingSets, share: Share = .whole, cutsLabels: Bool = false) {
        let cutsLabels = cutsLabels && examples.first.map { !data.hasFractionalTargets($0.task) } ?? false
        wholeBatch = examples.reduce(into: [:]) { $0[$1.task, default: 0] += data.lossWeight($1) }
        let own = share.own(examples.map(data.length))
        isStandIn = own.isEmpty
        for example in (isStandIn ? [0] : own).map({ examples[$0] }) {
            let features = data.features(of: example.task)
            tokens.append(features, at: example.index, taskID: example.task)
            ownWeights[example.task, default: 0] += data.lossWeight(example)
            let target = features.target(at: example.index).map(Double.init)
            targets.append(cutsLabels ? target.map { $0.rounded(.towardZero) } : target)
        }
    }
}
