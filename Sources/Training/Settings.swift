import CAMTL

/// Everything that a training run depends on, besides the model and the data.
public struct TrainingSettings: Sendable, Equatable {
    public var sampling = Sampling.proportional
    /// Whether the examples of a batch are of about one length. Not used under uncertainty sampling, where the model
    /// picks them.
    public var groupsByLength = false
    /// Examples of a batch; of several processes together, all of theirs.
    public var batchSize = 8
    /// Batches whose gradients make one update.
    public var accumulationSteps = 1
    /// Passes over the data; a fraction ends within one. Not used where there are `maxSteps`.
    public var epochs = 3.0
    /// The number of updates.
    public var maxSteps: Int?
    public var optimizer = OptimizerSettings()
    /// What the encoder's matrix products are computed in; nil is float32.
    public var mixedPrecision: MixedPrecision?
    /// Replaces the configuration's rates and the decoders' if given.
    public var dropout: Double?
    public var seed: UInt64 = 42
    /// Updates between two checkpoints.
    public var saveSteps = 500
    /// The most checkpoints that are kept, the best one among them; nil keeps all.
    public var saveTotalLimit: Int?
    /// Updates between two `TrainingEvent.logged`.
    public var loggingSteps = 500
    /// Whether the first update is logged, and evaluated if there are evaluations during training.
    public var logsFirstStep = false
    /// Updates between two evaluations during training, or nil for none.
    public var evaluationSteps: Int?
    /// Whether the model at the end is that of the best evaluation. A checkpoint is then written after every
    /// evaluation that is the best yet, and the last update is followed by an evaluation.
    public var loadsBestModelAtEnd = false
    /// Such as `rte_accuracy`, or `average`, GLUE's; what makes an evaluation the best. Highest is best, but for a
    /// `…_loss`.
    public var metricForBestModel = "average"
    /// After how many evaluations in a row that are not the best yet training ends; nil for never.
    public var earlyStoppingPatience: Int?
    /// Sequences over which evaluation averages losses first, and that it and the scoring of candidates at least
    /// compute at a time.
    public var evaluationBatchSize = 8
    public var evaluationPrecision = Precision.exact
    /// Whether the encoder's output is computed for every token, as the original does, and not for the first tokens
    /// alone, which is all that the decoders read. For measuring what that costs: the numbers are the same.
    public var readsEveryPosition = false
    /// Whether layers keep only what goes into them, and are computed again for their gradients: a third more work, and
    /// memory for one layer in place of all. The numbers are the same but for the order of a few sums.
    public var checkpointsGradients = false
    /// Whether the original's faults that change numbers are repeated: see Documentation/ReproducingTheOriginal.md.
    public var reproducesOriginal = false

    public init() {}

    func dropoutRates(_ configuration: ModelConfiguration) -> DropoutRates {
        dropout.map { DropoutRates(hidden: $0, attention: $0, decoder: $0) } ?? configuration.dropout
    }
}

/// When updates are due, and how many there are.
struct StepPlan: Sendable, Equatable {
    /// What the learning rate's schedule is laid over.
    let totalSteps: Int
    /// After which update training ends, if not by its epochs.
    private let lastStep: Int
    /// How many epochs there are at most.
    private let epochs: Int
    let batchesPerEpoch: Int
    let accumulationSteps: Int
    private let reproducesOriginal: Bool

    init(_ settings: TrainingSettings, batchesPerEpoch: Int) {
        self.batchesPerEpoch = batchesPerEpoch
        accumulationSteps = settings.accumulationSteps
        reproducesOriginal = settings.reproducesOriginal
        if reproducesOriginal {
            // transformers 2.11: whole epochs, a schedule that is not, and the comparison with max_steps after one
            // step more.
            let steps = max(1, batchesPerEpoch / accumulationSteps)
            totalSteps = settings.maxSteps ?? Int(Double(steps) * settings.epochs)
            lastStep = settings.maxSteps.map { $0 + 1 } ?? .max
            epochs = settings.maxSteps.map { $0 / steps + 1 } ?? Int(settings.epochs)
        } else {
            let steps = (batchesPerEpoch + accumulationSteps - 1) / accumulationSteps
            totalSteps = settings.maxSteps ?? Int((Double(steps) * settings.epochs).rounded(.up))
            lastStep = totalSteps
            epochs = .max
        }
    }

    /// Updates that there will be.
    var expectedSteps: Int {
        guard reproducesOriginal else { return lastStep }
        let leftOver = batchesPerEpoch < accumulationSteps ? 1 : batchesPerEpoch / accumulationSteps
        return min(lastStep, epochs * leftOver)
    }

    /// Epochs that there will be, the last one perhaps in part.
    var expectedEpochs: Int {
        if reproducesOriginal { return epochs }
        let stepsPerEpoch = (batchesPerEpoch + accumulationSteps - 1) / accumulationSteps
        return (totalSteps + stepsPerEpoch - 1) / stepsPerEpoch
    }

    func isFinished(step: Int, epoch: Int) -> Bool { step >= lastStep || epoch >= epochs }

    /// Whether an update follows an epoch's batch (from 0). The original leaves out what is left over at an epoch's
    /// end.
    func isDue(afterBatch batch: Int) -> Bool {
        if (batch + 1) % accumulationSteps == 0 { return true }
        let isLast = batch + 1 == batchesPerEpoch
        return isLast && (!reproducesOriginal || batchesPerEpoch <= accumulationSteps)
    }

    /// The weight of a batch's loss in its update: one over the number of batches in it.
    func share(ofBatch batch: Int) -> Double {
        if reproducesOriginal { return 1 / Double(accumulationSteps) }
        let first = batch / accumulationSteps * accumulationSteps
        return 1 / Double(min(accumulationSteps, batchesPerEpoch - first))
    }
}
