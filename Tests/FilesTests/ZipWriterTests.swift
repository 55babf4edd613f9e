import Files
import Foundation
import TestSupport
import XCTest

/// Archives are read back by Python's `zipfile`.
final class ZipWriterTests: XCTestCase {
    private var folder = FileManager.default.temporaryDirectory
    private var archive: URL { folder.appendingPathComponent("archive.zip") }

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private func write(_ members: [(name: String, contents: [UInt8])]) throws {
        var writer = ZipWriter()
        for member in members { try writer.add(member.name, member.contents) }
        try writer.write(to: archive)
    }

    private var noise: [UInt8] {
        var state: UInt32 = 1
        return (0..<100_000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
    }

    func testPythonReadsWhatIsWritten() throws {
        let members: [(name: String, contents: [UInt8])] = [
            ("RTE.tsv", Array("index\tprediction\n0\tentailment\n".utf8)), ("empty", []), ("noise", noise),
            ("folder/größe.txt", Array("ß".utf8)), ("long", Array(repeating: 7, count: 3_000_000)),
        ]
        try write(members)
        for (number, member) in members.enumerated() {
            try Data(member.contents).write(to: folder.appendingPathComponent("\(number)"))
        }
        let script = """
            import sys, zipfile
            archive = zipfile.ZipFile(sys.argv[1])
            assert archive.testzip() is None
            for number, info in enumerate(archive.infolist()):
                assert archive.read(info) == open("%s/%d" % (sys.argv[2], number), "rb").read(), info
                print(info.filename.encode("unicode_escape").decode(), info.file_size, info.date_time,
                      oct(info.external_attr >> 16), info.compress_size < 4000 or info.filename == "noise")
            """
        let (status, text) = try SystemPython.run(["-c", script, archive.path, folder.path])
        XCTAssertEqual(status, 0, text)
        XCTAssertEqual(
            text.split(separator: "\n"),
            [("RTE.tsv", 30), ("empty", 0), ("noise", 100_000), ("folder/gr\\xf6\\xdfe.txt", 2), ("long", 3_000_000)]
                .map { "\($0) \($1) (1980, 1, 1, 0, 0, 0) 0o100644 True"[...] })
    }

    func testTheSameMembersGiveTheSameBytes() throws {
        let members: [(name: String, contents: [UInt8])] = [("a", noise), ("b", [1, 2, 3])]
        try write(members)
        let first = try Data(contentsOf: archive)
        try write(members)
        XCTAssertEqual(try Data(contentsOf: archive), first)
    }

    func testAnArchiveWithoutMembersIsOne() throws {
        try write([])
        let (status, text) = try SystemPython.run(["-m", "zipfile", "-t", archive.path])
        XCTAssertEqual(status, 0, text)
    }

    func testNamesThatNoArchiveShouldHaveAreRefused() throws {
        var writer = ZipWriter()
        for name in ["", "/a", "a/", "../a", "a/../b", "./a", String(repeating: "a", count: 65_536)] {
            XCTAssertThrowsError(try writer.add(name, [1])) {
                XCTAssertEqual($0 as? ZipWriteError, .badName(name))
            }
        }
        try writer.add("a", [1])
        XCTAssertThrowsError(try writer.add("a", [2])) { XCTAssertEqual($0 as? ZipWriteError, .nameTaken("a")) }
        try writer.write(to: archive)
        let (_, text) = try SystemPython.run(
            ["-c", "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).namelist())", archive.path])
        XCTAssertEqual(text, "['a']\n")
    }

    func testMoreMembersThanTheFormatCountsAreRefused() throws {
        var writer = ZipWriter()
        for number in 0..<65_535 { try writer.add("\(number)", []) }
        XCTAssertThrowsError(try writer.add("one more", [])) {
            XCTAssertEqual($0 as? ZipWriteError, .tooLarge("one more"))
        }
        try writer.write(to: archive)
        let (_, text) = try SystemPython.run(
            ["-c", "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))", archive.path])
        XCTAssertEqual(text, "65535\n")
    }

    func testAnArchiveThatCannotBeWrittenLeavesTheOldOne() throws {
        try write([("a", [1])])
        let first = try Data(contentsOf: archive)
        var writer = ZipWriter()
        try writer.add("b", [2])
        XCTAssertThrowsError(try writer.write(to: folder.appendingPathComponent("none/archive.zip"))) {
            XCTAssertEqual(($0 as? FileWriteError)?.reason, .system(ENOENT))
        }
        XCTAssertEqual(try Data(contentsOf: archive), first)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["archive.zip"])
    }
}
