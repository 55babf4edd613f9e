import Tasks

/// The figure of an evaluation that tells which of several checkpoints is the best.
public struct BestFigure: Sendable, Equatable {
    /// Its key in `eval_results.json`, such as `eval_average` or `eval_rte_acc`.
    public let key: String
    /// Whether a lower figure is a better one, as of a loss.
    public var isLowerBetter: Bool {
        switch source {
        case .average: false
        case .loss: true
        case .metric(let metric, _): metric.isLowerBetter
        }
    }

    private enum Source: Sendable, Equatable {
        case average
        case loss(set: String)
        case metric(Metric, set: String)
    }

    private let source: Source

    /// - Parameters:
    ///   - name: the key, with or without `eval_`; metrics may have their long names, as in `rte_accuracy`.
    ///   - tasks: those that are evaluated.
    /// - Throws: `RunError.unknownMetric`.
    public init(_ name: String, tasks: [TaskDefinition]) throws {
        var known: [(key: String, source: Source)] = [("eval_average", .average)]
        for task in tasks {
            for set in task.devNames {
                known += task.metrics.map { ("eval_\(set)_\($0.rawValue)", .metric($0, set: set)) }
                known.append(("eval_\(set)_loss", .loss(set: set)))
            }
        }
        var wanted = name.hasPrefix("eval_") ? name : "eval_" + name
        for (long, short) in Metric.longNames where wanted.hasSuffix("_" + long) {
            wanted = wanted.dropLast(long.count) + short.rawValue
        }
        guard let found = known.first(where: { $0.key == wanted }) else {
            let keys = known.map { String($0.key.dropFirst("eval_".count)) }
            throw RunError.unknownMetric(name: name, nearest: nearestName(to: name, among: keys), known: keys)
        }
        (key, source) = found
    }

    /// The figure in an evaluation of the tasks; NaN where it is not defined.
    public func value(in report: EvaluationReport) -> Double {
        func result(_ set: String) -> EvaluationResult? { report.results.first { $0.name == set } }
        return switch source {
        case .average: report.average
        case .loss(let set): result(set)?.loss ?? .nan
        case .metric(let metric, let set): result(set)?.scores[metric] ?? .nan
        }
    }

    /// Whether a figure is better than another; any number is better than NaN.
    public func isBetter(_ value: Double, than other: Double) -> Bool {
        if value.isNaN || other.isNaN { return !value.isNaN }
        return isLowerBetter ? value < other : value > other
    }
}
