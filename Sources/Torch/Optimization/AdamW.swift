import CTorch
import Foundation

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

        public init(firstMoment: Tensor, secondMoment: Tensor, step: Int) {
            self.firstMoment = firstMoment
            self.secondMoment = secondMoment
            self.step = step
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

    /// Updates every parameter that has a gradient, with the learning rate `rate`.
    public func step(rate: Double) throws {
        var byStep: [Int: [Int]] = [:]
        var gradients: [Int: Tensor] = [:]
        for index in slots.indices {
            guard let gradient = try slots[index].parameter.wrappedValue.gradient() else { continue }
            var state = try slots[index].state ?? State(like: slots[index].parameter.wrappedValue)
            state.step += 1
            slots[index].state = state
            gradients[index] = gradient
            byStep[state.step, default: []].append(index)
        }
        for (step, indices) in byStep.sorted(by: { $0.key < $1.key }) {
            let states = indices.compactMap { slots[$0].state }
            // The kernel divides √v by √(1 - β₂ᵗ) and then adds its epsilon: divided by the same, ours is the
            // original's.
            let correction = (1 - pow(beta2, Double(step))).squareRoot()
            // A collection may be released after its last use in Swift; the handles in C need these until the end.
            try withExtendedLifetime((states, gradients)) {
                try Tensor.check(
                    ct_fused_adam(
                        indices.map { slots[$0].parameter.wrappedValue.handle },
                        indices.compactMap { gradients[$0]?.handle },
                        states.map(\.firstMoment.handle), states.map(\.secondMoment.handle),
                        indices.count, Int64(step), rate, beta1, beta2, epsilon / correction))
            }
        }
        try decay(gradients.keys.sorted(), rate: rate)
    }

    private func decay(_ indices: [Int], rate: Double) throws {
        for index in indices where slots[index].weightDecay != 0 {
            try slots[index].parameter.wrappedValue.multiplyInPlace(by: 1 - rate * slots[index].weightDecay)
        }
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
            if toZero { try tensor.gradient()?.multiplyInPlace(by: 0) } else { try tensor.setGradient(nil) }
        }
    }
}
