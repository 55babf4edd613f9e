import Files
import Foundation

/// `trainer_state.json`, as Hugging Face's Trainer writes it: the curves of a run so far.
struct TrainerState: Sendable, Equatable {
    static let fileName = "trainer_state.json"

    /// One object a log, an evaluation, and the end.
    private(set) var history: [JSONValue] = []

    /// The figures that stand beside the history.
    struct Summary {
        var progress: ResumeState.Progress
        var epoch: Double
        var best: BestModel
        var bestFolder: URL?
        var plan: StepPlan
        var settings: TrainingSettings
        /// Multiplications and additions of the forward and backward passes: 6 for each token and each weight that is
        /// no embedding, as Hugging Face counts them.
        var floatingPointOperations: Double
    }

    mutating func record(_ log: LogReport) {
        var entry: [String: JSONValue] = [
            "epoch": .number(log.epoch), "step": .integer(log.step), "loss": .number(log.loss),
            "learning_rate": .number(log.learningRate), "grad_norm": .number(log.gradientNorm),
        ]
        for (task, loss) in log.taskLosses { entry["loss_\(task)"] = .number(loss) }
        for (task, share) in log.taskShares { entry["share_\(task)"] = .number(share) }
        for (task, entropy) in log.taskEntropies { entry["entropy_\(task)"] = .number(entropy) }
        history.append(.object(entry))
    }

    mutating func record(_ evaluation: EvaluationReport, step: Int, epoch: Double) {
        var entry: [String: JSONValue] = ["epoch": .number(epoch), "step": .integer(step)]
        for (name, value) in evaluation.figures { entry["eval_\(name)"] = .number(value) }
        history.append(.object(entry))
    }

    mutating func recordEnd(_ summary: Summary) {
        let (progress, seconds) = (summary.progress, max(summary.progress.seconds, 1e-9))
        history.append(
            .object([
                "epoch": .number(summary.epoch), "step": .integer(progress.step),
                "total_flos": .number(summary.floatingPointOperations),
                "train_loss": .number(progress.loss / Double(max(progress.step, 1))),
                "train_runtime": .number(progress.seconds),
                "train_samples_per_second": .number(Double(progress.examples) / seconds),
                "train_steps_per_second": .number(Double(progress.step) / seconds),
            ]))
    }

    func write(_ summary: Summary, to folder: URL) throws {
        let (settings, progress) = (summary.settings, summary.progress)
        func optional(_ value: Int?) -> JSONValue { value.map(JSONValue.integer) ?? .null }
        let object: [String: JSONValue] = [
            "best_global_step": optional(summary.best.step),
            "best_metric": summary.best.value.map(JSONValue.number) ?? .null,
            "best_model_checkpoint": summary.bestFolder.map { .string($0.path) } ?? .null,
            "epoch": .number(summary.epoch),
            "eval_steps": optional(settings.evaluationSteps),
            "global_step": .integer(progress.step),
            "is_hyper_param_search": .bool(false),
            "is_local_process_zero": .bool(true),
            "is_world_process_zero": .bool(true),
            "log_history": .array(history),
            "logging_steps": .integer(settings.loggingSteps),
            "max_steps": .integer(summary.plan.expectedSteps),
            "num_input_tokens_seen": .integer(progress.tokens),
            "num_train_epochs": .integer(summary.plan.expectedEpochs),
            "save_steps": .integer(settings.saveSteps),
            "stateful_callbacks": .object([:]),
            "total_flos": .number(summary.floatingPointOperations),
            "train_batch_size": .integer(settings.batchSize),
            "trial_name": .null,
            "trial_params": .null,
        ]
        try JSONValue.object(object).write(to: folder.appendingPathComponent(TrainerState.fileName))
    }

    /// Reads the history of a checkpoint.
    static func read(from folder: URL) throws -> TrainerState {
        let url = folder.appendingPathComponent(fileName)
        guard let data = try? readFile(url),
            case .object(let fields)? = try? JSONDecoder().decode(JSONValue.self, from: data),
            case .array(let history)? = fields["log_history"]
        else { throw ResumeError.notWhole(path: folder.path, reason: "its \(fileName) is missing or damaged") }
        return TrainerState(history: history)
    }
}
