/// Adds up what the updates since the last log report.
struct LogAccumulator: Sendable, Equatable, Codable {
    private var steps = 0
    private var loss = 0.0
    private var examples = 0
    private var seconds = 0.0
    private var taskLosses: [String: Sum] = [:]
    private var taskExamples: [String: Int] = [:]
    private var taskEntropies: [String: Sum] = [:]

    private struct Sum: Sendable, Equatable, Codable {
        var total = 0.0
        var count = 0

        mutating func add(_ value: Double) {
            total += value
            count += 1
        }

        var mean: Double { total / Double(count) }
    }

    /// Whether a run of so many updates and examples can have added this up.
    func isPossible(steps: Int, examples: Int) -> Bool {
        let counts = [taskLosses, taskEntropies].flatMap { $0.values.map(\.count) }
        return (0...steps).contains(self.steps) && (0...examples).contains(self.examples)
            && seconds >= 0 && seconds.isFinite && counts.allSatisfy { (1...max(steps, 1)).contains($0) }
            && taskExamples.values.allSatisfy { (0...examples).contains($0) }
    }

    mutating func add(_ step: StepReport) {
        steps += 1
        loss += step.loss
        examples += step.examples
        seconds += step.seconds
        for (task, loss) in step.taskLosses { taskLosses[task, default: Sum()].add(loss) }
        for (task, count) in step.taskExamples { taskExamples[task, default: 0] += count }
        for (task, entropy) in step.taskEntropies { taskEntropies[task, default: Sum()].add(entropy) }
    }

    /// What has come in, up to the update `last`; the next report begins after it.
    mutating func report(_ last: StepReport) -> LogReport {
        defer { self = LogAccumulator() }
        return LogReport(
            step: last.step, epoch: last.epoch, loss: loss / Double(steps), learningRate: last.learningRate,
            gradientNorm: last.gradientNorm, examplesPerSecond: seconds > 0 ? Double(examples) / seconds : 0,
            taskLosses: taskLosses.mapValues(\.mean),
            taskShares: taskExamples.mapValues { Double($0) / Double(max(examples, 1)) },
            taskEntropies: taskEntropies.mapValues(\.mean))
    }
}
