import CAMTL
import Tasks

/// The examples of an update with their labels, as the model takes them.
struct TrainingBatch: Sendable {
    private(set) var tokens = PackedBatch()
    /// Class numbers, or values, one an example.
    private(set) var labels: [Double] = []

    /// - Parameter cutsLabels: whether a regression's labels lose their fraction where the batch begins with an
    ///   example of a classification, as the original's collator has it.
    init(_ examples: [ExampleReference], data: TrainingSets, cutsLabels: Bool = false) {
        let cutsLabels = cutsLabels && examples.first.map { !data.isRegression($0.task) } ?? false
        for example in examples {
            let features = data.features(of: example.task)
            tokens.append(features, at: example.index, taskID: example.task)
            let label = Double(features.label(at: example.index) ?? .nan)
            labels.append(cutsLabels ? label.rounded(.towardZero) : label)
        }
    }
}
