import Files
import Foundation
import Tasks
import Tokenization

/// Turns a trained model's folder into one that another program reads, or the other way round.
///
/// A model of this program becomes a folder of a class of transformers, such as `BertForSequenceClassification`, for each
/// task, named after it, in the output folder. A checkpoint of the original code, or a folder of such a class, becomes a
/// model of this program, which is the output folder.
public struct Conversion: Sendable {
    public var source: URL
    public var output: URL
    /// What the source is where it doesn't say so, and which of a model's tasks are wanted.
    public var request: TrainedModel.Request
    /// Whether a folder that has something in it is written to.
    public var overwritesOutput = false

    /// What came of it.
    public struct Result: Sendable {
        public var loading: LoadReport
        /// The folders that were written.
        public var folders: [URL]
        /// Tasks that were left out, as training never came to their decoders.
        public var untrained: [String]
    }

    public init(from source: URL, to output: URL, _ request: TrainedModel.Request = .init()) {
        self.source = source
        self.output = output
        self.request = request
    }

    /// - Throws: `ModelError` if the source is no trained model or not what is wanted, can't be converted, or the
    ///   output is not to be written to, before anything is written; the errors of reading and writing.
    public func callAsFunction() throws -> Result {
        let isNew = try checkOutput()
        // What is made anew appears as a whole, and can't take the place of what others have made meanwhile.
        let lock = isNew ? nil : try lockOutput()
        defer { withExtendedLifetime(lock) {} }
        var request = request
        request.mustBeTrained = true
        try checkVocabulary()
        let isOurs = try ConfigurationFile(folder: source).trained != nil
        let trained = try TrainedModel(folder: source, request)
        var (folders, untrained) = ([output], [String]())
        if isOurs {
            let tasks = trained.model.configuration.tasks
            // Tasks that are named are exported or refused.
            if request.tasks == nil { untrained = trained.untrainedTasks.sorted().map { tasks[$0].name } }
            let names = (request.tasks ?? tasks).map(\.name).filter { !untrained.contains($0) }
            for name in names { try trained.checkExport(of: name) }
            try makeFolder(output)
            let lock = lock == nil ? try lockOutput() : nil
            folders = names.map { output.appendingPathComponent($0) }
            try withExtendedLifetime(lock) {
                for (name, folder) in zip(names, folders) {
                    try trained.export(task: name, to: folder, overwrites: overwritesOutput)
                }
            }
        } else if isNew {
            try makeFolder(output.deletingLastPathComponent())
            try writeFolderAtomically(to: output, trained.write)
        } else {
            try TrainedModel.checkReplaceable(output)
            try trained.save(to: output)
        }
        return Result(loading: trained.loading, folders: folders, untrained: untrained)
    }

    /// Keeps other runs out of the output folder, which exists, as long as the lock lives.
    private func lockOutput() throws -> FolderLock {
        guard let lock = try FolderLock(output) else {
            throw ModelError.badModel(path: output.path, reason: "the output folder is in use by another run")
        }
        return lock
    }

    private func makeFolder(_ folder: URL) throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw ModelError.badModel(
                path: folder.path, reason: "the folder can't be made: \(error.localizedDescription)")
        }
    }

    /// The original leaves no vocabulary beside its checkpoints.
    private func checkVocabulary() throws {
        let isThere = WordPieceTokenizer.files.contains {
            FileManager.default.fileExists(atPath: source.appendingPathComponent($0).path)
        }
        guard !isThere, request.vocabularyFolder == nil else { return }
        throw ModelError.badModel(
            path: source.appendingPathComponent(WordPieceTokenizer.files[0]).path,
            reason: "there is no such file; name with --tokenizer_name the folder of the encoder that the model was "
                + "trained from")
    }

    /// Refuses an output that is not to be written to.
    /// - Returns: whether there is nothing at its place.
    private func checkOutput() throws -> Bool {
        func fail(_ reason: String) -> ModelError { .badModel(path: output.path, reason: reason) }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: output.path, isDirectory: &isFolder) else { return true }
        guard isFolder.boolValue else { throw fail("this is a file; --output_dir is a folder") }
        if try !overwritesOutput && !FileManager.default.contentsOfDirectory(atPath: output.path).isEmpty {
            throw fail("the output folder is not empty; name another --output_dir, or give --overwrite_output_dir")
        }
        if isSameFile(output, source) {
            throw fail("this is the folder of the model to convert, too; name another --output_dir")
        }
        return false
    }
}
