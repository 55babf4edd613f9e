import Foundation

/// Where a model lies that is given by a folder or a hub's name.
enum ModelLocation {
    /// A folder as it is, or a model of that name in the Hugging Face cache.
    static func folder(named name: String) throws -> URL {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw CommandError("\(name): this is a file; a model is a folder") }
            return URL(fileURLWithPath: name)
        }
        if let cached = cachedSnapshot(of: name) { return cached }
        throw CommandError(
            "\(name): there is no such folder, and no model of that name in the Hugging Face cache; download it there "
                + "(hf download \(name)), or give --model_name_or_path a folder with config.json, vocab.txt and "
                + "model.safetensors")
    }

    /// The hub's cache has `models--OWNER--NAME/refs/main`, which names a folder in `snapshots`.
    private static func cachedSnapshot(of name: String) -> URL? {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HF_HOME"] ?? environment["HOME"].map { $0 + "/.cache/huggingface" }
        guard let cache = environment["HF_HUB_CACHE"] ?? home.map({ $0 + "/hub" }) else { return nil }
        for owner in ["", "google-bert/"] {
            let model = cache + "/models--" + (owner + name).replacingOccurrences(of: "/", with: "--")
            guard let commit = try? String(contentsOfFile: model + "/refs/main", encoding: .utf8) else { continue }
            let snapshot = model + "/snapshots/" + commit.trimmingCharacters(in: .whitespacesAndNewlines)
            if FileManager.default.fileExists(atPath: snapshot + "/config.json") {
                return URL(fileURLWithPath: snapshot)
            }
        }
        return nil
    }
}
