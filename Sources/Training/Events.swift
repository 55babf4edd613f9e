import Foundation

/// What a training run tells whoever renders it.
public enum TrainingEvent: Sendable {
    case started(TrainingPlan)
    /// Goes on after `step` updates, from a checkpoint's folder.
    case resumed(step: Int, from: URL)
    case stepped(StepReport)
    /// An update was not applied, as its gradients were not finite under the loss scale; the next ones have this scale.
    case skipped(step: Int, lossScale: Double)
    /// What has come since the last such event; every `loggingSteps` updates.
    case logged(LogReport)
    case evaluated(step: Int, EvaluationReport)
    case saved(URL)
    /// Training ends before its last update, as the evaluations were not the best for long enough.
    case stoppedEarly(EarlyStop)
    /// The model at the end was to be that of the best evaluation, but none had a number for the figure that tells.
    case noBest(metric: String, step: Int)
    /// The model is again that of an earlier checkpoint, the best.
    case loadedBest(step: Int, from: URL)
}

/// What a run is going to do.
public struct TrainingPlan: Sendable, Equatable {
    public var totalSteps: Int
    public var batchesPerEpoch: Int
    public var examples: Int
    public var batchSize: Int
    public var accumulationSteps: Int
}

/// Why training ended before its last update.
public struct EarlyStop: Sendable, Equatable, CustomStringConvertible {
    /// The last update.
    public var step: Int
    /// The key of the figure that tells, such as `eval_average`.
    public var metric: String
    /// The last evaluation's figure; NaN where it is not defined, nil where it isn't known.
    public var latest: Double?
    /// The best evaluation's figure and update; nil if no evaluation had a number.
    public var best: (value: Double, step: Int)?
    /// Evaluations in a row that were not the best.
    public var evaluations: Int

    public static func == (a: EarlyStop, b: EarlyStop) -> Bool { a.description == b.description }

    public var description: String {
        func text(_ value: Double) -> String { value.isNaN ? "no number" : "\(Float(value))" }
        let start = "after step \(step), \(metric) "
        let times = evaluations == 1 ? "the last evaluation" : "\(evaluations) evaluations in a row"
        guard let best else {
            return start + "was no number in \(times) (a correlation is none where all predictions or labels are the same), "
                + "so that none was the best (--early_stopping_patience)"
        }
        let now = latest.map { ", and is now \(text($0))" } ?? ""
        return start + "was not better in \(times) than the \(text(best.value)) of step \(best.step)\(now) "
            + "(--early_stopping_patience)"
    }
}

/// One update.
public struct StepReport: Sendable, Equatable {
    /// Counted from 1.
    public var step: Int
    /// Epochs gone by, with their fraction.
    public var epoch: Double
    /// The mean of the loss over the update's batches.
    public var loss: Double
    public var learningRate: Double
    /// Before clipping; not finite where the update was not applied.
    public var gradientNorm: Double
    /// Examples and tokens that were trained on, in this update.
    public var examples: Int
    public var tokens: Int
    /// How long it took.
    public var seconds: Double
    /// By task name, for the tasks in the update's batches: the mean of the task's loss over the batches it was in.
    public var taskLosses: [String: Double] = [:]
    /// By task name: examples of the task in the update.
    public var taskExamples: [String: Int] = [:]
    /// By task name, under uncertainty sampling: the mean normalised entropy (0…1) of the task's candidates. A
    /// regression has none.
    public var taskEntropies: [String: Double] = [:]
    /// What the tokens that were scored and trained on need, at the least (see `Arithmetic`).
    public var floatingPointOperations = 0.0
}

/// What the updates since the last report add up to: the point of a curve.
public struct LogReport: Sendable, Equatable, Codable {
    /// The last update's number, from 1.
    public var step: Int
    /// Epochs gone by, with their fraction.
    public var epoch: Double
    /// The mean loss of the updates.
    public var loss: Double
    /// Of the last update.
    public var learningRate: Double
    /// Of the last update, before clipping.
    public var gradientNorm: Double
    /// 0 where no time was measured.
    public var examplesPerSecond: Double
    /// By task name: the mean of the task's loss over the updates it was in.
    public var taskLosses: [String: Double]
    /// By task name: its share (0…1) of the examples.
    public var taskShares: [String: Double]
    /// By task name, under uncertainty sampling: the mean normalised entropy (0…1) of its candidates.
    public var taskEntropies: [String: Double]
}

/// What a run has done.
public struct TrainingSummary: Sendable {
    public var steps: Int
    /// Epochs gone by, with their fraction.
    public var epoch: Double
    /// Examples trained on, each as often as it was.
    public var examples: Int
    /// With those of the runs that this one went on from.
    public var seconds: Double
    /// Over all updates.
    public var meanLoss: Double
    public var usage: ExampleUsage
    /// Each metric's maximum over the evaluations during training, if there were any.
    public var highest: EvaluationReport?
}

public enum TrainingError: Error, CustomStringConvertible, Sendable {
    case lossNotFinite(step: Int, loss: Double, tasks: [String])
    /// The gradients' norm is infinite or not a number.
    case gradientNotFinite(step: Int)
    case noTrainingData
    /// The run was told to stop, and can go on from the checkpoint.
    case stopped(step: Int, checkpoint: URL)

    public var description: String {
        switch self {
        case .lossNotFinite(let step, let loss, let tasks):
            "the loss of step \(step) is \(loss.isNaN ? "nan" : "\(loss)") "
                + "(tasks in its batch: \(tasks.joined(separator: ", "))); "
                + "try a lower --learning_rate or a longer warm-up (--warmup_proportion)"
        case .gradientNotFinite(let step):
            "the gradients of step \(step) are not finite; try a lower --learning_rate or a longer warm-up "
                + "(--warmup_proportion)"
        case .noTrainingData: "there is nothing to train on: no task has a training set"
        case .stopped(let step, let checkpoint):
            "stopped after step \(step), which is saved in \(checkpoint.path); the same command with "
                + "--resume_from_checkpoint goes on from there"
        }
    }
}
