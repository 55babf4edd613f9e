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
    /// The CRC-32 of each of these files, in hexadecimal; nil in a checkpoint of the first format, which had sizes alone.
    var checksums: [String: String]?
    /// The CRC-32 of the state's own file, with zeros in place of these eight digits.
    var checksum: String?

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

    /// Reads a checkpoint's state. Its other files are looked at, but not into: that they are there, of their sizes,
    /// and that there are no others that could be read in their place.
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
        // One whose own checksum has lost its name has none to compare.
        guard state.isOfOldFormat || state.checksum != nil && state.checksum == ownChecksum(of: data) else {
            throw fail("its \(fileName) is damaged: the checksum is not that of its content")
        }
        if let problem = state.problem { throw fail("in its \(fileName), \(problem)") }
        for (name, size) in state.files.sorted(by: { $0.key < $1.key }) {
            guard !name.contains("/") else { throw fail("its \(fileName) names a file elsewhere, \(name)") }
            let found = try? fileSize(folder.appendingPathComponent(name))
            if found != size {
                throw fail(
                    found.map { "\(name) has \($0) bytes, and \(size) were written" } ?? "\(name) is missing")
            }
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        if let name = names.sorted().first(where: { state.files[$0] == nil && couldBeRead($0) }) {
            throw fail("\(name) is not of this checkpoint, and could be read in place of its files; remove it")
        }
        return state
    }

    /// Reads a checkpoint's state and all of its files, and checks that they are as they were written.
    ///
    /// - Throws: `ResumeError.notWhole`.
    static func readWhole(from folder: URL) throws -> ResumeState {
        let state = try read(from: folder)
        try state.checkFiles(in: folder)
        return state
    }

    /// Reads a checkpoint's files, or those of `names` among them, and checks that they are as they were written, as
    /// far as its format tells.
    ///
    /// - Throws: `ResumeError.notWhole`.
    func checkFiles(in folder: URL, where isWanted: (String) -> Bool = { _ in true }) throws {
        func fail(_ reason: String) -> ResumeError { .notWhole(path: folder.path, reason: reason) }
        guard let checksums else { return }
        for name in files.keys.sorted() where isWanted(name) {
            let found: FileChecksum
            do {
                found = try FileChecksum(ofFile: folder.appendingPathComponent(name).path)
            } catch {
                throw fail("\(name) can't be read: \(error)")
            }
            guard found.size == files[name], found.hexadecimal == checksums[name] else {
                throw fail("\(name) is damaged: the checksum is not that of its content")
            }
        }
    }

    /// Whether it is of a format that has the files' sizes alone.
    var isOfOldFormat: Bool { checksums == nil && checksum == nil }

    /// Writes the state into a folder that has the checkpoint's other files.
    func write(to folder: URL) throws {
        var state = self
        var checksums: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let checksum = try FileChecksum(ofFile: folder.appendingPathComponent(name).path)
            (state.files[name], checksums[name]) = (checksum.size, checksum.hexadecimal)
        }
        (state.checksums, state.checksum) = (checksums, ResumeState.noChecksum)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let data = ResumeState.sealed(try encoder.encode(state))
        try writeAtomically(to: folder.appendingPathComponent(ResumeState.fileName)) { try $0.write(data) }
    }

    private static let noChecksum = "00000000"

    /// Where the digits of the file's own checksum are.
    private static func placeOfChecksum(in data: Data) -> Range<Data.Index>? {
        guard let key = data.firstRange(of: Data("\"checksum\":\"".utf8)),
            data.endIndex - key.upperBound >= noChecksum.utf8.count
        else { return nil }
        return key.upperBound..<key.upperBound + noChecksum.utf8.count
    }

    /// The checksum that a file of this content should have in it; nil if it has none.
    private static func ownChecksum(of data: Data) -> String? {
        guard let place = placeOfChecksum(in: data) else { return nil }
        var data = data
        data.replaceSubrange(place, with: Data(noChecksum.utf8))
        return FileChecksum(data).hexadecimal
    }

    /// The content with the right checksum in place of the one that it has.
    static func sealed(_ data: Data) -> Data {
        guard let place = placeOfChecksum(in: data), let checksum = ownChecksum(of: data) else { return data }
        var data = data
        data.replaceSubrange(place, with: Data(checksum.utf8))
        return data
    }

    /// Whether what reads a model's folder may look for a file of this name.
    private static func couldBeRead(_ name: String) -> Bool {
        let endings = ["json", "txt", "safetensors", "bin", "model", "pt", "pth"]
        return name != fileName && endings.contains(URL(fileURLWithPath: name).pathExtension.lowercased())
    }

    private static func fileSize(_ url: URL) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)[.size] as? Int
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
    /// The best checkpoint, which the model at the end was to be, is damaged; the last update's is at `last`.
    case bestNotWhole(path: String, reason: String, last: String)
    /// What says whose an output folder's checkpoints are is damaged.
    case damagedMark(path: String)

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
        case .bestNotWhole(let path, let reason, let last):
            "\(path): the best model is in this checkpoint, and it can't be loaded: \(reason); the model after the last "
                + "step is in \(last)"
        case .damagedMark(let path):
            "\(path): this file says which run's checkpoints are the newest, and it is damaged; name a checkpoint with "
                + "--resume_from_checkpoint, or remove the file to go on from the newest of any run"
        }
    }
}
