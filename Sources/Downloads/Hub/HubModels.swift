import Files
import Foundation

/// The hub's models, by name: from the cache, or fetched into it.
public struct HubModels {
    private let settings: HubSettings
    private let client: HTTPClient
    private let report: (DownloadEvent) -> Void

    /// Models of the hub and the cache that the settings give.
    ///
    /// - Parameters:
    ///   - settings: Where the hub and the cache are.
    ///   - report: Is told what goes on, on the caller's thread.
    public init(_ settings: HubSettings, report: @escaping (DownloadEvent) -> Void) {
        self.settings = settings
        self.report = report
        client = HTTPClient(patience: Patience(seconds: settings.timeout))
    }

    /// A folder with the model's files.
    ///
    /// What the cache has is taken without a look at the hub; a branch stays at the commit that was cached. Otherwise
    /// the files that are needed are fetched: `config.json`, `vocab.txt` or `tokenizer.json` or both, what else of the
    /// tokenizer's files there is, and `model.safetensors` or else `pytorch_model.bin`, or an index of either's shards with
    /// these.
    ///
    /// - Throws: ``HubError``; ``DownloadError``; `FileWriteError`.
    public func folder(for name: ModelName) throws -> URL {
        if let cached = cachedFolder(for: name) { return cached }
        if settings.isOffline {
            let cache = HubCache(root: settings.cache)
            let missing = name.cacheIDs.lazy.compactMap { id -> [String]? in
                let repository = cache.repository(id)
                guard let commit = repository.commit(of: name.revision),
                    FileManager.default.fileExists(atPath: repository.snapshot(commit).path)
                else { return nil }
                return repository.missing(in: commit)
            }.first
            throw HubError.offline(model: "\(name)", cache: settings.cache.path, missing: missing ?? [])
        }
        return try fetch(name)
    }

    /// The folder of the model's files in the cache, if they are all there.
    public func cachedFolder(for name: ModelName) -> URL? {
        let cache = HubCache(root: settings.cache)
        for repository in name.cacheIDs.map(cache.repository) {
            guard let commit = repository.commit(of: name.revision), HubCache.isCommit(commit) else { continue }
            if repository.missing(in: commit).isEmpty { return repository.snapshot(commit) }
        }
        return nil
    }

    private func fetch(_ name: ModelName) throws -> URL {
        let list = try files(of: name)
        let needed = try ModelFiles.needed(from: list.files, of: "\(name)")
        let repository = HubCache(root: settings.cache).repository(name.id)
        report(.note("\(name): from \(settings.endpoint.withoutQuery), commit \(list.commit.prefix(8))"))
        try makeFolder(repository.snapshot(list.commit))
        for file in needed {
            if !repository.has(file, in: list.commit) { try fetch(file, of: name, list.commit, into: repository) }
            for shard in try shards(of: file, in: list, repository, name) where !repository.has(shard, in: list.commit) {
                try fetch(shard, of: name, list.commit, into: repository)
            }
        }
        // The last step, so that a revision never leads to a commit of which files are missing.
        try repository.note(list.commit, as: name.revision)
        return repository.snapshot(list.commit)
    }

    /// The shards that a fetched file lists, if it is an index.
    private func shards(
        of file: String, in list: FileList, _ repository: HubCache.Repository, _ name: ModelName
    ) throws -> [String] {
        do {
            let shards = try repository.shards(of: file, in: list.commit)
            if let missing = shards.first(where: { !list.files.contains($0) }) {
                throw HubError.lacksFiles(model: "\(name)", files: "\(missing), which \(file) lists")
            }
            return shards
        } catch let problem as ShardIndex.Problem {
            throw DownloadError(try url([name.hubID, "resolve", list.commit, file]), .unexpected(problem.description))
        }
    }

    /// Brings one file of a commit into the cache.
    private func fetch(
        _ file: String, of name: ModelName, _ commit: String, into repository: HubCache.Repository
    ) throws {
        let (remote, tag) = try describe(file, of: name, commit)
        let blob = repository.blob(tag)
        try makeFolder(blob.deletingLastPathComponent())
        let lock = try FileLock(repository.lock(tag)) { report(.waiting(file: file)) }
        try withExtendedLifetime(lock) {
            if !FileManager.default.fileExists(atPath: blob.path) {
                let incomplete = blob.path + ".incomplete"
                try FileDownload(client: client, report: report).fetch(remote, to: incomplete)
                guard rename(incomplete, blob.path) == 0 else {
                    throw FileWriteError(path: blob.path, reason: .system(errno))
                }
            }
            try repository.link(file, in: commit, to: tag)
        }
    }

    // MARK: What the hub says

