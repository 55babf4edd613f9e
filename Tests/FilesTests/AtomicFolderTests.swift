import Files
import Foundation
import XCTest

final class AtomicFolderTests: XCTestCase {
    private var folder = FileManager.default.temporaryDirectory
    private var place: URL { folder.appendingPathComponent("model") }

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private func write(_ text: String, _ path: String) throws {
        let url = folder.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
    }

    private func names() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
    }

    private func writeNew(replacing isReplaceable: (URL) -> Bool = { _ in false }) throws {
        try writeFolderAtomically(to: place, replacing: isReplaceable) { draft in
            try Data("new".utf8).write(to: draft.appendingPathComponent("weights"))
        }
    }

    private func assertRefuses(line: UInt = #line, _ body: () throws -> Void) throws {
        let before = try names()
        XCTAssertThrowsError(try body(), line: line) {
            XCTAssertEqual($0 as? FileWriteError, FileWriteError(path: place.path, reason: .occupied), line: line)
        }
        XCTAssertEqual(try names(), before, line: line)
    }

    func testAFolderThatIsThereIsReplacedOnlyWithLeave() throws {
        try writeNew()
        XCTAssertEqual(try names(), ["model", "model/weights"])
        try write("mine", "model/notes")
        try assertRefuses { try writeNew() }
        XCTAssertEqual(try text("model/notes"), "mine")
        try writeNew { $0.lastPathComponent == "model" }
        XCTAssertEqual(try names(), ["model", "model/weights"])
    }

    func testAnEmptyFolderIsNotReplacedWithoutLeaveEither() throws {
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
        try assertRefuses { try writeNew() }
        try writeNew { isFolder($0, ofFilesNamed: []) }
        XCTAssertEqual(try text("model/weights"), "new")
    }

    func testNoFileAndNoLinkIsReplacedWhateverTheLeave() throws {
        try write("mine", "model")
        try assertRefuses { try writeNew { _ in true } }
        XCTAssertEqual(try text("model"), "mine")
        for target in ["elsewhere", "nowhere"] {
            try write("mine", "elsewhere/notes")
            try FileManager.default.removeItem(at: place)
            try FileManager.default.createSymbolicLink(atPath: place.path, withDestinationPath: target)
            try assertRefuses { try writeNew { _ in true } }
            XCTAssertEqual(try text("elsewhere/notes"), "mine")
        }
    }

    func testAFolderOfCertainFilesHasNoOtherFileNoFolderAndNoLink() throws {
        try write("", "model/a")
        XCTAssert(isFolder(place, ofFilesNamed: ["a", "b"]))
        XCTAssertFalse(isFolder(place, ofFilesNamed: ["b"]))
        let link = folder.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "model")
        XCTAssertFalse(isFolder(link, ofFilesNamed: ["a", "b"]))
        try FileManager.default.createSymbolicLink(
            atPath: place.appendingPathComponent("b").path, withDestinationPath: "a")
        XCTAssertFalse(isFolder(place, ofFilesNamed: ["a", "b"]))
        try FileManager.default.removeItem(at: place.appendingPathComponent("b"))
        try write("", "model/b/c")
        XCTAssertFalse(isFolder(place, ofFilesNamed: ["a", "b"]))
    }

    /// The last one's place is taken: not even the first is written.
    func testFilesAreAllWrittenOrNone() throws {
        try write("mine", "model/a")
        try FileManager.default.createDirectory(
            at: place.appendingPathComponent("z"), withIntermediateDirectories: false)
        let before = try names()
        XCTAssertThrowsError(
            try writeFilesAtomically(into: place) { draft in
                for name in ["a", "z"] { try Data("new".utf8).write(to: draft.appendingPathComponent(name)) }
            }
        ) { XCTAssertEqual(($0 as? FileWriteError)?.reason, .notARegularFile) }
        XCTAssertEqual(try names(), before)
        XCTAssertEqual(try text("model/a"), "mine")
    }

    func testOnlyWhatKilledProcessesLeaveIsRemoved() throws {
        let others = [
            ".camtl-notes.folder/a", ".camtl-.tmp", ".camtl-12345678901234567.tmp", ".camtl-1f.txt", "x.camtl-1f.tmp",
            ".camtl-1F.tmp", ".camtl-run",
        ]
        for path in others { try write("mine", path) }
        let before = try names()
        try write("", ".camtl-1f.folder/a")
        try write("", ".camtl-ffffffffffffffff.tmp")
        removeUnfinished(in: folder)
        XCTAssertEqual(try names(), before)
    }
}
