import CAMTL
import Files
import Foundation
import Tasks

/// The predictions of test sets, as files: those of GLUE's, for its server, and those of a user's tasks.
///
/// GLUE's are complete if there is every file of GLUE's, each with as many rows as the official test set. Nothing is made
/// up for what is missing.
public struct Submission: Sendable {
    /// Why a test set is not predicted.
    public enum Absence: Sendable, Equatable, CustomStringConvertible {
        /// The task is not among the run's.
        case notChosen(task: String)
        /// The task's decoder has never been trained.
        case untrained(task: String)
        /// The test set's file is missing; the message says where it was looked for.
        case noFile(String)

        public var description: String {
            switch self {
            case .notChosen(let task): "\(task) is not among the tasks of this run"
            case .untrained(let task): "\(task) is not trained, its decoder is at its random start"
            case .noFile(let message): message
            }
        }
    }

    /// What a submission lacks to be complete.
    public enum Gap: Sendable, Equatable, CustomStringConvertible {
        case missing(GLUE.SubmissionFile, Absence)
        case wrongCount(GLUE.SubmissionFile, rows: Int)

        public var description: String {
            switch self {
            case .missing(let file, let absence): "\(file.name) is missing: \(absence)"
            case .wrongCount(let file, let rows):
                "\(file.name) has \(rows) row\(rows == 1 ? "" : "s"), and the official test set has \(file.rows)"
            }
        }
    }

    /// A file with the predictions in it.
    public struct Member: Sendable {
        /// The file's name, such as `MNLI-m.tsv`, or a user's task's name with the ending `.tsv`.
        public let fileName: String
        public let predictions: TestPredictions
        /// Whether it is one of GLUE's.
        public let isGLUE: Bool

        /// The name without its ending.
        var stem: String { String(fileName.dropLast(4)) }
    }

    /// In the order of `GLUE.submissionFiles`, and then those of the user's tasks.
    public let members: [Member]
    /// Empty if the submission is complete, or has nothing of GLUE's.
    public let gaps: [Gap]
    /// Whether there are files for GLUE's server.
    public var hasGLUE: Bool { members.contains(where: \.isGLUE) }

    /// - Parameters:
    ///   - predictions: of GLUE's sets, and of those of a user's tasks.
    ///   - absences: by their names, why other sets are not predicted; those without a reason are of tasks not chosen.
    public init(_ predictions: [TestPredictions], absences: [String: Absence] = [:]) {
        let bySet = Dictionary(uniqueKeysWithValues: predictions.map { ($0.set, $0) })
        let official = GLUE.submissionFiles.compactMap { file in
            bySet[file.set].map { Member(fileName: file.name, predictions: $0, isGLUE: true) }
        }
        let names = Set(GLUE.submissionFiles.map(\.set))
        members =
            official
            + predictions.filter { !names.contains($0.set) }
            .map { Member(fileName: "\($0.set).tsv", predictions: $0, isGLUE: false) }
        gaps =
            official.isEmpty
            ? []
            : GLUE.submissionFiles.compactMap { file in
                guard let found = bySet[file.set] else {
                    return .missing(file, absences[file.set] ?? .notChosen(task: file.task))
                }
                return found.count == file.rows ? nil : .wrongCount(file, rows: found.count)
            }
    }

    /// The folder of the single files, in an output folder.
    public static func folder(in output: URL) -> URL { output.appendingPathComponent("predictions") }

    /// The archive for the server, in an output folder.
    public static func archive(in output: URL) -> URL { output.appendingPathComponent("submission.zip") }

    /// Writes `predictions/NAME.tsv` for each set and, where there are some of GLUE's, `submission.zip` with these, each
    /// whole or not at all. Earlier predictions of GLUE's other sets, which may be another model's, are removed.
    ///
    /// - Parameters:
    ///   - output: a folder that exists.
    ///   - withProbabilities: also writes `predictions/NAME.probabilities.tsv`; without, an earlier run's file of that
    ///     name, which no longer fits, is removed.
    /// - Throws: `FileWriteError`, `ZipWriteError`.
    public func write(to output: URL, withProbabilities: Bool = false) throws {
        let folder = Submission.folder(in: output)
        try makeFolder(folder)
        var archive = ZipWriter()
        for file in GLUE.submissionFiles where !members.contains(where: { $0.fileName == file.name }) {
            unlink(folder.appendingPathComponent(file.name).path)
            unlink(folder.appendingPathComponent(file.stem + ".probabilities.tsv").path)
        }
        for member in members {
            let text = member.table
            if member.isGLUE { try archive.add(member.fileName, Array(text.utf8)) }
            try writeAtomically(to: folder.appendingPathComponent(member.fileName)) { try $0.write(text) }
            let detailed = folder.appendingPathComponent(member.stem + ".probabilities.tsv")
            if withProbabilities {
                try writeAtomically(to: detailed) { try $0.write(member.detailedTable) }
            } else {
                unlink(detailed.path)
            }
        }
        if hasGLUE { try archive.write(to: Submission.archive(in: output)) }
    }
}

extension Submission.Member {
    /// The file as GLUE's server reads it.
    var table: String {
        var text = "index\tprediction\n"
        for row in 0..<predictions.count { text += "\(row)\t\(predictions.text(ofRow: row))\n" }
        return text
    }

    /// The table with further columns: each label's probability and logit, or a regression's logit, which is its score
    /// before it is rounded and clipped.
    var detailedTable: String {
        let labels = predictions.kind.labels
        let columns =
            ["index", "prediction"] + labels.map { "probability_\($0)" }
            + (labels.isEmpty ? ["logit"] : labels.map { "logit_\($0)" })
        var text = columns.joined(separator: "\t") + "\n"
        for row in 0..<predictions.count {
            let logits = predictions.logits(ofRow: row)
            var cells = ["\(row)", predictions.text(ofRow: row)]
            cells += (predictions.answer(toRow: row).probabilities ?? []).map { "\($0)" }
            cells += logits.map { "\($0)" }
            text += cells.joined(separator: "\t") + "\n"
        }
        return text
    }
}
