import Tasks
import Torch

/// Parts a training set into one to train on and one to evaluate on.
struct DevSplit {
    /// Of the examples that are evaluated on, above 0 and below 1.
    let share: Double
    let seed: UInt64

    /// The two parts, each in the set's order. Of a classification's classes each has the same share in both, as near as
    /// whole examples come to it; one that has a single example is trained on.
    ///
    /// - Throws: `TaskError.tooFewExamples` if the set has too few examples for two parts.
    func split(_ whole: FeatureSet, of task: TaskDefinition) throws -> (train: FeatureSet, dev: FeatureSet) {
        var groups: [Float: [Int]] = [:]
        for index in 0..<whole.count {
            let target = whole.target(at: index)
            groups[task.kind.labels.isEmpty || target.count != 1 ? 0 : target[0], default: []].append(index)
        }
        var random = RandomStream(seed: seed, purpose: "dev share of \(task.name)")
        var isDev = [Bool](repeating: false, count: whole.count)
        for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
            let count = min(group.count - 1, Int((share * Double(group.count)).rounded()))
            for index in group.shuffled(using: &random).prefix(count) { isDev[index] = true }
        }
        let dev = isDev.indices.filter { isDev[$0] }
        guard !dev.isEmpty else {
            throw TaskError.tooFewExamples(
                task: task.name, count: whole.count, wanted: "a dev set of \(share * 100)% beside a training set")
        }
        let name = "\(share) by \(seed)"
        return (
            whole.part(isDev.indices.filter { !isDev[$0] }, name: "training part, less \(name)"),
            whole.part(dev, name: "dev part, \(name)")
        )
    }
}
