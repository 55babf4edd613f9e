import CAMTL
import Foundation
import Tasks
import Training

/// A training run's curves for TensorBoard, under the tags of Hugging Face's callback where it has one.
///
/// The file is made with its first points: a run that fails before there are any leaves nothing.
final class Curves {
    private let folder: URL
    private let picksCandidates: Bool
    /// The run's settings as JSON; empty for none.
    var settings = ""
    /// The tasks that are trained.
    private var tasks: [String] = []
    private var file: EventFile?
    private var firstStep = 0
    private var lastStep = 0
    private var lastEvaluatedStep: Int?

    /// - Throws: `LoggingError` if the folder can't be written to, or made.
    init(_ folder: URL, picksCandidates: Bool) throws {
        self.folder = folder
        self.picksCandidates = picksCandidates
        try Curves.check(folder)
    }

    private static func check(_ folder: URL) throws {
        let files = FileManager.default
        var existing = folder.standardizedFileURL
        var isFolder: ObjCBool = false
        while !files.fileExists(atPath: existing.path, isDirectory: &isFolder), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        guard isFolder.boolValue else {
            throw LoggingError(path: folder.path, reason: "\(existing.path) is a file")
        }
        guard files.isWritableFile(atPath: existing.path) else {
            throw LoggingError(path: folder.path, reason: "\(existing.path) is not writable")
        }
    }

    func addTask(_ name: String) { tasks.append(name) }

    func add(_ event: TrainingEvent) throws {
        switch event {
        case .resumed(let step, _):
            firstStep = step + 1
            lastStep = step
        case .stepped(let report): lastStep = report.step
        case .logged(let report): try opened().add(scalars(report), step: report.step)
        case .evaluated(let step, let report):
            lastEvaluatedStep = step
            try opened().add(scalars(report), step: step)
        case .started, .skipped, .stoppedEarly, .noBest, .loadedBest, .saved: break
        }
    }

    /// The figures of the whole training, which has ended.
    func add(_ summary: TrainingSummary) throws {
        let values = [
            ("train_loss", summary.meanLoss), ("train_runtime", summary.seconds),
            ("train_samples_per_second", summary.examplesPerSecond),
            ("train_steps_per_second", summary.stepsPerSecond),
        ]
        try opened().add(
            values.compactMap { name, value in value.map { .init(tag: "train/\(name)", value: $0) } }, step: lastStep)
    }

    /// The figures at the end; those of the last update may be there already.
    func add(_ evaluation: EvaluationReport) throws {
        guard lastEvaluatedStep != lastStep else { return }
        try opened().add(scalars(evaluation), step: lastStep)
    }

    /// The file, which begins with the settings.
    private func opened() throws -> EventFile {
        let file = try file ?? EventFile(in: folder, firstStep: firstStep)
        self.file = file
        // Indented, Markdown leaves it as it is.
        let text = settings.split(separator: "\n").map { "    \($0)\n" }.joined()
        if !text.isEmpty { try file.add(text, tag: "args/text_summary", step: firstStep) }
        // They are there, and nothing else makes them change.
        settings = ""
        return file
    }

    private func scalars(_ report: LogReport) -> [EventFile.Scalar] {
        func perTask(_ name: String, _ values: [String: Double]) -> [EventFile.Scalar] {
            values.sorted { $0.key < $1.key }.map { .init(tag: "train/\(name)_\($0.key)", value: $0.value) }
        }
        // A task of which nothing was picked has its point, too.
        let shares = Dictionary(uniqueKeysWithValues: tasks.map { ($0, 0) }).merging(report.taskShares) { $1 }
        let speed: [EventFile.Scalar] =
            report.examplesPerSecond > 0
            ? [.init(tag: "train/samples_per_second", value: report.examplesPerSecond)] : []
        return [
            .init(tag: "train/loss", value: report.loss), .init(tag: "train/grad_norm", value: report.gradientNorm),
            .init(tag: "train/learning_rate", value: report.learningRate),
            .init(tag: "train/epoch", value: report.epoch),
        ] + speed + perTask("loss", report.taskLosses)
            + (picksCandidates
                ? perTask("share", shares) + perTask("entropy", report.taskEntropies) : [])
    }

    private func scalars(_ report: EvaluationReport) -> [EventFile.Scalar] {
        report.figures.sorted { $0.key < $1.key }.map { .init(tag: "eval/\($0.key)", value: $0.value) }
    }
}
