import CAMTL
import Foundation
import Training

/// What is known of a run so far, from its events.
struct RunRecord {
    private(set) var model: ModelConfiguration?
    private(set) var summary: TrainingSummary?
    /// After which update the model is, if not after the last.
    private(set) var bestStep: Int?
    private(set) var evaluation: EvaluationReport?
    private var evaluationStart: ContinuousClock.Instant?
    /// The seconds that the evaluation after training took.
    private(set) var evaluationSeconds: Double?

    mutating func add(_ event: RunEvent) {
        switch event {
        case .loaded(let configuration, _): model = configuration
        case .training(.loadedBest(let step, _)): bestStep = step
        case .trained(let summary): self.summary = summary
        case .evaluating: evaluationStart = .now
        case .evaluated(let report):
            evaluation = report
            evaluationSeconds = evaluationStart.map { start in
                let duration = (ContinuousClock.now - start).components
                return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
            }
        default: break
        }
    }
}
