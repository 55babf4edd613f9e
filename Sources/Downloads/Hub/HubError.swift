/// A model that the hub does not give.
public enum HubError: Error, Equatable, CustomStringConvertible {
    /// An environment variable that can't be.
    case badVariable(name: String, value: String, reason: String)
    /// Nothing may be fetched, and the cache has no such model, or only a part of it; `missing` is what it lacks.
    case offline(model: String, cache: String, missing: [String])
    /// The hub has no model of that name, or does not show it.
    case noSuchModel(String, endpoint: String, hasToken: Bool)
    /// The model is there, and has no such revision.
    case noSuchRevision(model: String, revision: String)
    /// The model's owner has to allow the download.
    case noAccess(model: String, endpoint: String, hasToken: Bool)
    /// The model has none of these files, which it would need here.
    case lacksFiles(model: String, files: String)

    public var description: String {
        switch self {
        case .badVariable(let name, let value, let reason): "\(name) is \(value.debugDescription): \(reason)."
        case .offline(let model, let cache, let missing):
            missing.isEmpty
                ? "\(model): the cache \(cache) has no such model, and HF_HUB_OFFLINE forbids to fetch it: unset it."
                : "\(model): the cache \(cache) lacks this model's \(missing.joined(separator: ", ")), and "
                    + "HF_HUB_OFFLINE forbids to fetch that: unset it."
        case .noSuchModel(let model, let endpoint, let hasToken):
            "\(model): there is no such folder, and \(endpoint) has no such model or does not show it: check the name"
                + (hasToken ? ", and what the token may read." : ", or for a private model set HF_TOKEN.")
        case .noSuchRevision(let model, let revision):
            "\(model): this model has no revision \(revision.debugDescription); give a branch, a tag or a commit of it."
        case .noAccess(let model, let endpoint, let hasToken):
            "\(model): this model is not open to everyone: ask for access at \(endpoint)/\(model)"
                + (hasToken ? ", with the account of the token in use." : ", and set HF_TOKEN.")
        case .lacksFiles(let model, let files): "\(model): this model has no \(files), and can't be used without."
        }
    }
}
