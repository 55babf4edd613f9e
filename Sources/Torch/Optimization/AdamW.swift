import CTorch

/// AdamW as `transformers.AdamW` 2.11 computes it, which differs from `torch.optim.AdamW`: epsilon is added to √v
/// before the bias correction, and the weights decay after the step, by the updated value:
///
///     m = β₁ m + (1 - β₁) g,  v = β₂ v + (1 - β₂) g²
///     p -= rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)
///     p -= rate · decay · p
///
/// A parameter without a gradient is left alone, and its count t of steps stays.
public final class AdamW {
    public struct Group {
        public var parameters: [Parameter]
        public var weightDecay: Double

        public init(parameters: [Parameter], weightDecay: Double) {
            self.parameters = parameters
            self.weightDecay = weightDecay
        }
    }

    /// What is kept of a parameter from step to step.
    public struct State {
        /// m, of the parameter's shape.
        public let firstMoment: Tensor
        /// v, of the parameter's shape.
        public let secondMoment: Tensor
        /// t: how many steps the parameter has taken.
        public fileprivate(set) var step: Int
        /// For sparse gradients: which rows have had one, [rows] (UInt8). The others have moments of 0.
        fileprivate var touched: Tensor?

        public init(firstMoment: Tensor, secondMoment: Tensor, step: Int) {
            self.firstMoment = firstMoment
            self.secondMoment = secondMoment
            self.step = step
        }

        /// A row of moments that are not all 0 has had a gradient.
        fileprivate mutating func findTouchedRows() throws {
            guard touched == nil else { return }
            let rows = firstMoment.shape[0]
            var isUsed = [UInt8](repeating: 0, count: rows)
            if step > 1 {
                let width = firstMoment.count / rows
                for moments in [firstMoment, secondMoment] {
                    for (index, value) in try moments.elements(Float.self).enumerated() where value != 0 {
                        isUsed[index / width] = 1
                    }
                }
            }
            touched = try Tensor(isUsed)
        }

        fileprivate init(like parameter: Tensor) throws {
            firstMoment = try .zeros(parameter.shape, dtype: parameter.dtype, device: parameter.device)
            secondMoment = try .zeros(parameter.shape, dtype: parameter.dtype, device: parameter.device)
            step = 0
        }
    }

    private struct Slot {
        let parameter: Parameter
        let weightDecay: Double
        var state: State?
    }

    private var slots: [Slot]
    private let beta1: Double
    private let beta2: Double
    private let epsilon: Double

    public init(_ groups: [Group], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double) {
        slots = groups.flatMap { group in
            group.parameters.map { Slot(parameter: $0, weightDecay: group.weightDecay, state: nil) }
        }
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
    }

    /// How gradients are clipped whose norm is not known to the processor.
    public struct DeviceClipping {
        /// The 2-norm of all gradients together, on their device.
        public var norm: Tensor
        /// The most that it may be.
        public var maximum: Double

        public init(norm: Tensor, maximum: Double) {
            self.norm = norm
            self.maximum = maximum
        }
    }

    /// Updates every parameter that has a gradient.
    /// - Parameters:
    ///   - rate: the learning rate.
    ///   - gradientScale: what every gradient is multiplied by.
    ///   - clipping: clips the gradients on their device, besides; where their norm is not finite, values and moments
    ///     stay as they are, though the step is counted. Not for float32 on the CPU.
    public func step(rate: Double, gradientScale: Double = 1, clipping: DeviceClipping? = nil) throws {
        var updates: [CTAdamSlot] = []
        // The handles in C need what they belong to until the end.
        var gradients: [Tensor] = []
        for index in slots.indices {
            let parameter = slots[index].parameter.wrappedValue
            guard let gradient = try parameter.gradient() else { continue }
            var state = try slots[index].state ?? State(like: parameter)
            state.step += 1
            if gradient.isSparse { try state.findTouchedRows() }
            slots[index].state = state
            gradients.append(gradient)
            updates.append(
                CTAdamSlot(
                    parameter: parameter.handle, gradient: gradient.handle, first_moment: state.firstMoment.handle,
                    second_moment: state.secondMoment.handle, touched: gradient.isSparse ? state.touched?.handle : nil,
                    weight_decay: slots[index].weightDecay, step: Int64(state.step)))
            // A dense gradient leaves no record of the rows that had one.
            if !gradient.isSparse { slots[index].state?.touched = nil }
        }
        var settings = CTAdamSettings(
            rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, gradient_scale: gradientScale,
            norm: clipping?.norm.handle, max_norm: clipping?.maximum ?? 0)
        try withExtendedLifetime((gradients, clipping)) { try Tensor.check(ct_adam(updates, updates.count, &settings)) }
    }

    /// The state of each parameter, in the order of the groups; nil for one that has taken no step.
    ///
    /// Setting it makes the optimiser go on from there; there has to be one for each parameter.
    public var states: [State?] {
        get { slots.map(\.state) }
        set {
            precondition(newValue.count == slots.count, "\(newValue.count) states for \(slots.count) parameters")
            for index in slots.indices { slots[index].state = newValue[index] }
        }
    }

    /// Forgets the gradients, or sets those there are to zero, as torch did before version 2: a parameter that once
    /// had a gradient is then moved by its momentum in every later step.
    public func clearGradients(toZero: Bool = false) throws {
        for slot in slots {
            let tensor = slot.parameter.wrappedValue
            if toZero { try tensor.gradient()?.zeroInPlace() } else { try tensor.setGradient(nil) }
        }
    }
}
