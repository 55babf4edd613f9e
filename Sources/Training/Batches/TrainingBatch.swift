import CAMTL
import Tasks

/// The examples of an update with their labels, as the model takes them.
struct TrainingBatch {
    private(set) var tokens = PackedBatch()
    /// Class numbers, or values, one an example.
    private(set) var labels: [Double] = []

    /// - Parameter cutsLabels: whether a regression's labels lose their fraction where the batch begins with an
    ///   example of a classification, as the original's collator has it.
    init(_ examples: [ExampleReference], tasks: [TaskData], cutsLabels: Bool = false) {
        let byID = Dictionary(uniqueKeysWithValues: tasks.map { ($0.id, $0) })
        var beginsWithClass = false
        for (position, example) in examples.enumerated() {
            guard let task = byID[example.task], let features = task.train else {
                preconditionFailure("a sampler draws from the tasks it was given")
            }
            tokens.append(features, at: example.index, taskID: task.id)
            if position == 0 { beginsWithClass = task.definition.output != .regression }
            let label = Double(features.label(at: example.index) ?? .nan)
            labels.append(cutsLabels && beginsWithClass ? label.rounded(.towardZero) : label)
        }
    }
}
