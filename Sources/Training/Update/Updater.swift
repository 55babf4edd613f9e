import CAMTL
import Torch

/// How gradients become updates.
public struct OptimizerSettings: Sendable, Equatable {
    /// The highest learning rate.
    public var learningRate = 5e-5
    public var weightDecay = 0.0
    public var adamEpsilon = 1e-8
    /// The most that the norm of all gradients together may be.
    public var maxGradientNorm = 1.0
    /// The share of the steps in which the learning rate rises: 0…1.
    public var warmupProportion = 0.1
    /// The number of steps in which the learning rate rises, in place of a share of them.
    public var warmupSteps: Int?

    public init() {}
}

/// Adds up gradients and applies them: clipping, the schedule, AdamW.
public final class Updater {
    public struct Step: Sendable, Equatable {
        /// The learning rate of the step.
        public var learningRate: Double
        /// The norm of the gradients before clipping.
        public var gradientNorm: Double
    }

    private let parameters: [Parameter]
    private let optimizer: AdamW
    private let schedule: LinearSchedule
    private let settings: OptimizerSettings
    private let keepsZeroGradients: Bool
    private var stepsTaken = 0

    /// - Parameters:
    ///   - model: the parameters that are trainable now are updated.
    ///   - settings: how gradients become updates.
    ///   - totalSteps: what the schedule is laid over.
    ///   - keepsZeroGradients: whether gradients are set to zero after a step and not removed, as in the torch of the
    ///     original: a decoder that is absent from a batch then still moves by its momentum.
    public init(
        _ model: CAMTLModel, settings: OptimizerSettings, totalSteps: Int, keepsZeroGradients: Bool = false
    ) {
        let trainable = model.namedParameters().filter(\.parameter.isTrainable)
        parameters = trainable.map(\.parameter)
        optimizer = AdamW(
            [true, false].map { decayed in
                AdamW.Group(
                    parameters: trainable.filter { Updater.decays($0.name) == decayed }.map(\.parameter),
                    weightDecay: decayed ? settings.weightDecay : 0)
            }, epsilon: settings.adamEpsilon)
        let rate = settings.learningRate
        schedule =
            if let steps = settings.warmupSteps {
                LinearSchedule(rate: rate, totalSteps: totalSteps, warmupSteps: Double(steps))
            } else {
                LinearSchedule(rate: rate, totalSteps: totalSteps, warmupProportion: settings.warmupProportion)
            }
        self.settings = settings
        self.keepsZeroGradients = keepsZeroGradients
    }

    /// Whether a parameter's weights decay: not biases, nor the scales of `LayerNorm`s by that name. The original's
    /// rule, under which the scale of `adapter.condlayernorm` does.
    public static func decays(_ name: String) -> Bool {
        !name.contains("bias") && !name.contains("LayerNorm.weight")
    }

    /// Adds the gradient of `loss`, weighted by `share`, to what the next step applies.
    public func accumulate(_ loss: Tensor, share: Double) throws {
        try (share == 1 ? loss : loss * share).backward()
    }

    /// Applies what has been accumulated.
    /// - Throws: `TrainingError.gradientNotFinite`, before anything is changed; `TorchError`.
    public func step() throws -> Step {
        let norm = try clipGradientNorm(parameters, maximum: settings.maxGradientNorm)
        guard norm.isFinite else { throw TrainingError.gradientNotFinite(step: stepsTaken + 1) }
        let rate = schedule.rate(at: stepsTaken)
        try optimizer.step(rate: rate)
        try optimizer.clearGradients(toZero: keepsZeroGradients)
        stepsTaken += 1
        return Step(learningRate: rate, gradientNorm: norm)
    }
}
