import Files
import Foundation

/// What in an output folder bears a checkpoint's name but isn't a checkpoint's: it is left as it is.
extension Checkpoints {
    /// The files that a checkpoint has, or had in earlier versions.
    private static let files: Set<String> = [
        "config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", "optimizer.safetensors",
        ResumeState.fileName, TrainerState.fileName,
    ]

    /// Whether a folder is a checkpoint's and has nothing of others' in it, so that it may be replaced or removed: it
    /// is no link, and its files are those that a checkpoint has, or that its own state lists. It need not be whole.
    static func isOurs(_ folder: URL) -> Bool {
        let listed = (try? ResumeState.read(from: folder))?.files.keys.map { $0 } ?? []
        return isFolder(folder, ofFilesNamed: files.union(listed))
    }

    /// Refuses an output folder in which a path is taken that a run to come may need for a checkpoint.
    ///
    /// - Parameter steps: those after which the run may save.
    /// - Throws: `FileWriteError` with the first such path.
    func checkRoom(for steps: Range<Int>) throws {
        for step in self.steps() where steps.contains(step) && !Checkpoints.isOurs(folder(step: step)) {
            throw FileWriteError(path: folder(step: step).path, reason: .occupied)
        }
    }
}
