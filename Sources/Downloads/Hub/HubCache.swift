import Files
import Foundation

/// The files that a model needs here.
enum ModelFiles {
    static let configuration = "config.json"
    static let vocabulary = "vocab.txt"
    /// A whole tokenizer, which stands in for the vocabulary.
    static let tokenizer = "tokenizer.json"
    /// What else of a tokenizer decides ids, where a model has it.
    static let optional = [
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    ]
    /// In the order of preference; one is enough. An index is so with the shards that it lists.
    static let weights = ["model.safetensors", "pytorch_model.bin"].flatMap { [$0, $0 + ShardIndex.suffix] }

    /// The most bytes that a file may have. BERT-large's weights have 1.3 GB, and its vocabulary 0.2 MB.
    static func limit(of file: String) -> Int { weights.contains(file) ? 64 << 30 : 64 << 20 }

    /// Those of a model's files that are needed.
    ///
    /// - Throws: `HubError.lacksFiles`.
    static func needed(from list: Set<String>, of model: String) throws -> [String] {
        guard list.contains(configuration) else { throw HubError.lacksFiles(model: model, files: configuration) }
        let tokenizers = [vocabulary, tokenizer].filter(list.contains)
        if tokenizers.isEmpty {
            throw HubError.lacksFiles(model: model, files: "\(vocabulary) and no \(tokenizer)")
        }
        guard let weights = weights.first(where: list.contains) else {
            throw HubError.lacksFiles(model: model, files: "\(weights[0]) and no \(weights[2])")
        }
        return [configuration] + tokenizers + optional.filter(list.contains) + [weights]
    }
}

/// The cache of Python's `huggingface_hub`: a folder `models--OWNER--NAME` a model, with the contents in `blobs` by
/// their ETags, a folder of links to them for each commit in `snapshots`, and in `refs` the commits of branches and
/// tags.
struct HubCache: Sendable {
    let root: URL

    /// A model's place in the cache.
    struct Repository: Sendable {
        let folder: URL
        let locks: URL

        func snapshot(_ commit: String) -> URL { folder.appendingPathComponent("snapshots/\(commit)") }
        func blob(_ tag: String) -> URL { folder.appendingPathComponent("blobs/\(tag)") }
        func reference(_ revision: String) -> URL { folder.appendingPathComponent("refs/\(revision)") }
        func lock(_ tag: String) -> URL { locks.appendingPathComponent("\(tag).lock") }

        /// The commit that a revision was when it was cached.
        func commit(of revision: String) -> String? {
            if HubCache.isCommit(revision) { return revision }
            let text = (try? readFile(reference(revision))).map { String(decoding: $0, as: UTF8.self) }
            return text?.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        /// Whether a commit's file is there, with what it links to.
        func has(_ file: String, in commit: String) -> Bool {
            FileManager.default.fileExists(atPath: snapshot(commit).appendingPathComponent(file).path)
        }

        /// What a commit lacks of the files that a model can't do without.
        func missing(in commit: String) -> [String] {
            var missing = [ModelFiles.configuration].filter { !has($0, in: commit) }
            if !has(ModelFiles.vocabulary, in: commit), !has(ModelFiles.tokenizer, in: commit) {
                missing.append(ModelFiles.vocabulary)
            }
            guard let weights = ModelFiles.weights.first(where: { has($0, in: commit) }) else {
                return missing + [ModelFiles.weights[0]]
            }
            // An index that can't be used is the loader's to refuse.
            let shards = (try? shards(of: weights, in: commit)) ?? []
            return missing + shards.filter { !has($0, in: commit) }
        }

        /// The shards that a commit's `file` lists, if it is an index; they lie beside it.
        ///
        /// - Throws: `ShardIndex.Problem`.
        func shards(of file: String, in commit: String) throws -> [String] {
            guard file.hasSuffix(ShardIndex.suffix) else { return [] }
            return try ShardIndex(readFile(snapshot(commit).appendingPathComponent(file))).shards
        }

        /// Makes a commit's `file` a link to a content.
        func link(_ file: String, in commit: String, to tag: String) throws {
            let place = snapshot(commit).appendingPathComponent(file).path
            let temporary = place + ".\(UInt64.random(in: 0 ... .max)).tmp"
            guard symlink("../../blobs/\(tag)", temporary) == 0, rename(temporary, place) == 0 else {
                let code = errno
                unlink(temporary)
                throw FileWriteError(path: place, reason: .system(code))
            }
        }

        /// Notes which commit a revision is.
        func note(_ commit: String, as revision: String) throws {
            if revision == commit { return }
            let url = reference(revision)
            if (try? String(contentsOf: url, encoding: .utf8)) == commit { return }
            try makeFolder(url.deletingLastPathComponent())
            try writeAtomically(to: url) { try $0.write(commit) }
        }
    }

    func repository(_ id: String) -> Repository {
        let name = (["models"] + id.split(separator: "/").map(String.init)).joined(separator: "--")
        return Repository(
            folder: root.appendingPathComponent(name), locks: root.appendingPathComponent(".locks/\(name)"))
    }

    static func isCommit(_ text: String) -> Bool {
        text.utf8.count == 40 && text.allSatisfy { $0.isASCII && $0.isHexDigit && !$0.isUppercase }
    }

    /// Whether an ETag can be the name of a file.
    static func isTag(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count) && !text.hasPrefix(".")
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.:".contains($0)) }
    }
}
