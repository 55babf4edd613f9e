/// The learning rate rises linearly from 0 over the first steps, then falls linearly to 0.
///
/// Source: `get_linear_schedule_with_warmup` of transformers 2.11, as the original calls it, with a real number of
/// warm-up steps.
public struct LinearSchedule: Sendable, Equatable {
    /// The highest rate.
    public var rate: Double
    public var totalSteps: Int
    /// The steps in which the rate rises: 0…, not rounded if they are a share of all. Where there are more than
    /// `totalSteps`, the highest rate is never reached.
    public var warmupSteps: Double

    public init(rate: Double, totalSteps: Int, warmupSteps: Double) {
        self.rate = rate
        self.totalSteps = totalSteps
        self.warmupSteps = warmupSteps
    }

    /// - Parameters:
    ///   - rate: the highest rate.
    ///   - totalSteps: the steps of the training.
    ///   - warmupProportion: the share of the steps in which the rate rises, 0…1.
    public init(rate: Double, totalSteps: Int, warmupProportion: Double) {
        self.init(rate: rate, totalSteps: totalSteps, warmupSteps: warmupProportion * Double(totalSteps))
    }

    /// The rate of a step; the first is step 0.
    public func rate(at step: Int) -> Double {
        let step = Double(step)
        if step < warmupSteps { return rate * (step / max(1, warmupSteps)) }
        return rate * max(0, (Double(totalSteps) - step) / max(1, Double(totalSteps) - warmupSteps))
    }
}
