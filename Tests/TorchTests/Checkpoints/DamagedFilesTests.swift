import Foundation
import TestSupport
import Torch
import XCTest

/// Damaged files of weights, of every format: see ``DamagedFiles``.
///
/// A tensor's bytes have no checksum but in an archive; those that are read need not be the whole file's.
final class DamagedFilesTests: FileTestCase {
    private lazy var damaged = DamagedFiles(share: 0.12)

    /// Reads every byte of every tensor; what is not as it should be.
    private func problems(_ names: [String], _ info: (String) -> TensorInfo?, _ count: (String) throws -> Int) throws
        -> [String]
    {
        try names.compactMap { name in
            let (expected, found) = (info(name)?.byteCount, try count(name))
            return expected == found ? nil : "\(name) has \(found) bytes, and \(expected ?? -1) are right"
        }
    }

    private func readFile(_ name: String) throws -> [String] {
        let file = try CheckpointFile.open(folder.appendingPathComponent(name))
        return try problems(file.names, file.info) { try file.withBytes(of: $0) { Array($0).count } }
    }

    private func readFolder() throws -> [String] {
        guard let checkpoint = try Checkpoint.open(in: folder) else { return ["no weights found"] }
        return try problems(checkpoint.names, checkpoint.info) {
            try checkpoint.withBytes(of: $0) { Array($0).count }
        }
    }

    private func copy(_ names: [String]) throws {
        for name in names {
            try FileManager.default.copyItem(at: Fixture.url(name), to: folder.appendingPathComponent(name))
        }
    }

    private func damageEach(_ kind: String, _ names: [String], share: Double) throws {
        try copy(names)
        for name in names {
            try damaged.damage("\(kind) \(name)", folder, [name], share: share / Double(names.count)) {
                try self.readFile(name)
            }
        }
    }

    func testPyTorchsArchives() throws {
        try damageEach(
            "archive", ["views.zip.pt", "every_dtype.zip.pt", "nested_state_dict.pt", "protocol4.zip.pt", "zip64.pt"],
            share: 0.3)
    }

    func testPyTorchsPicklesBeforeArchives() throws {
        try damageEach(
            "pickle", ["views.legacy.bin", "every_dtype.legacy.bin", "parameters.legacy.bin", "protocol4.legacy.bin"],
            share: 0.3)
    }

    func testSafetensors() throws {
        try damageEach("safetensors", ["every_dtype.safetensors", "no_metadata.safetensors"], share: 0.2)
    }

    func testShards() throws {
        for (index, shards) in [
            ("model.safetensors.index.json", ["every_dtype.safetensors", "float8.safetensors"]),
            ("pytorch_model.bin.index.json", ["views.zip.pt", "every_dtype.legacy.bin"]),
        ] {
            let readable = shards.filter { (try? CheckpointFile.open(Fixture.url($0))) != nil }
            try copy(readable)
            var map: [String: String] = [:]
            for shard in readable { for name in try CheckpointFile.open(Fixture.url(shard)).names { map[name] = shard } }
            try JSONEncoder().encode(["weight_map": map]).write(to: folder.appendingPathComponent(index))
            try damaged.damage("shards of \(index)", folder, [index] + readable, share: 0.1, readFolder)
            for name in [index] + readable { try FileManager.default.removeItem(at: folder.appendingPathComponent(name)) }
        }
    }
}
