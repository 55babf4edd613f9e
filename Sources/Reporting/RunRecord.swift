import CAMTL
import Foundation
import Tasks
import Training

/// What is known of a run so far, from its events.
struct RunRecord {
    struct DataSet: Equatable {
        var name: String
        var split: Split
        var examples: Int
    }

    /// What this process has trained. A run that goes on from a checkpoint has done more.
    struct Trained {
        var steps = 0
        var examples = 0
        var totalLoss = 0.0
        var epoch: Double?
    }

    private(set) var model: ModelConfiguration?
    private(set) var dataSets: [DataSet] = []
    private(set) var trained = Trained()
    private(set) var summary: TrainingSummary?
    private(set) var evaluation: EvaluationReport?
    private var evaluationStart: ContinuousClock.Instant?
    /// The seconds that the evaluation after training took.
    private(set) var evaluationSeconds: Double?

    mutating func add(_ event: RunEvent) {
        switch event {
        case .loaded(let configuration, _): model = configuration
        case .encoded(let set, let split, let examples, _, _):
            dataSets.append(DataSet(name: set, split: split, examples: examples))
        case .training(.stepped(let report)):
            trained.steps += 1
            trained.examples += report.examples
            trained.totalLoss += report.loss
            trained.epoch = report.epoch
        case .trained(let summary): self.summary = summary
        case .evaluating: evaluationStart = .now
        case .evaluated(let report):
            evaluation = report
            evaluationSeconds = evaluationStart.map { start in
                let duration = (ContinuousClock.now - start).components
                return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
            }
        case .frozen, .training, .saved, .predicted: break
        }
    }
}
