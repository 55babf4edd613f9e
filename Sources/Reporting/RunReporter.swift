import Foundation
import Training

/// Writes what a run reports into files: TensorBoard's event files into the log folder; the results and, after
/// training, the model card into the output folder.
public final class RunReporter {
    private let configuration: RunConfiguration
    private let curves: Curves?
    private let warn: (String) -> Void
    private var record = RunRecord()
    private var hasWarned = false

    /// - Parameters:
    ///   - configuration: the run's.
    ///   - warn: is told, once, that points of the curves can't be written.
    /// - Throws: `LoggingError` if the run logs and its log folder can't be used; `RunError` if the card would take the
    ///   place of somebody else's file; `FileWriteError` where something else than a file has a name of the results'.
    public init(_ configuration: RunConfiguration, warn: @escaping (String) -> Void = { _ in }) throws {
        self.configuration = configuration
        self.warn = warn
        let isLogged = configuration.trains && configuration.outputDirectory != nil
        // Without leave to overwrite, the run refuses a folder that has anything in it.
        if let output = configuration.outputDirectory, configuration.trains,
            configuration.overwritesOutput || configuration.resumes != nil
        {
            try ModelCard.checkReplaceable(in: output)
        }
        if let output = configuration.outputDirectory { try ResultsFiles(folder: output).checkReplaceable() }
        curves = try configuration.loggingDirectory.flatMap { folder in
            guard isLogged else { return nil }
            return try Curves(folder, picksCandidates: configuration.training.sampling.picksCandidates)
        }
    }

    /// Takes an event of the run. A log that can't be written any more, as on a full disk, ends no run; results that
    /// can't be written do.
    ///
    /// - Throws: `FileWriteError`.
    public func report(_ event: RunEvent) throws {
        record.add(event)
        switch event {
        case .loaded(let model, _):
            let settings = configuration.record(of: model)
            if !settings.entries.isEmpty { curves?.settings = try settings.json() }
        case .encoded(let set, .train, _, _, _): curves?.addTask(set)
        case .training(let event): log { try $0.add(event) }
        case .trained(let summary):
            log { try $0.add(summary) }
            guard let output = configuration.outputDirectory else { return }
            try ResultsFiles(folder: output).write(summary)
            try writeCard(to: output)
        case .evaluated(let report):
            if configuration.trains { log { try $0.add(report) } }
            guard let output = configuration.outputDirectory else { return }
            let timings = report.timings(
                seconds: record.evaluationSeconds, batchSize: configuration.training.evaluationBatchSize)
            try ResultsFiles(folder: output).write(report, timings: timings)
            if configuration.trains { try writeCard(to: output) }
        default: break
        }
    }

    /// Adds to the curves what can be added.
    private func log(_ add: (Curves) throws -> Void) {
        guard let curves else { return }
        do {
            try add(curves)
        } catch {
            if !hasWarned { warn("TensorBoard's log lacks points from here on, and the run goes on: \(error)") }
            hasWarned = true
        }
    }

    private func writeCard(to folder: URL) throws {
        try ModelCard(record, configuration).write(to: folder)
    }
}
