/// What losses are multiplied by, so that gradients in float16 are neither too small for it nor too large: it is halved
/// after gradients that are not finite, which are not applied, and doubled after many that are.
///
/// Source: `torch.amp.GradScaler`, whose factors are the defaults here.
public struct LossScaler: Sendable, Equatable, Codable {
    /// What the loss is multiplied by now.
    public private(set) var scale: Double
    /// Updates since it last changed.
    public private(set) var updatesSinceChange = 0
    private let growthFactor: Double
    private let backoffFactor: Double
    private let growthInterval: Int

    /// - Parameters:
    ///   - scale: what the first loss is multiplied by.
    ///   - growthFactor: what the scale is multiplied by after `growthInterval` updates in a row.
    ///   - backoffFactor: what it is multiplied by after gradients that are not finite: 0..<1.
    ///   - growthInterval: updates, 1 or more.
    public init(
        scale: Double = 65536, growthFactor: Double = 2, backoffFactor: Double = 0.5, growthInterval: Int = 2000
    ) {
        self.scale = scale
        self.growthFactor = growthFactor
        self.backoffFactor = backoffFactor
        self.growthInterval = growthInterval
    }

    /// Whether these are numbers that a scaler can have: one that was read may have any.
    public var isPossible: Bool {
        scale > 0 && scale <= Double(Float.greatestFiniteMagnitude) && growthFactor >= 1 && growthFactor.isFinite
            && (0..<1).contains(backoffFactor) && growthInterval >= 1
            && (0..<growthInterval).contains(updatesSinceChange)
    }

    /// Takes note of whether the gradients of an update were finite.
    public mutating func record(finite isFinite: Bool) {
        guard isFinite else {
            scale *= backoffFactor
            updatesSinceChange = 0
            return
        }
        updatesSinceChange += 1
        guard updatesSinceChange == growthInterval else { return }
        updatesSinceChange = 0
        // Beyond float32 the scaled loss would be infinite.
        if scale * growthFactor <= Double(Float.greatestFiniteMagnitude) { scale *= growthFactor }
    }
}
