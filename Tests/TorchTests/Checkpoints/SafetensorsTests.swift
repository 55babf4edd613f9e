import Foundation
import Torch
import XCTest

final class SafetensorsTests: FileTestCase {
    func testReadsWhatThePythonPackageWrites() throws {
        let url = Fixture.url("every_dtype.safetensors")
        try Fixture.assertContents(of: url, equal: "every_dtype.safetensors", inOrder: false)
        XCTAssertEqual(try CheckpointFile.open(url).metadata, ["format": "pt"])

        let plain = Fixture.url("no_metadata.safetensors")
        try Fixture.assertContents(of: plain, equal: "no_metadata.safetensors")
        XCTAssertEqual(try CheckpointFile.open(plain).metadata, [:])
    }

    func testWritesTheBytesThatThePythonPackageWrites() throws {
        for name in ["every_dtype.safetensors", "no_metadata.safetensors"] {
            let original = try CheckpointFile.open(Fixture.url(name))
            var writer = SafetensorsWriter(metadata: original.metadata)
            for name in original.names.reversed() {
                try writer.add(name, try XCTUnwrap(original.info(name))) { sink in
                    try original.withBytes(of: name) { bytes in try sink(bytes) }
                }
            }
            let copy = folder.appendingPathComponent(name)
            try writer.write(to: copy)
            XCTAssertEqual(try Data(contentsOf: copy), try Data(contentsOf: Fixture.url(name)), name)
        }
    }

