import Files
import Foundation

/// The checkpoints in a run's output folder: `checkpoint-N`, N the number of updates.
///
/// A folder may have those of several runs, one after the other. A hidden file says which run is the last one, and a
/// checkpoint says whose it is.
struct Checkpoints {
    static let markName = ".camtl-run"

    let outputDirectory: URL

    private var mark: URL { outputDirectory.appendingPathComponent(Checkpoints.markName) }

    /// The run that wrote there last; nil if the folder doesn't say.
    ///
    /// - Throws: `ResumeError.damagedMark`: another name would make the folder's checkpoints those of an earlier run.
    func lastRun() throws -> String? {
        guard FileManager.default.fileExists(atPath: mark.path) else { return nil }
        let text = (try? readFile(mark)).flatMap { String(validating: $0, as: UTF8.self) }
        let words = text?.split(separator: " ", omittingEmptySubsequences: false) ?? []
        // The first format was the name alone.
        guard let run = words.first.map(String.init), UUID(uuidString: run) != nil,
            words.count == 1 || words.count == 2 && words[1] == FileChecksum(run.utf8).hexadecimal
        else { throw ResumeError.damagedMark(path: mark.path) }
        return run
    }

    /// Notes that a run writes there: its name, and the checksum of that.
    func begin(run: String) throws {
        try writeAtomically(to: mark) { try $0.write("\(run) \(FileChecksum(run.utf8).hexadecimal)") }
    }

    func folder(step: Int) -> URL { outputDirectory.appendingPathComponent("checkpoint-\(step)") }

    /// The steps of the checkpoints there are, in order. A name that is spelled otherwise, as `checkpoint-01`, is
    /// somebody else's.
    func steps() -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: outputDirectory.path)) ?? []
        return names.compactMap { name in
            guard name.hasPrefix("checkpoint-"), let step = Int(name.dropFirst("checkpoint-".count)) else { return nil }
            return step > 0 && folder(step: step).lastPathComponent == name ? step : nil
        }.sorted()
    }

    /// The last run's newest whole checkpoint, if there is one, and its state.
    ///
    /// - Parameter passedOver: told of each newer one that isn't whole, and why.
    /// - Throws: `ResumeError.damagedMark`, and what `passedOver` throws.
    func newest(passedOver: (URL, String) throws -> Void) throws -> (folder: URL, state: ResumeState)? {
        let run = try lastRun()
        for step in steps().reversed() {
            let folder = folder(step: step)
            do {
                let state = try ResumeState.read(from: folder)
                guard run == nil || state.run == run else { continue }
                guard state.progress.step == step else {
                    try passedOver(folder, "it is a copy of the checkpoint of step \(state.progress.step)")
                    continue
                }
                try state.checkFiles(in: folder)
                return (folder, state)
            } catch ResumeError.notWhole(_, let reason) {
                try passedOver(folder, reason)
            }
        }
        return nil
    }

    /// Removes a run's oldest checkpoints until `limit` are left, but never the newest, nor the best, nor what is not
    /// a checkpoint's alone.
    ///
    /// - Parameter newest: the step of the one that has just been saved; later ones that a run which went on from an
    ///   earlier one has left are not counted.
    func rotate(limit: Int, newest: Int, best: Int?, run: String) throws {
        let own = steps().filter { step in
            guard step <= newest, let state = try? ResumeState.read(from: folder(step: step)) else { return false }
            return state.run == run && state.progress.step == step && Checkpoints.isOurs(folder(step: step))
        }
        // As Hugging Face's Trainer has it: with a limit of 1 the best one stays beside the newest.
        let kept = max(limit, best.map { own.contains($0) && $0 != newest } == true ? 2 : 1)
        let removable = own.filter { $0 != newest && $0 != best }
        for step in removable.prefix(max(0, own.count - kept)) { try removeFolderAtomically(folder(step: step)) }
    }
}
