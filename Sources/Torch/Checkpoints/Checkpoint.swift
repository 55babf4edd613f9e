import Files
import Foundation

/// The weights in a model's folder: the tensors of one file, or of the shards that an index lists.
public struct Checkpoint: Sendable {
    /// The file, or the index.
    public let url: URL
    /// The tensors' names, in the order of the files.
    public let names: [String]
    private let fileOfTensor: [String: CheckpointFile]

    /// The files of which a folder needs one, in the order in which they are looked for. Each may be in shards, and its
    /// index stand in its place.
    public static let fileNames = ["model.safetensors", "pytorch_model.bin"]

    /// Opens a folder's checkpoint, or gives nil if it has none.
    ///
    /// The index decides what is read, and its shards have to be what it says: each there, each tensor in the shard
    /// that it is listed in and in no other, and no tensor and no shard besides.
    ///
    /// - Throws: ``CheckpointError``.
    public static func open(in folder: URL) throws -> Checkpoint? {
        for name in fileNames {
            let file = folder.appendingPathComponent(name)
            if FileManager.default.fileExists(atPath: file.path) {
                return Checkpoint(url: file, files: [try CheckpointFile.open(file)])
            }
            let index = folder.appendingPathComponent(name + ShardIndex.suffix)
            if FileManager.default.fileExists(atPath: index.path) { return try openShards(of: name, index) }
        }
        return nil
    }

    private init(url: URL, files: [CheckpointFile]) {
        self.url = url
        names = files.flatMap(\.names)
        var owners: [String: CheckpointFile] = [:]
        for file in files { for name in file.names { owners[name] = file } }
        fileOfTensor = owners
    }

    private static func openShards(of file: String, _ url: URL) throws -> Checkpoint {
        func fail(_ what: String) -> CheckpointError { CheckpointError(path: url.path, problem: .badShard(what)) }
        let folder = url.deletingLastPathComponent()
        guard let contents = try? Data(contentsOf: url) else {
            throw CheckpointError(path: url.path, problem: .unreadable(reason: "the index of the shards can't be opened"))
        }
        let index: ShardIndex
        do { index = try ShardIndex(contents) } catch { throw fail("\(error)") }
        let present = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        if let missing = index.shards.first(where: { !present.contains($0) }) {
            throw fail("it lists the shard \(missing), and there is no such file beside it")
        }
        if let stranger = present.sorted().first(where: { isShard($0, of: file) && !index.shards.contains($0) }) {
            throw fail("there is a shard \(stranger) beside it, which it doesn't list")
        }
        var shards: [CheckpointFile] = []
        var shardOfTensor: [String: String] = [:]
        for shard in index.shards {
            let file = try CheckpointFile.open(folder.appendingPathComponent(shard))
            for name in file.names {
                if let other = shardOfTensor.updateValue(shard, forKey: name) {
                    throw fail("the tensor \(name.debugDescription) is in two shards, \(other) and \(shard)")
                }
                guard let listed = index.shardOfTensor[name] else {
                    throw fail("the shard \(shard) has the tensor \(name.debugDescription), which is not listed")
                }
                guard listed == shard else {
                    throw fail("the tensor \(name.debugDescription) is listed in \(listed) and lies in \(shard)")
                }
            }
            shards.append(file)
        }
        for (name, shard) in index.shardOfTensor.sorted(by: { $0.key < $1.key }) where shardOfTensor[name] == nil {
            throw fail("the tensor \(name.debugDescription) is listed in \(shard), which doesn't have it")
        }
        return Checkpoint(url: url, files: shards)
    }

    /// Whether a file is called as transformers calls the shards of `file`: `model-00001-of-00002.safetensors`.
    private static func isShard(_ name: String, of file: String) -> Bool {
        let parts = file.split(separator: ".", maxSplits: 1)
        guard name.hasPrefix(parts[0] + "-"), name.hasSuffix("." + parts[1]) else { return false }
        let numbers = name.dropFirst(parts[0].count + 1).dropLast(parts[1].count + 1).split(separator: "-")
        return numbers.count == 3 && numbers[1] == "of" && Int(numbers[0]) != nil && Int(numbers[2]) != nil
    }

    /// The element type and shape of the tensor named `name`, or nil if there is none.
    public func info(_ name: String) -> TensorInfo? { fileOfTensor[name]?.info(name) }

    /// Calls `body` with a tensor's elements, as ``CheckpointFile/withBytes(of:_:)`` does.
    ///
    /// - Throws: ``CheckpointError`` if there is no such tensor, or what `body` throws.
    public func withBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard let file = fileOfTensor[name] else {
            throw CheckpointError(path: url.path, problem: .noSuchTensor(name))
        }
        return try file.withBytes(of: name, body)
    }
}
