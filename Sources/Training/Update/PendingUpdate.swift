/// What the batches since the last update add up to.
struct PendingUpdate {
    var losses: [Double] = []
    var examples: [ExampleReference] = []
    var tokens = 0
    /// Floating-point operations of the passes.
    var operations = 0.0
    private var taskLosses: [Int: [Double]] = [:]
    private var taskEntropies: [Int: [Double]] = [:]
    private let start = ContinuousClock.now

    /// Adds the losses of a batch's tasks.
    mutating func add(losses: [(task: Int, loss: Double)]) {
        for (task, loss) in losses { taskLosses[task, default: []].append(loss) }
    }

    /// Adds the mean entropies of a batch's candidates.
    mutating func add(entropies: [Int: Double]) {
        for (task, entropy) in entropies { taskEntropies[task, default: []].append(entropy) }
    }

    /// - Parameter names: the model's tasks.
    func report(_ step: Updater.Step, number: Int, epoch: Double, names: [String]) -> StepReport {
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func named<Value>(_ values: [Int: Value]) -> [String: Value] {
            Dictionary(uniqueKeysWithValues: values.map { (names[$0.key], $0.value) })
        }
        return StepReport(
            step: number, epoch: epoch, loss: mean(losses), learningRate: step.learningRate,
            gradientNorm: step.gradientNorm, examples: examples.count, tokens: tokens,
            seconds: (ContinuousClock.now - start).seconds, taskLosses: named(taskLosses.mapValues(mean)),
            taskExamples: named(Dictionary(grouping: examples, by: \.task).mapValues(\.count)),
            taskEntropies: named(taskEntropies.mapValues(mean)), floatingPointOperations: operations)
    }
}