    func testReadsBackWhatItWrites() throws {
        let metadata = ["b": "line\nline \u{1} \"quoted\" \\ ☃", "a": "", "": "é\u{7F}"]
        var writer = SafetensorsWriter(metadata: metadata)
        let elements = (0..<100_000).map { Float($0) }
        let large = TensorInfo(dtype: .float32, shape: [1000, 100])
        try writer.add("in pieces \u{8}\u{C}\r\t", large) { sink in
            for start in stride(from: 0, to: elements.count, by: 30_000) {
                try elements[start..<min(start + 30_000, elements.count)].withUnsafeBytes { try sink($0) }
            }
        }
        try writer.add("nothing", TensorInfo(dtype: .int64, shape: [2, 0])) { _ in }
        let url = folder.appendingPathComponent("written.safetensors")
        try writer.write(to: url)
        let firstBytes = try Data(contentsOf: url)
        try writer.write(to: url)
        XCTAssertEqual(try Data(contentsOf: url), firstBytes, "writing twice gives the same bytes")

        let file = try CheckpointFile.open(url)
        XCTAssertEqual(file.metadata, metadata)
        XCTAssertEqual(file.names, ["nothing", "in pieces \u{8}\u{C}\r\t"], "the widest elements come first")
        XCTAssertEqual(file.info("nothing"), TensorInfo(dtype: .int64, shape: [2, 0]))
        XCTAssertEqual(try file.withBytes(of: "nothing") { $0.count }, 0)
        XCTAssertEqual(file.info("in pieces \u{8}\u{C}\r\t"), large)
        let read = try file.withBytes(of: "in pieces \u{8}\u{C}\r\t") { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        XCTAssertEqual(read, elements)
    }

    func testATensorWithTooFewBytesLeavesTheExistingFileAlone() throws {
        let url = try file([1, 2, 3])
        var writer = SafetensorsWriter()
        try writer.add("weight", TensorInfo(dtype: .float32, shape: [2])) { sink in
            try withUnsafeBytes(of: Float(1)) { try sink($0) }
        }
        XCTAssertThrowsError(try writer.write(to: url)) { error in
            XCTAssertEqual(
                error as? SafetensorsWriter.Failure, .wrongByteCount(name: "weight", expected: 8, actual: 4))
        }
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testTwoTensorsCannotShareAName() throws {
        let scalar = TensorInfo(dtype: .bool, shape: [])
        var writer = SafetensorsWriter()
        try writer.add("x", scalar) { _ in }
        for name in ["x", "__metadata__"] {
            XCTAssertThrowsError(try writer.add(name, scalar) { _ in }) { error in
                XCTAssertEqual(error as? SafetensorsWriter.Failure, .nameTaken(name))
            }
        }
    }

    func testAMissingTensorIsNamed() throws {
        let file = try CheckpointFile.open(Fixture.url("no_metadata.safetensors"))
        XCTAssertNil(file.info("bias"))
        XCTAssertThrowsError(try file.withBytes(of: "bias") { _ in }) { error in
            XCTAssertEqual((error as? CheckpointError)?.problem, .noSuchTensor("bias"))
        }
    }

    func testAnErrorOfTheCallerPassesThrough() throws {
        struct Refusal: Error {}
        let file = try CheckpointFile.open(Fixture.url("no_metadata.safetensors"))
        XCTAssertThrowsError(try file.withBytes(of: "weight") { _ in throw Refusal() }) { error in
            XCTAssertTrue(error is Refusal, "\(error)")
        }
    }

    // MARK: Files that break the rules

    func testJSONIsReadAsItsStandardSays() throws {
        let header = """
             { "\\u0061\\ud83d\\ude00\\/" : {"shape":[ 1 , 2 ], "data_offsets":[0,2],\t"dtype":"U8"} ,
            "__metadata__":{}}\u{20}
            """
        let file = try CheckpointFile.open(try file(safetensors(header.trimmingPrefix(" "), dataCount: 2)))
        XCTAssertEqual(file.names, ["a😀/"])
        XCTAssertEqual(file.info("a😀/"), TensorInfo(dtype: .uint8, shape: [1, 2]))
        XCTAssertEqual(try file.withBytes(of: "a😀/") { Array($0) }, [0, 1])
    }

    func testHeadersThatBreakTheRulesAreRefused() throws {
        let cases: [(header: String, dataCount: Int, phrase: String)] = [
            (entry("x", shape: "[3]", 0, 2), 2, "takes 3 bytes, and its data_offsets span 2"),
            (entry("x", shape: "[4294967296,4294967296,4294967296]", 0, 2), 2, "impossible shape"),
            (entry("x", shape: "[0,9223372036854775807,9223372036854775807]", 0, 1), 1, "takes 0 bytes"),
            (entry("x", shape: "[\(Array(repeating: "1", count: 65).joined(separator: ","))]", 0, 1), 1, "shape"),
            (entry("x", shape: "[99999999999999999999]", 0, 2), 2, "a number too large"),
            (entry("x", shape: "[-1]", 0, 2), 2, "lacks a whole number"),
            (entry("x", shape: "[1.5]", 0, 2), 2, "lacks “]”"),
            (entry("x", shape: "[2]", 2, 0), 2, "lacks a valid dtype, shape or data_offsets"),
            (entry("x", shape: "[2]", 1, 3), 3, "bytes that belong to no tensor"),
            (entry("x", shape: "[2]", 0, 2), 3, "1 bytes after the last tensor"),
            (entry("x", shape: "[2]", 0, 2) + "," + entry("y", shape: "[2]", 1, 3), 3, "overlaps"),
            (entry("x", shape: "[2]", 0, 2) + "," + entry("x", shape: "[2]", 2, 4), 4, "two tensors named \"x\""),
            (entry("x", dtype: "C64", shape: "[1]", 0, 8), 8, "the element type \"C64\""),
            ("\"x\":{\"dtype\":\"U8\",\"shape\":[2]}", 2, "lacks a valid dtype, shape or data_offsets"),
            ("\"x\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}", 2, "repeated key \"dtype\""),
            ("\"x\":{\"type\":\"U8\"}", 2, "unexpected or repeated key \"type\""),
            ("\"x\":3", 0, "lacks “{”"),
            ("\"__metadata__\":{\"a\":1}", 0, "lacks “\"”"),
            ("\"__metadata__\":{\"a\":\"\",\"a\":\"\"}", 0, "\"a\" twice"),
            ("\"__metadata__\":{},\"__metadata__\":{}", 0, "a second __metadata__"),
            ("\"__metadata__\":{\"a\":\"\\ud800\"}", 0, "half a character"),
            ("\"__metadata__\":{\"a\":\"\\x\"}", 0, "an unknown escape"),
            ("\"__metadata__\":{\"a\":\"\\u00g0\"}", 0, "an unknown escape"),
            ("\"__metadata__\":{\"a\":\"\n\"}", 0, "a control character"),
            ("\"__metadata__\":{\"a", 0, "a string without an end"),
            ("\"x\"", 0, "lacks “:”"),
            (entry("x", shape: "[0]", 0, 0) + ",", 0, "lacks “\"”"),
        ]
        for (header, dataCount, phrase) in cases {
            try assertRefused(try file(safetensors("{\(header)}", dataCount: dataCount)), saying: phrase)
        }
        try assertRefused(try file(safetensors("{} {}", dataCount: 0)), saying: "more than one value")
        try assertRefused(Fixture.url("float8.safetensors"), saying: "the element type \"F8_E5M2\"")
        var notText = safetensors("{\"__metadata__\":{\"a\":\"~\"}}", dataCount: 0)
        notText[notText.firstIndex(of: UInt8(ascii: "~")) ?? 0] = 0xFF
        try assertRefused(try file(notText), saying: "not UTF-8")
    }

    func testATruncatedFileIsReportedWithItsSizes() throws {
        let whole = safetensors("{\(entry("x", shape: "[8]", 0, 8))}", dataCount: 8)
        XCTAssertEqual(
            try refusal(of: try file(whole.dropLast(3))).problem,
            .truncated(expected: whole.count, actual: whole.count - 3))
        XCTAssertEqual(
            try refusal(of: try file(Array(whole.prefix(20)))).problem,
            .truncated(expected: whole.count - 8, actual: 20))
    }

    func testAHeaderOfMoreThanTheLimitIsRefused() throws {
        try assertRefused(
            try file(withUnsafeBytes(of: UInt64(100_000_001).littleEndian) { Array($0) } + Array("{}".utf8)),
            saying: "at most 100000000 are allowed")
        try assertRefused(
            try file(Array(repeating: 0xFF, count: 8) + Array("{}".utf8)), saying: "a length too large for any file")
    }

    func testFilesThatAreNoCheckpointAreRefused() throws {
        try assertRefused(try file([]), saying: "it is empty")
        try assertRefused(try file(Array("version https://git-lfs".utf8)), saying: "\"version https://git-lfs\"")
        try assertRefused(folder, saying: "Is a directory")
        try assertRefused(folder.appendingPathComponent("missing"), saying: "No such file")
        let pipe = folder.appendingPathComponent("pipe")
        XCTAssertEqual(mkfifo(pipe.path, 0o600), 0)
        try assertRefused(pipe, saying: "Not a plain file")
    }

    private func entry(_ name: String, dtype: String = "U8", shape: String, _ begin: Int, _ end: Int) -> String {
        "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
    }

    private func safetensors(_ header: some StringProtocol, dataCount: Int) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        return length + Array(header.utf8) + (0..<dataCount).map { UInt8($0) }
    }
}
