/// The learning rate rises linearly from 0 over the first share of the steps, then falls linearly to 0.
///
/// Source: `get_linear_schedule_with_warmup` of transformers 2.11, as the original calls it, with a real number of
/// warm-up steps.
public struct LinearSchedule: Sendable, Equatable {
    /// The highest rate.
    public var rate: Double
    public var totalSteps: Int
    /// warmupProportion · totalSteps, not rounded.
    public var warmupSteps: Double

    /// - Parameter warmupProportion: 0…1.
    public init(rate: Double, totalSteps: Int, warmupProportion: Double) {
        self.rate = rate
        self.totalSteps = totalSteps
        warmupSteps = warmupProportion * Double(totalSteps)
    }

    /// The rate of a step; the first is step 0.
    public func rate(at step: Int) -> Double {
        let step = Double(step)
        if step < warmupSteps { return rate * (step / max(1, warmupSteps)) }
        return rate * max(0, (Double(totalSteps) - step) / max(1, Double(totalSteps) - warmupSteps))
    }
}
