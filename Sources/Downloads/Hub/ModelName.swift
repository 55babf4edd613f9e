/// A model on the hub: `owner/name`, one of BERT's names without an owner, and after an `@` the revision.
public struct ModelName: Sendable, Equatable, CustomStringConvertible {
    /// `owner/name` or `name`, as it was given.
    public let id: String
    /// A branch, a tag or a commit.
    public let revision: String

    /// Who has the models on the hub that once had no owner.
    private static let owners = Dictionary(
        uniqueKeysWithValues: knownEncoders.map { ($0, "google-bert") })

    /// The encoders that go by a name without an owner.
    public static let knownEncoders = [
        "bert-base-cased", "bert-base-uncased", "bert-large-cased", "bert-large-uncased",
    ]

    /// Reads a name, or gives nil if no model can have it.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let id = String(parts[0])
        let revision = parts.count == 2 ? String(parts[1]) : "main"
        let names = id.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(names.count), names.allSatisfy(ModelName.isName), id.utf8.count <= 96,
            !id.contains("--"), !id.contains("..")
        else { return nil }
        // It becomes a path in the cache.
        let pieces = revision.split(separator: "/", omittingEmptySubsequences: false)
        guard pieces.allSatisfy(ModelName.isName), revision.utf8.count <= 200, !revision.contains("..") else {
            return nil
        }
        self.id = id
        self.revision = revision
    }

    private static func isName(_ part: Substring) -> Bool {
        guard let first = part.first, let last = part.last else { return false }
        let isPlain = part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
        return isPlain && !"-.".contains(first) && !"-.".contains(last)
    }

    public var description: String { revision == "main" ? id : "\(id)@\(revision)" }

    /// The name by which the hub has it.
    public var hubID: String { ModelName.owners[id].map { "\($0)/\(id)" } ?? id }

    /// Whether the hub can have a model of that name: those without an owner, but for the known ones, can't be found.
    public var isOnHub: Bool { hubID.contains("/") }

    /// The names under which Python tools and this program may have cached it.
    var cacheIDs: [String] {
        var ids = [id]
        if hubID != id { ids.append(hubID) }
        if let bare = ModelName.owners.first(where: { "\($0.value)/\($0.key)" == id })?.key { ids.append(bare) }
        return ids
    }
}
