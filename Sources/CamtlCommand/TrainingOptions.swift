import ArgumentParser
import Training

/// Numbers are read unconditionally: a negative one, such as the original's `--max_steps -1`, would else pass for a
/// flag.
struct TrainingOptions: SettingsGroup {
    @Flag(name: .customLong("do_train"), help: "Train.")
    var doTrain = false

    @Option(
        name: .customLong("per_device_train_batch_size"), parsing: .unconditional,
        help: "Examples of a training batch.")
    var trainBatchSize = 8

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
        name: .customLong("warmup_steps"), parsing: .unconditional,
        help: "The number of updates in which the rate rises. (default: by --warmup_proportion)")
    var warmupSteps: Int?

    @Option(
        name: .customLong("dropout"), parsing: .unconditional,
        help: "Every dropout rate, the decoders' too. (default: the encoder's, and 0.1)")
    var dropout: Double?

    @Option(
        name: .customLong("seed"), parsing: .unconditional,
        help: "What everything random is drawn with.")
    var seed: UInt64 = 42

    @Flag(
        name: .customLong("gradient_checkpointing"),
        help: "Compute layers again for their gradients instead of keeping what is in them: slower, in less memory.")
    var gradientCheckpointing = false

    @Flag(
        name: .customLong("reproduce_original"),
        help: "Repeat the original's faults that change numbers; the documentation lists them.")
    var reproduceOriginal = false

    var settings: [Setting] {
        [
            Setting("do_train", doTrain), Setting("per_device_train_batch_size", trainBatchSize),
            Setting("gradient_accumulation_steps", accumulationSteps), Setting("learning_rate", learningRate),
            Setting("weight_decay", weightDecay), Setting("adam_epsilon", adamEpsilon),
            Setting("max_grad_norm", maxGradNorm), Setting("num_train_epochs", epochs),
            Setting("max_steps", maxSteps), Setting("warmup_proportion", warmupProportion),
            Setting("warmup_steps", warmupSteps), Setting("dropout", dropout), Setting("seed", seed),
            Setting("gradient_checkpointing", gradientCheckpointing), Setting("reproduce_original", reproduceOriginal),
        ]
    }

    func check(_ problems: inout Problems) {
        problems.check("per_device_train_batch_size", trainBatchSize)
        problems.check("gradient_accumulation_steps", accumulationSteps)
        problems.check("warmup_steps", warmupSteps, from: 0)
        if maxSteps > Problems.highestCount {
            problems.add("--max_steps is \(maxSteps); \(Problems.highestCount) is the most")
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

    func apply(to settings: inout TrainingSettings) {
        settings.batchSize = trainBatchSize
        settings.accumulationSteps = accumulationSteps
        settings.epochs = epochs
        settings.maxSteps = maxSteps > 0 ? maxSteps : nil
        settings.optimizer.learningRate = learningRate
        settings.optimizer.weightDecay = weightDecay
        settings.optimizer.adamEpsilon = adamEpsilon
        settings.optimizer.maxGradientNorm = maxGradNorm
        settings.optimizer.warmupProportion = warmupProportion
        settings.optimizer.warmupSteps = reproduceOriginal ? nil : warmupSteps
        settings.dropout = dropout
        settings.seed = seed
        settings.checkpointsGradients = gradientCheckpointing
        settings.reproducesOriginal = reproduceOriginal
    }
}
