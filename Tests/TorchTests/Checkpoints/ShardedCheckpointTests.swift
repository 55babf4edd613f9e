import Foundation
import Torch
import XCTest

final class ShardedCheckpointTests: FileTestCase {
    /// Writes a safetensors file with tensors of one element.
    private func shard(_ name: String, _ tensors: [String: Float]) throws {
        var writer = SafetensorsWriter()
        for (name, value) in tensors {
            try writer.add(name, TensorInfo(dtype: .float32, shape: [1])) { sink in
                try withUnsafeBytes(of: value) { try sink($0) }
            }
        }
        try writer.write(to: folder.appendingPathComponent(name))
    }

    private func index(_ map: [String: String], of file: String = "model.safetensors") throws {
        try JSONEncoder().encode(["weight_map": map]).write(to: folder.appendingPathComponent(file + ".index.json"))
    }

    private let first = "model-00001-of-00002.safetensors"
    private let second = "model-00002-of-00002.safetensors"

    private func writeBoth() throws {
        try shard(first, ["a": 1, "b": 2])
        try shard(second, ["c": 3])
        try index(["a": first, "b": first, "c": second])
    }

    private func value(_ checkpoint: Checkpoint, _ name: String) throws -> Float {
        try checkpoint.withBytes(of: name) { $0.loadUnaligned(as: Float.self) }
    }

    private func assertRefused(_ phrase: String, line: UInt = #line) throws {
        XCTAssertThrowsError(try Checkpoint.open(in: folder), line: line) { error in
            let path = folder.appendingPathComponent("model.safetensors.index.json").path
            XCTAssert("\(error)".hasPrefix(path + ": "), "\(error)", line: line)
            XCTAssert("\(error)".contains(phrase), "\(error)", line: line)
        }
    }

    func testReadsTheTensorsOfAllShards() throws {
        try writeBoth()
        let checkpoint = try XCTUnwrap(try Checkpoint.open(in: folder))
        XCTAssertEqual(checkpoint.url.lastPathComponent, "model.safetensors.index.json")
        XCTAssertEqual(checkpoint.names, ["a", "b", "c"])
        for (name, number) in ["a": 1, "b": 2, "c": 3] as [String: Float] {
            XCTAssertEqual(checkpoint.info(name), TensorInfo(dtype: .float32, shape: [1]))
            XCTAssertEqual(try value(checkpoint, name), number)
        }
        XCTAssertNil(checkpoint.info("d"))
        XCTAssertThrowsError(try value(checkpoint, "d"))
    }

    func testReadsShardsOfPyTorchsFormat() throws {
        let name = "pytorch_model-00001-of-00001.bin"
        try FileManager.default.copyItem(at: Fixture.url("views.zip.pt"), to: folder.appendingPathComponent(name))
        let tensors = try CheckpointFile.open(Fixture.url("views.zip.pt")).names
        try index(Dictionary(uniqueKeysWithValues: tensors.map { ($0, name) }), of: "pytorch_model.bin")
        XCTAssertEqual(try Checkpoint.open(in: folder)?.names, tensors)
    }

    func testAWholeFileComesBeforeAnIndexAndSafetensorsBeforePickles() throws {
        XCTAssertNil(try Checkpoint.open(in: folder))
        try FileManager.default.copyItem(
            at: Fixture.url("views.zip.pt"), to: folder.appendingPathComponent("pytorch_model.bin"))
        XCTAssertEqual(try Checkpoint.open(in: folder)?.url.lastPathComponent, "pytorch_model.bin")
        try writeBoth()
        XCTAssertEqual(try Checkpoint.open(in: folder)?.url.lastPathComponent, "model.safetensors.index.json")
        try shard("model.safetensors", ["a": 7])
        XCTAssertEqual(try value(XCTUnwrap(try Checkpoint.open(in: folder)), "a"), 7)
    }

    func testAMissingShardIsNamed() throws {
        try writeBoth()
        try FileManager.default.removeItem(at: folder.appendingPathComponent(second))
        try assertRefused("it lists the shard \(second), and there is no such file")
    }

    func testAShardThatIsNotListedIsNamed() throws {
        try writeBoth()
        try index(["a": first, "b": first])
        try assertRefused("there is a shard \(second) beside it, which it doesn't list")
        // Other files may lie there.
        try writeBoth()
        try shard("other.safetensors", ["z": 0])
        XCTAssertNoThrow(try Checkpoint.open(in: folder))
    }

    func testATensorInTwoShardsIsNamed() throws {
        try writeBoth()
        try shard(second, ["c": 3, "b": 4])
        try assertRefused("\"b\" is in two shards, \(first) and \(second)")
    }

    func testATensorThatIsNotWhereItIsListedIsNamed() throws {
        try writeBoth()
        try index(["a": first, "b": second, "c": second])
        try assertRefused("\"b\" is listed in \(second) and lies in \(first)")
        try index(["a": first, "b": first, "c": second, "d": second])
        try assertRefused("\"d\" is listed in \(second), which doesn't have it")
        try index(["a": first, "c": second])
        try assertRefused("\(first) has the tensor \"b\", which is not listed")
    }

    func testShardsOutsideOfTheFolderAreNotOpened() throws {
        try writeBoth()
        for path in ["../\(first)", folder.appendingPathComponent(first).path] {
            try index(["a": path])
            try assertRefused("which is not the name of a file beside it")
        }
    }

    func testADamagedShardIsNamedItself() throws {
        try writeBoth()
        try Data("version https://git-lfs.github.com/spec/v1\n".utf8).write(to: folder.appendingPathComponent(second))
        XCTAssertThrowsError(try Checkpoint.open(in: folder)) {
            XCTAssert("\($0)".hasPrefix(folder.appendingPathComponent(second).path + ": this is a Git LFS pointer"), "\($0)")
        }
    }
}
