import Foundation
import Training

/// Writes what a run reports into files: TensorBoard's event files into the log folder; the results and, after
/// training, the model card into the output folder.
public final class RunReporter {
    private let configuration: RunConfiguration
    private let curves: Curves?
    private var record = RunRecord()

    /// - Throws: `LoggingError` if the run logs and its log folder can't be used; `RunError` if the card would take the
    ///   place of somebody else's file.
    public init(_ configuration: RunConfiguration) throws {
        self.configuration = configuration
        let isLogged = configuration.trains && configuration.outputDirectory != nil
        // Without leave to overwrite, the run refuses a folder that has anything in it.
        if let output = configuration.outputDirectory, configuration.trains,
            configuration.overwritesOutput || configuration.resumes != nil
        {
            try ModelCard.checkReplaceable(in: output)
        }
        curves = try configuration.loggingDirectory.flatMap { folder in
            guard isLogged else { return nil }
            return try Curves(folder, picksCandidates: configuration.training.sampling.picksCandidates)
        }
    }

    /// Takes an event of the run.
    ///
    /// - Throws: `FileWriteError`, `LoggingError`.
    public func report(_ event: RunEvent) throws {
        record.add(event)
        switch event {
        case .loaded(let model, _):
            let settings = configuration.record(of: model)
            if !settings.entries.isEmpty { curves?.settings = try settings.json() }
        case .encoded(let set, .train, _, _, _): curves?.addTask(set)
        case .training(let event): try curves?.add(event)
        case .trained(let summary):
            try curves?.add(summary)
            guard let output = configuration.outputDirectory else { return }
            try ResultsFiles(folder: output).write(summary)
            try writeCard(to: output)
        case .evaluated(let report):
            if configuration.trains { try curves?.add(report) }
            guard let output = configuration.outputDirectory else { return }
            let timings = report.timings(
                seconds: record.evaluationSeconds, batchSize: configuration.training.evaluationBatchSize)
            try ResultsFiles(folder: output).write(report, timings: timings)
            if configuration.trains { try writeCard(to: output) }
        default: break
        }
    }

    private func writeCard(to folder: URL) throws {
        try ModelCard(record, configuration).write(to: folder)
    }
}
