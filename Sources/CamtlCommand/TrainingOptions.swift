import ArgumentParser
import Training

struct TrainingOptions: ParsableArguments {
    @Flag(name: .customLong("do_train"), help: "Train.")
    var doTrain = false

    @Flag(name: .customLong("do_eval"), help: "Evaluate on the dev sets.")
    var doEval = false

    @Flag(name: .customLong("evaluate_during_training"), help: "Evaluate every --logging_steps updates.")
    var evaluateDuringTraining = false

    @Option(name: .customLong("per_device_train_batch_size"), help: "Examples of a training batch.")
    var trainBatchSize = 8

    @Option(name: .customLong("per_device_eval_batch_size"), help: "Examples of an evaluation batch.")
    var evalBatchSize = 8

    @Option(name: .customLong("gradient_accumulation_steps"), help: "Batches whose gradients make one update.")
    var accumulationSteps = 1

    @Option(name: .customLong("learning_rate"), help: "The highest learning rate.")
    var learningRate = 5e-5

    @Option(name: .customLong("weight_decay"), help: "The decay of weights that are neither biases nor norms.")
    var weightDecay = 0.0

    @Option(name: .customLong("adam_epsilon"), help: "Adam's epsilon.")
    var adamEpsilon = 1e-8

    @Option(name: .customLong("max_grad_norm"), help: "The most that the norm of all gradients may be.")
    var maxGradNorm = 1.0

    @Option(name: .customLong("num_train_epochs"), help: "Passes over the data; may have a fraction.")
    var epochs = 3.0

    @Option(name: .customLong("max_steps"), help: "The number of updates, in place of epochs, if above 0.")
    var maxSteps = -1

    @Option(name: .customLong("warmup_proportion"), help: "The share of the updates in which the rate rises.")
    var warmupProportion = 0.1

    @Option(name: .customLong("dropout"), help: "Every dropout rate, the decoders' too. (default: the encoder's, and 0.1)")
    var dropout: Double?

    @Option(name: .customLong("logging_steps"), help: "Updates between two log lines, and two evaluations.")
    var loggingSteps = 500

    @Option(name: .customLong("save_steps"), help: "Updates between two checkpoints.")
    var saveSteps = 500

    @Option(name: .customLong("seed"), help: "What everything random is drawn with.")
    var seed: UInt64 = 42

    @Option(name: .customLong("threads"), help: "Threads to compute with. (default: one a core)")
    var threads: Int?

    @Flag(
        name: .customLong("reproduce_original"),
        help: "Repeat the original's faults that change numbers; the documentation lists them.")
    var reproduceOriginal = false

    func check(_ problems: inout Problems) {
        let counts = [
            ("per_device_train_batch_size", trainBatchSize), ("per_device_eval_batch_size", evalBatchSize),
            ("gradient_accumulation_steps", accumulationSteps), ("logging_steps", loggingSteps),
            ("save_steps", saveSteps), ("threads", threads ?? 1),
        ]
        for (name, count) in counts where count < 1 { problems.add("--\(name) is \(count); it has to be at least 1") }
        let positive = [("learning_rate", learningRate), ("max_grad_norm", maxGradNorm), ("num_train_epochs", epochs)]
        for (name, value) in positive where !(value > 0 && value < 1e9) {
            problems.add("--\(name) is \(value); it has to be above 0")
        }
        for (name, value) in [("weight_decay", weightDecay), ("adam_epsilon", adamEpsilon)]
        where !(value >= 0 && value.isFinite) {
            problems.add("--\(name) is \(value); it can't be negative")
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
