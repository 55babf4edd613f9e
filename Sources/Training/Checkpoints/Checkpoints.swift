import Files
import Foundation

/// The checkpoints in a run's output folder: `checkpoint-N`, N the number of updates.
struct Checkpoints {
    let outputDirectory: URL

    func folder(step: Int) -> URL { outputDirectory.appendingPathComponent("checkpoint-\(step)") }

    /// The steps of the checkpoints there are, in order.
    func steps() -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: outputDirectory.path)) ?? []
        return names.compactMap { name in
            name.hasPrefix("checkpoint-") ? Int(name.dropFirst("checkpoint-".count)) : nil
        }.sorted()
    }

    /// Removes the oldest checkpoints of a run until `limit` are left, but never the newest, nor the best. Those of
    /// other runs are neither counted nor removed.
    func rotate(limit: Int, best: Int?, settings: [String: String]) throws {
        let own = steps().filter { (try? ResumeState.read(from: folder(step: $0)).settings) == settings }
        guard let newest = own.last else { return }
        // As Hugging Face's Trainer has it: with a limit of 1 the best one stays beside the newest.
        let kept = max(limit, best.map { own.contains($0) && $0 != newest } == true ? 2 : 1)
        let removable = own.filter { $0 != newest && $0 != best }
        for step in removable.prefix(max(0, own.count - kept)) { try removeFolderAtomically(folder(step: step)) }
    }
}
