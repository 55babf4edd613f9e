import Foundation
import Torch
import XCTest

/// The checkpoints that Fixtures/make_fixtures.py made, and what PyTorch says is in them.
enum Fixture {
    struct Contents: Decodable {
        let names: [String]
        let tensors: [String: Tensor]
    }

    struct Tensor: Decodable {
        let dtype: String
        let shape: [Int]
        let hex: String
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

    static func url(_ name: String) -> URL {
        folder.appendingPathComponent(name)
    }

    static func expected(_ name: String) throws -> Contents {
        let all = try JSONDecoder().decode([String: Contents].self, from: Data(contentsOf: url("expected.json")))
        return try XCTUnwrap(all[name])
    }

    /// Checks that the file at `url` holds what PyTorch says is in the fixture `name`.
    static func assertContents(
        of url: URL, equal name: String, inOrder: Bool = true, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let checkpoint = try CheckpointFile.open(url)
        let expected = try expected(name)
        if inOrder {
            XCTAssertEqual(checkpoint.names, expected.names, name, file: file, line: line)
        } else {
            XCTAssertEqual(checkpoint.names.sorted(), expected.names.sorted(), name, file: file, line: line)
        }
        for (key, tensor) in expected.tensors {
            let label = "\(name): \(key)"
            let info = try XCTUnwrap(checkpoint.info(key), label, file: file, line: line)
            XCTAssertEqual("\(info.dtype)", tensor.dtype, label, file: file, line: line)
            XCTAssertEqual(info.shape, tensor.shape, label, file: file, line: line)
            XCTAssertEqual(info.elementCount, tensor.shape.reduce(1, *), label, file: file, line: line)
            let bytes = try checkpoint.withBytes(of: key) { Array($0) }
            XCTAssertEqual(bytes.count, info.byteCount, label, file: file, line: line)
            XCTAssertEqual(hex(bytes), tensor.hex, label, file: file, line: line)
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

/// A test case with a folder of its own, which is removed afterwards.
class FileTestCase: XCTestCase {
    private(set) var folder = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    /// Writes `bytes` to a file of the folder.
    func file(_ bytes: [UInt8], named name: String = "checkpoint") throws -> URL {
        let url = folder.appendingPathComponent(name)
        try Data(bytes).write(to: url)
        return url
    }

    /// The error with which the checkpoint at `url` is refused.
    func refusal(
        of url: URL, file: StaticString = #filePath, line: UInt = #line
    ) throws -> CheckpointError {
        var caught: CheckpointError?
        XCTAssertThrowsError(try CheckpointFile.open(url), file: file, line: line) { caught = $0 as? CheckpointError }
        let error = try XCTUnwrap(caught, file: file, line: line)
        XCTAssertEqual(error.path, url.path, file: file, line: line)
        XCTAssertTrue(error.description.hasPrefix(url.path + ": "), error.description, file: file, line: line)
        return error
    }

    /// Checks that the checkpoint at `url` is refused with a message that contains `phrase`.
    func assertRefused(
        _ url: URL, saying phrase: String, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let error = try refusal(of: url, file: file, line: line)
        XCTAssertTrue(error.description.contains(phrase), error.description, file: file, line: line)
    }
}
