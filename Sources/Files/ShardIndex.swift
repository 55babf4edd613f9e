import Foundation

/// The index of weights that lie in several files, the shards: `model.safetensors.index.json` and
/// `pytorch_model.bin.index.json`, as transformers writes them.
public struct ShardIndex: Sendable {
    /// What an index is called after the file whose shards it lists.
    public static let suffix = ".index.json"

    /// The shard of each tensor, by the tensor's name.
    public let shardOfTensor: [String: String]
    /// The shards' names, in order: each a file beside the index.
    public let shards: [String]

    /// An index that can't be used.
    public struct Problem: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// Reads an index.
    ///
    /// - Throws: `Problem` if it is none, or names a shard that is not simply a file beside it.
    public init(_ contents: Data) throws(Problem) {
        if let misplaced = MisplacedContent(contents) { throw Problem(description: "\(misplaced)") }
        guard let index = (try? JSONSerialization.jsonObject(with: contents)) as? [String: Any],
            let map = index["weight_map"] as? [String: Any]
        else { throw Problem(description: "this is no index of shards: it has no \"weight_map\"") }
        guard let shardOfTensor = map as? [String: String] else {
            throw Problem(description: "its \"weight_map\" names something other than files")
        }
        let names = Set(shardOfTensor.values).sorted()
        func isName(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.first != UInt8(ascii: ".")
                && text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "/") }
        }
        for name in names where !isName(name) {
            throw Problem(
                description: "it lists the shard \(name.debugDescription), which is not the name of a file beside it")
        }
        guard !names.isEmpty else { throw Problem(description: "it lists no shards") }
        self.shardOfTensor = shardOfTensor
        shards = names
    }
}
