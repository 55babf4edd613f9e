import Files
import Foundation
import Torch

/// What a run needs, besides the model and the optimiser's moments, to go on as if it had never stopped.
struct ResumeState: Sendable, Codable {
    static let fileName = "resume_state.json"

    /// The run's own name: another run in the same folder has another.
    var run: String
    /// The settings that decide the run's numbers, by their flags; a run with others can't go on from here.
    var settings: [String: String]
    var progress: Progress
    /// Of the device's stream.
    var dropout: RandomStreamPlace
    /// Where float16 needs it.
    var lossScaler: LossScaler?
    var sampler: Sampler.Place
    var scorer: CandidateScorer.State
    var usage: [Int: ExampleUsage.Record]
    var log: LogAccumulator
    var best: BestModel
    /// The last update with an evaluation; nil before the first.
    var evaluatedStep: Int?
    /// Each metric's maximum over the evaluations so far, where that is reported.
    var highest: EvaluationReport?
    /// The checkpoint's other files with their sizes in bytes: what a copy that was cut short lacks.
    var files: [String: Int] = [:]

    /// How far a run has come.
    struct Progress: Sendable, Equatable, Codable {
        /// Updates made.
        var step = 0
        /// Epochs finished.
        var epoch = 0
        /// Batches of the current epoch that are done.
        var batch = 0
        /// Of training, with those of the runs that this one goes on from.
        var seconds = 0.0
        var examples = 0
        var tokens = 0
        /// The sum of the updates' losses.
        var loss = 0.0
    }

    /// Reads a checkpoint's state and checks that the checkpoint is whole.
    ///
    /// - Throws: `ResumeError.notWhole`.
    static func read(from folder: URL) throws -> ResumeState {
        func fail(_ reason: String) -> ResumeError { .notWhole(path: folder.path, reason: reason) }
        let url = folder.appendingPathComponent(fileName)
        guard let data = try? readFile(url) else { throw fail("it has no \(fileName)") }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let state = try? decoder.decode(ResumeState.self, from: data) else {
            throw fail("its \(fileName) is damaged")
        }
        for (name, size) in state.files.sorted(by: { $0.key < $1.key }) {
            let found = try? fileSize(folder.appendingPathComponent(name))
            if found != size {
                throw fail(
                    found.map { "\(name) has \($0) bytes, and \(size) were written" } ?? "\(name) is missing")
            }
        }
        return state
    }

    /// Writes the state into a folder that has the checkpoint's other files.
    func write(to folder: URL) throws {
        var state = self
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            state.files[name] = try ResumeState.fileSize(folder.appendingPathComponent(name))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let data = try encoder.encode(state)
        try writeAtomically(to: folder.appendingPathComponent(ResumeState.fileName)) { try $0.write(data) }
    }

    private static func fileSize(_ url: URL) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
    }
}

/// Why a run can't go on from a checkpoint.
public enum ResumeError: Error, Equatable, CustomStringConvertible, Sendable {
    /// Files are missing or damaged.
    case notWhole(path: String, reason: String)
    /// The checkpoint is one of a run whose settings decide other numbers; `differences` names them.
    case otherRun(path: String, differences: [String])
    /// The optimiser's file is not one of the parameters that train here.
    case otherParameters(path: String)

    public var description: String {
        switch self {
        case .notWhole(let path, let reason):
            "\(path): this is no whole checkpoint to go on from: \(reason); name another with --resume_from_checkpoint"
        case .otherRun(let path, let differences):
            "\(path): this checkpoint is of a run with other settings: \(differences.joined(separator: "; ")); give "
                + "the same ones, or start a new run from its weights with --model_name_or_path \(path)"
        case .otherParameters(let path):
            "\(path): these are the moments of other parameters than train here; give the --freeze_encoder_layers of "
                + "that run"
        }
    }
}