    private var credential: Credential? {
        settings.token.map { Credential(origin: settings.endpoint.origin, token: $0) }
    }

    private func url(_ parts: [String]) throws -> URL {
        var allowed = CharacterSet.urlPathAllowed
        allowed.remove(charactersIn: "/@:;?#%")
        let path = parts.map { part in
            part.split(separator: "/").map { $0.addingPercentEncoding(withAllowedCharacters: allowed) ?? "" }
                .joined(separator: "/")
        }
        guard let url = URL(string: settings.endpoint.absoluteString + "/" + path.joined(separator: "/")) else {
            throw DownloadError(settings.endpoint, .unexpected("no address can be made of this and \(parts)"))
        }
        return url
    }

    /// A revision is one part of the path, whatever slashes it has.
    private func quoted(_ revision: String) -> String { revision.replacingOccurrences(of: "/", with: "%2F") }

    private struct FileList {
        let commit: String
        let files: Set<String>
    }

    private func files(of name: ModelName) throws -> FileList {
        struct Answer: Decodable {
            struct Sibling: Decodable { let rfilename: String }
            let sha: String
            let siblings: [Sibling]
        }
        let base = try url(["api", "models", name.hubID, "revision"]).absoluteString
        guard let url = URL(string: base + "/" + quoted(name.revision)) else {
            throw HubError.noSuchRevision(model: name.id, revision: name.revision)
        }
        let data = try client.retrying("\(name)", url: url, report: report) {
            let receiver = MemoryReceiver(limit: 1 << 25)
            let request = HTTPRequest(url: url, credential: credential)
            let response = try client.answer(to: request, receiver: receiver)
            if let error = refusal(response, of: name) { throw error }
            try response.check()
            return receiver.data
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: data), HubCache.isCommit(answer.sha) else {
            throw DownloadError(
                url, .unexpected("this is not how the hub answers; check HF_ENDPOINT, and what lies between"))
        }
        return FileList(commit: answer.sha, files: Set(answer.siblings.map(\.rfilename)))
    }

    /// The hub's ways to refuse a model.
    private func refusal(_ response: HTTPResponse, of name: ModelName) -> HubError? {
        let hasToken = settings.token != nil
        switch (response.status, response["x-error-code"]) {
        case (404, "RevisionNotFound"): return .noSuchRevision(model: name.id, revision: name.revision)
        case (401, "GatedRepo"), (403, "GatedRepo"):
            return .noAccess(model: name.hubID, endpoint: settings.endpoint.withoutQuery, hasToken: hasToken)
        case (401, _), (403, _), (404, _):
            return .noSuchModel("\(name)", endpoint: settings.endpoint.withoutQuery, hasToken: hasToken)
        default: return nil
        }
    }

    /// What the hub says of a file's content, and the name by which the cache has that.
    private func describe(
        _ file: String, of name: ModelName, _ commit: String
    ) throws -> (RemoteFile, tag: String) {
        let url = try url([name.hubID, "resolve", commit, file])
        let response = try client.retrying(file, url: url, report: report) {
            try head(url, of: name)
        }
        guard let tag = entityTag(response), HubCache.isTag(tag) else {
            throw DownloadError(url, .unexpected("the server gives no usable ETag, by which the cache names a file"))
        }
        if let actual = response["x-repo-commit"], actual != commit {
            throw DownloadError(url, .unexpected("the server gives the commit \(actual) instead of \(commit)"))
        }
        let linked = response["x-linked-size"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
        let remote = RemoteFile(
            name: file, url: url, size: linked ?? (response.redirection == nil ? response.contentLength : nil),
            limit: ModelFiles.limit(of: file), checksum: Checksum(entityTag: tag), credential: credential)
        return (remote, tag)
    }

    /// Asks for a file's head. A content that is stored elsewhere is described by the redirection that leads there; one
    /// that describes nothing, as that of a mirror, is followed.
    private func head(_ url: URL, of name: ModelName) throws -> HTTPResponse {
        var request = HTTPRequest(method: "HEAD", url: url, credential: credential, redirections: .withinOrigin)
        for _ in 0..<5 {
            let response = try client.answer(to: request)
            guard let location = response.redirection else {
                if let error = refusal(response, of: name), response.status != 404 { throw error }
                try response.check()
                return response
            }
            if entityTag(response) != nil { return response }
            request.url = try HTTPClient.target(location, from: response.url)
        }
        throw DownloadError(url, .badRedirection("again and again"))
    }

    /// `W/"x"` and `"x"` are x.
    private func entityTag(_ response: HTTPResponse) -> String? {
        guard var tag = response["x-linked-etag"] ?? response["etag"] else { return nil }
        if tag.hasPrefix("W/") { tag.removeFirst(2) }
        return tag.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
    }
}
