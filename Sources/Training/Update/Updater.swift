import CAMTL
import Foundation
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
    /// What losses are multiplied by before their gradients are computed; nil leaves them as they are.
    public var lossScaler: LossScaler?

    public init() {}
}

/// Adds up gradients and applies them: clipping, the schedule, AdamW.
public final class Updater {
    public struct Step: Sendable, Equatable {
        /// The learning rate of the step.
        public var learningRate: Double
        /// The norm of the gradients before clipping.
        public var gradientNorm: Double
        /// Whether it was left out, as the gradients were not finite under the loss scale.
        public var isSkipped = false
    }

    private let model: CAMTLModel
    private let parameters: [Parameter]
    /// The parameters by name, in the optimiser's order.
    private let optimized: [(name: String, parameter: Parameter)]
    private let optimizer: AdamW
    private let schedule: LinearSchedule
    private let settings: OptimizerSettings
    private let keepsZeroGradients: Bool
    private let team: Team?
    private let reducer: GradientReducer?
    private var stepsTaken = 0
    /// See `OptimizerSettings.lossScaler`.
    private(set) var lossScaler: LossScaler?

    /// - Parameters:
    ///   - model: the parameters that are trainable now are updated.
    ///   - settings: how gradients become updates.
    ///   - totalSteps: what the schedule is laid over.
    ///   - keepsZeroGradients: whether gradients are set to zero after a step and not removed, as in the torch of the
    ///     original: a decoder that is absent from a batch then still moves by its momentum.
    ///   - team: the processes whose gradients are added up; nil for one alone.
    /// - Throws: `TeamError`.
    public init(
        _ model: CAMTLModel, settings: OptimizerSettings, totalSteps: Int, keepsZeroGradients: Bool = false,
        team: Team? = nil
    ) throws {
        self.model = model
        let trainable = model.namedParameters().filter(\.parameter.isTrainable)
        parameters = trainable.map(\.parameter)
        let (decayed, kept) = (
            trainable.filter { Updater.decays($0.name) }, trainable.filter { !Updater.decays($0.name) })
        optimized = decayed + kept
        optimizer = AdamW(
            [
                AdamW.Group(parameters: decayed.map(\.parameter), weightDecay: settings.weightDecay),
                AdamW.Group(parameters: kept.map(\.parameter), weightDecay: 0),
            ], epsilon: settings.adamEpsilon)
        let rate = settings.learningRate
        schedule =
            if let steps = settings.warmupSteps {
                LinearSchedule(rate: rate, totalSteps: totalSteps, warmupSteps: Double(steps))
            } else {
                LinearSchedule(rate: rate, totalSteps: totalSteps, warmupProportion: settings.warmupProportion)
            }
        self.settings = settings
        lossScaler = settings.lossScaler
        self.keepsZeroGradients = keepsZeroGradients
        self.team = team
        reducer = try team.map { [parameters] team in
            try team.exchange { try GradientReducer(team.group, parameters: parameters) }
        }
    }

    /// Whether a parameter's weights decay: not biases, nor the scales of `LayerNorm`s by that name. The original's
    /// rule, under which the scale of `adapter.condlayernorm` does.
    public static func decays(_ name: String) -> Bool {
        !name.contains("bias") && !name.contains("LayerNorm.weight")
    }

    /// Adds the gradient of `loss`, weighted by `share`, to what the next step applies. In a team the losses of all
    /// processes count, each with its share.
    ///
    /// - Parameters:
    ///   - loss: a tensor of one element.
    ///   - share: the weight of the loss in the step.
    ///   - isLast: whether the next step follows: the gradients of a team are then exchanged.
    public func accumulate(_ loss: Tensor, share: Double, isLast: Bool = true) throws {
        let share = share * (lossScaler?.scale ?? 1)
        guard let team, let reducer else { return try (share == 1 ? loss : loss * share).backward() }
        // The reducer takes the mean over the processes.
        let part = try loss * (share * Double(team.size))
        guard isLast else { return try part.backward() }
        try team.exchange {
            try reducer.prepare(for: part)
            try part.backward()
        }
    }

    /// Applies what has been accumulated.
    /// - Throws: `TrainingError.gradientNotFinite`, before anything is changed; `TorchError`.
    public func step() throws -> Step {
        let queued = try queueStep()
        return Step(
            learningRate: queued.learningRate,
            gradientNorm: try queued.gradientNorm { try $0.tensor() }, isSkipped: queued.isSkipped)
    }

