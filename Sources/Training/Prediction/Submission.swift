import CAMTL
import Files
import Foundation
import Tasks

/// The predictions of GLUE's test sets, as files for its server.
///
/// It is complete if it has every file of GLUE's, each with as many rows as the official test set. Nothing is made up
/// for what is missing.
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
    public struct Member: Sendable, Equatable {
        public let file: GLUE.SubmissionFile
        public let predictions: TestPredictions
    }

    /// In the order of `GLUE.submissionFiles`.
    public let members: [Member]
    /// Empty if the submission is complete.
    public let gaps: [Gap]

    /// - Parameters:
    ///   - predictions: of sets that are all among GLUE's.
    ///   - absences: by their names, why other sets are not predicted; those without a reason are of tasks not chosen.
    public init(_ predictions: [TestPredictions], absences: [String: Absence] = [:]) {
        let bySet = Dictionary(uniqueKeysWithValues: predictions.map { ($0.set, $0) })
        members = GLUE.submissionFiles.compactMap { file in
            bySet[file.set].map { Member(file: file, predictions: $0) }
        }
        gaps = GLUE.submissionFiles.compactMap { file in
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

    /// Writes `predictions/NAME.tsv` for each set and `submission.zip` with all of these files, each whole or not at
    /// all. Earlier predictions of other sets, which may be another model's, are removed.
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
        for file in GLUE.submissionFiles where !members.contains(where: { $0.file.name == file.name }) {
            unlink(folder.appendingPathComponent(file.name).path)
            unlink(folder.appendingPathComponent(file.stem + ".probabilities.tsv").path)
        }
        for member in members {
            let text = member.table
            try archive.add(member.file.name, Array(text.utf8))
            try writeAtomically(to: folder.appendingPathComponent(member.file.name)) { try $0.write(text) }
            let detailed = folder.appendingPathComponent(member.file.stem + ".probabilities.tsv")
            if withProbabilities {
                try writeAtomically(to: detailed) { try $0.write(member.detailedTable) }
            } else {
                unlink(detailed.path)
            }
        }
        try archive.write(to: Submission.archive(in: output))
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
        var columns = ["index", "prediction"]
        switch predictions.kind {
        case .classification(let labels, _):
            columns += labels.map { "probability_\($0)" } + labels.map { "logit_\($0)" }
        case .regression:
            columns.append("logit")
        }
        var text = columns.joined(separator: "\t") + "\n"
        for row in 0..<predictions.count {
            let logits = predictions.logits(ofRow: row)
            var cells = ["\(row)", predictions.text(ofRow: row)]
            if case .classification = predictions.kind { cells += probabilities(logits).map { "\($0)" } }
            cells += logits.map { "\($0)" }
            text += cells.joined(separator: "\t") + "\n"
        }
        return text
    }
}
