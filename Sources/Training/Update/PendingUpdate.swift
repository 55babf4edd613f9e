import CAMTL
import Torch

/// What the batches since the last update add up to.
struct PendingUpdate {
    var losses: [Double] = []
    var examples: [ExampleReference] = []
    var tokens = 0
    /// Floating-point operations of the passes.
    var operations = 0.0
    /// When its first batch began.
    let start = ContinuousClock.now
    private var taskLosses: [Int: [Double]] = [:]
    private var taskEntropies: [Int: [Double]] = [:]
    private var unread: [UnreadLosses] = []

    /// Losses on their way from the device: the batch's, and those of its tasks.
    private struct UnreadLosses {
        let values: Readback
        let tasks: [Int]
        /// What the examples of each task weigh in this process, and in the whole batch.
        let own: [Int: Double]
        let whole: [Int: Double]
        let isStandIn: Bool
    }

    /// Adds the losses of a batch and of its tasks; of a part of a batch, what it adds to the whole's.
    mutating func add(_ loss: BatchLoss, of batch: TrainingBatch) throws {
        unread.append(
            UnreadLosses(
                values: try withoutGradients { try Readback(.stacked([loss.total] + loss.tasks.map(\.loss))) },
                tasks: loss.tasks.map(\.task), own: batch.isStandIn ? [:] : batch.ownWeights,
                whole: batch.wholeBatch,
                isStandIn: batch.isStandIn))
    }

    /// Reads the losses that have been added.
    ///
    /// - Parameter wait: waits for numbers and gives them.
    mutating func read(_ wait: (Readback) throws -> Tensor) throws {
        for entry in unread {
            let values = try wait(entry.values).elements(Double.self)
            let means = Dictionary(uniqueKeysWithValues: zip(entry.tasks, values.dropFirst()))
            losses.append(entry.isStandIn ? 0 : values[0])
            for (task, weight) in entry.whole {
                let own = entry.own[task, default: 0]
                let mean = means[task, default: 0]
                taskLosses[task, default: []].append(own == 0 ? 0 : mean * own / weight)
            }
        }
        unread = []
    }

    /// Adds up what each process of a team has of the same batches; whether any of them `stops`.
    mutating func sum(over team: Team, stops: Bool) throws -> Bool {
        let tasks = taskLosses.keys.sorted()
        let own = [stops ? 1 : 0, Double(tokens), operations] + losses + tasks.flatMap { taskLosses[$0, default: []] }
        var sums = try team.sums(own)[...]
        let anyStops = sums.removeFirst() > 0
        tokens = Int(sums.removeFirst())
        operations = sums.removeFirst()
        func take(_ count: Int) -> [Double] {
            defer { sums.removeFirst(count) }
            return Array(sums.prefix(count))
        }
        losses = take(losses.count)
        for task in tasks { taskLosses[task] = take(taskLosses[task, default: []].count) }
        return anyStops
    }

    /// The tasks with a loss that is no finite number, and that loss, if there are any.
    var notFinite: (loss: Double, tasks: [Int])? {
        guard let loss = losses.first(where: { !$0.isFinite }) else { return nil }
        return (loss, taskLosses.filter { !$0.value.allSatisfy(\.isFinite) }.keys.sorted())
    }

    /// Adds the mean entropies of a batch's candidates.
    mutating func add(entropies: [Int: Double]) {
        for (task, entropy) in entropies { taskEntropies[task, default: []].append(entropy) }
    }

    /// - Parameters:
    ///   - step: the update that was made of it.
    ///   - place: the update's number in the run, and the epochs gone by with it.
    ///   - seconds: how long it took.
    ///   - names: the model's tasks.
    func report(
        _ step: Updater.Step, at place: (number: Int, epoch: Double), seconds: Double, names: [String]
    ) -> StepReport {
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func named<Value>(_ values: [Int: Value]) -> [String: Value] {
            Dictionary(uniqueKeysWithValues: values.map { (names[$0.key], $0.value) })
        }
        return StepReport(
            step: place.number, epoch: place.epoch, loss: mean(losses), learningRate: step.learningRate,
            gradientNorm: step.gradientNorm, examples: examples.count, tokens: tokens,
            seconds: seconds, taskLosses: named(taskLosses.mapValues(mean)),
            taskExamples: named(Dictionary(grouping: examples, by: \.task).mapValues(\.count)),
            taskEntropies: named(taskEntropies.mapValues(mean)), floatingPointOperations: operations)
    }
}