    /// Applies what has been accumulated, but doesn't wait for a device to have done so.
    ///
    /// - Throws: `TrainingError.gradientNotFinite`, before anything is changed, where the norm is known by then; else
    ///   the device leaves all as it is, and the step's norm says so.
    func queueStep() throws -> QueuedStep {
        let norm = try gradientNorm(parameters)
        // float32 on the CPU has its own loops, and whether float16 needs another scale has to be known at once.
        if let norm, norm.device != .cpu, lossScaler == nil {
            let readback = try Readback(norm)
            let rate = try apply { optimizer, rate in
                try optimizer.step(rate: rate, clipping: .init(norm: norm, maximum: settings.maxGradientNorm))
            }
            return QueuedStep(number: stepsTaken, learningRate: rate, isSkipped: false, norm: .read(readback))
        }
        let scale = lossScaler?.scale ?? 1
        let value = (try norm?.item() ?? 0) / scale
        lossScaler?.record(finite: value.isFinite)
        guard value.isFinite else {
            // At a scale of 1 the gradients are those of the loss itself.
            guard lossScaler != nil, scale > 1 else { throw TrainingError.gradientNotFinite(step: stepsTaken + 1) }
            try optimizer.clearGradients(toZero: keepsZeroGradients)
            return QueuedStep(
                number: stepsTaken, learningRate: schedule.rate(at: stepsTaken), isSkipped: true, norm: .known(value))
        }
        let rate = try apply { optimizer, rate in
            try optimizer.step(
                rate: rate,
                gradientScale: clippingFactor(norm: value, maximum: settings.maxGradientNorm) / scale)
        }
        return QueuedStep(number: stepsTaken, learningRate: rate, isSkipped: false, norm: .known(value))
    }

    private func apply(_ body: (AdamW, _ rate: Double) throws -> Void) throws -> Double {
        let rate = schedule.rate(at: stepsTaken)
        try body(optimizer, rate)
        try model.restoreKeptEmbeddings()
        try optimizer.clearGradients(toZero: keepsZeroGradients)
        stepsTaken += 1
        return rate
    }

    /// Writes the optimiser's moments, by the names of their parameters, as safetensors.
    func save(to url: URL) throws {
        var writer = SafetensorsWriter(metadata: ["format": "pt", "steps": String(stepsTaken)])
        for ((name, _), state) in zip(optimized, optimizer.states) {
            guard let state else { continue }
            let tensors = [
                ("exp_avg", state.firstMoment), ("exp_avg_sq", state.secondMoment),
                ("step", try Tensor([Int64(state.step)])),
            ]
            for (kind, tensor) in tensors {
                try writer.add("\(name).\(kind)", TensorInfo(dtype: tensor.dtype, shape: tensor.shape)) { sink in
                    try tensor.bytes().withUnsafeBytes { try sink($0) }
                }
            }
        }
        try writer.write(to: url)
    }

    /// Goes on from what `save` wrote, with the loss scale there was.
    ///
    /// - Parameters:
    ///   - url: the file.
    ///   - lossScaler: what the loss scale was.
    ///   - step: the updates that the run has made, those included that were left out.
    /// - Throws: `ResumeError.otherParameters` where the file is one of other parameters, `.notWhole` where its counts
    ///   of updates can't be those of the run; `CheckpointError`.
    func restore(from url: URL, lossScaler: LossScaler?, step: Int) throws {
        if self.lossScaler != nil, let lossScaler { self.lossScaler = lossScaler }
        let file = try CheckpointFile.open(url)
        let device = parameters.first?.wrappedValue.device ?? .cpu
        func tensor(_ name: String) throws -> Tensor? {
            guard let info = file.info(name) else { return nil }
            return try file.withBytes(of: name) {
                try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype, device: device)
            }
        }
        var states: [AdamW.State?] = []
        for (name, parameter) in optimized {
            guard let first = try tensor("\(name).exp_avg"), let second = try tensor("\(name).exp_avg_sq"),
                let count = try tensor("\(name).step")?.elements(Int64.self).first,
                first.shape == parameter.shape, second.shape == parameter.shape,
                first.dtype == parameter.wrappedValue.dtype, second.dtype == first.dtype
            else {
                states.append(nil)
                continue
            }
            states.append(AdamW.State(firstMoment: first, secondMoment: second, step: Int(count)))
        }
        guard let steps = file.metadata["steps"].flatMap(Int.init),
            states.count(where: { $0 != nil }) * 3 == file.names.count
        else { throw ResumeError.otherParameters(path: url.path) }
        guard self.lossScaler == nil ? steps == step : (0...step).contains(steps),
            states.allSatisfy({ $0.map { (1...max(steps, 1)).contains($0.step) } ?? true })
        else {
            throw ResumeError.notWhole(
                path: url.deletingLastPathComponent().path,
                reason: "\(url.lastPathComponent) is not of the \(step) updates that the run has made")
        }
        optimizer.states = states
        stepsTaken = steps
        guard keepsZeroGradients else { return }
        for (state, (_, parameter)) in zip(states, optimized) where state != nil {
            let value = parameter.wrappedValue
            try value.setGradient(.zeros(value.shape, dtype: value.dtype, device: value.device))
        }
    }
}
