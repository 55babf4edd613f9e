import ArgumentParser
import Training

/// Numbers are read unconditionally: a negative one, such as the original's `--max_steps -1`, would else pass for a
/// flag.
struct TrainingOptions: ParsableArguments {
    @Flag(name: .customLong("do_train"), help: "Train.")
    var doTrain = false

    @Flag(name: .customLong("do_eval"), help: "Evaluate on the dev sets.")
    var doEval = false

    @Flag(name: .customLong("evaluate_during_training"), help: "Evaluate every --logging_steps updates.")
    var evaluateDuringTraining = false

    @Option(
        name: .customLong("per_device_train_batch_size"), parsing: .unconditional,
        help: "Examples of a training batch.")
    var trainBatchSize = 8

    @Option(
        name: .customLong("per_device_eval_batch_size"), parsing: .unconditional,
        help: "Examples of an evaluation batch.")
    var evalBatchSize = 8

    @Option(
        name: .customLong("gradient_accumulation_steps"), parsing: .unconditional,
        help: "Batches whose gradients make one update.")
    var accumulationSteps = 1

    @Option(
        name: .customLong("learning_rate"), parsing: .unconditional,
        help: "The highest learning rate.")
    var learningRate = 5e-5

    @Option(
        name: .customLong("weight_decay"), parsing: .unconditional,
        help: "The decay of weights that are neither biases nor norms.")
    var weightDecay = 0.0

    @Option(
        name: .customLong("adam_epsilon"), parsing: .unconditional,
        help: "Adam's epsilon.")
    var adamEpsilon = 1e-8

    @Option(
        name: .customLong("max_grad_norm"), parsing: .unconditional,
        help: "The most that the norm of all gradients may be.")
    var maxGradNorm = 1.0

    @Option(
        name: .customLong("num_train_epochs"), parsing: .unconditional,
        help: "Passes over the data; may have a fraction.")
    var epochs = 3.0

    @Option(
        name: .customLong("max_steps"), parsing: .unconditional,
        help: "The number of updates, in place of epochs, if above 0.")
    var maxSteps = -1

    @Option(
        name: .customLong("warmup_proportion"), parsing: .unconditional,
        help: "The share of the updates in which the rate rises.")
    var warmupProportion = 0.1

    @Option(
        name: .customLong("dropout"), parsing: .unconditional,
        help: "Every dropout rate, the decoders' too. (default: the encoder's, and 0.1)")
    var dropout: Double?

    @Option(
        name: .customLong("logging_steps"), parsing: .unconditional,
        help: "Updates between two log lines, and two evaluations.")
    var loggingSteps = 500

    @Option(
        name: .customLong("save_steps"), parsing: .unconditional,
        help: "Updates between two checkpoints.")
    var saveSteps = 500

    @Option(
        name: .customLong("seed"), parsing: .unconditional,
        help: "What everything random is drawn with.")
    var seed: UInt64 = 42

    @Option(
        name: .customLong("threads"), parsing: .unconditional,
        help: "Threads to compute with. (default: one a core)")
    var threads: Int?

    @Flag(
        name: .customLong("reproduce_original"),
        help: "Repeat the original's faults that change numbers; the documentation lists them.")
    var reproduceOriginal = false

    /// Beyond any use, and far enough from where counting ends.
    static let highestCount = 1_000_000_000

    func check(_ problems: inout Problems) {
        let counts = [
            ("per_device_train_batch_size", trainBatchSize, TrainingOptions.highestCount),
            ("per_device_eval_batch_size", evalBatchSize, TrainingOptions.highestCount),
            ("gradient_accumulation_steps", accumulationSteps, TrainingOptions.highestCount),
            ("logging_steps", loggingSteps, TrainingOptions.highestCount),
            ("save_steps", saveSteps, TrainingOptions.highestCount), ("threads", threads ?? 1, 1024),
        ]
        for (name, count, highest) in counts where !(1...highest).contains(count) {
            problems.add("--\(name) is \(count); it has to be from 1 to \(highest)")
        }
        if maxSteps > TrainingOptions.highestCount {
            problems.add("--max_steps is \(maxSteps); \(TrainingOptions.highestCount) is the most")
        }
        let positive = [("learning_rate", learningRate), ("max_grad_norm", maxGradNorm), ("num_train_epochs", epochs)]
        for (name, value) in positive where !(value > 0 && value < 1e9) {
            problems.add("--\(name) is \(value); it has to be above 0 and below 1e9")
        }
        for (name, value) in [("weight_decay", weightDecay), ("adam_epsilon", adamEpsilon)]
        where !(value >= 0 && value < 1e9) {
            problems.add("--\(name) is \(value); it has to be from 0 to below 1e9")
        }
        if !(0...1).contains(warmupProportion) {
            problems.add("--warmup_proportion is \(warmupProportion); it has to be from 0 to 1")
        }
        if let dropout, !(0..<1).contains(dropout) {
            problems.add("--dropout is \(dropout); it has to be from 0 to below 1")
        }
    }

    func settings(sampling: Sampling) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.sampling = sampling
        settings.batchSize = trainBatchSize
        settings.evaluationBatchSize = evalBatchSize
        settings.accumulationSteps = accumulationSteps
        settings.epochs = epochs
        settings.maxSteps = maxSteps > 0 ? maxSteps : nil
        settings.optimizer.learningRate = learningRate
        settings.optimizer.weightDecay = weightDecay
        settings.optimizer.adamEpsilon = adamEpsilon
        settings.optimizer.maxGradientNorm = maxGradNorm
        settings.optimizer.warmupProportion = warmupProportion
        settings.dropout = dropout
        settings.seed = seed
        settings.saveSteps = saveSteps
        settings.evaluationSteps = evaluateDuringTraining ? loggingSteps : nil
        settings.reproducesOriginal = reproduceOriginal
        return settings
    }
}
