import Foundation
import TestSupport
import XCTest

@testable import Files

/// Archives as Python writes them are read, and those that no one should unpack are refused.
final class ZipTests: XCTestCase {
    nonisolated(unsafe) private static var folder = URL(fileURLWithPath: "/")

    override class func setUp() {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl zip \(UUID().uuidString)")
        do { try PlainPython.makeArchives("odd", folder.path) } catch { XCTFail("\(error)") }
    }

    override class func tearDown() {
        try? FileManager.default.removeItem(at: folder)
    }

    private var text: Data { Data((0..<20_000).map { "line \($0) of a text\n" }.joined().utf8) }

    private func archive(_ name: String) throws -> Data {
        try Data(contentsOf: ZipTests.folder.appendingPathComponent(name))
    }

    /// The files of an archive with their content.
    private func unpacked(_ data: Data, _ limits: ZipLimits = ZipLimits()) throws -> [String: Data] {
        try data.withUnsafeBytes { bytes in
            var contents: [String: Data] = [:]
            for member in try ZipArchive(bytes).files(within: limits) {
                var content = Data()
                try member.read(from: bytes) { content.append(contentsOf: $0) }
                contents[member.path] = content
            }
            return contents
        }
    }

    private func assertRefused(
        _ name: String, within limits: ZipLimits = ZipLimits(), _ part: String, file: StaticString = #filePath,
        line: UInt = #line
    ) throws {
        let data = try archive(name)
        XCTAssertThrowsError(try unpacked(data, limits), name, file: file, line: line) { error in
            XCTAssert(error is ZipProblem, "\(name): \(error)", file: file, line: line)
            XCTAssert("\(error)".contains(part), "\(name): \"\(error)\" lacks \"\(part)\"", file: file, line: line)
        }
    }

    func testWhatPythonDeflatesIsReadAgain() throws {
        XCTAssertEqual(try unpacked(archive("plain.zip")), ["CoLA/a.txt": text, "CoLA/b/empty.txt": Data()])
        XCTAssertEqual(try unpacked(archive("streamed.zip")), ["CoLA/a.txt": text])
        XCTAssertEqual(try unpacked(archive("zip64.zip")), ["CoLA/a.txt": text])
        XCTAssertEqual(try unpacked(archive("mark.zip")), ["CoLA/a.txt": text, "CoLA/\u{338}b": Data()])
    }

    func testPathsThatCouldLeaveTheFolderAreRefused() throws {
        for index in 0..<12 { try assertRefused("path\(index).zip", "could leave the folder; nothing was unpacked") }
        for writer in [3, 19] { try assertRefused("link\(writer).zip", "is a symbolic link; nothing was unpacked") }
        try assertRefused("case.zip", "\"CoLA/a.txt\" and \"CoLA/A.txt\" are one file")
    }

    func testBombsAreRefusedBeforeTheyGoOff() throws {
        try assertRefused("bomb.zip", "to 52428800 bytes, which no honest archive of text does")
        try assertRefused("overlap.zip", "overlap")
        try assertRefused("plain.zip", within: ZipLimits(totalSize: 400_000), "would grow")
        try assertRefused("plain.zip", within: ZipLimits(memberCount: 2), "it has 3 members, which is more than 2")
    }

    func testABombThatLiesAboutItsSizeIsStoppedThere() throws {
        let data = try archive("more.zip")
        var count = 0
        try data.withUnsafeBytes { bytes in
            let member = try ZipArchive(bytes).members[0]
            XCTAssertThrowsError(try member.read(from: bytes) { count += $0.count }) {
                XCTAssert("\($0)".contains("is longer than the archive says"), "\($0)")
            }
        }
        XCTAssertLessThan(count, text.count)
    }

    func testDamagedMembersAreRefused() throws {
        try assertRefused("less.zip", "is shorter than the archive says")
        try assertRefused("checksum.zip", "does not have the checksum that the archive gives")
        try assertRefused("encrypted.zip", "is encrypted")
        try assertRefused("lzma.zip", "compressed by the method 14; only deflate is supported")
    }

    func testAnArchiveCutShortAnywhereIsRefused() throws {
        let whole = try archive("plain.zip")
        for count in stride(from: whole.count - 1, through: 0, by: -97) {
            XCTAssertThrowsError(try unpacked(whole.prefix(count)), "cut to \(count) bytes") {
                XCTAssert($0 is ZipProblem, "cut to \(count) bytes: \($0)")
            }
        }
    }

    func testChangedBytesGiveErrorsAndNeverAnotherContent() throws {
        let whole = try archive("plain.zip")
        let contents = try unpacked(whole)
        var refused = 0
        for index in stride(from: 0, to: whole.count, by: 41) {
            var damaged = whole
            damaged[index] ^= 1 << UInt8(index % 8)
            do {
                let found = try unpacked(damaged)
                // Names and times have no checksum.
                XCTAssertEqual(Set(found.values), Set(contents.values), "byte \(index)")
            } catch {
                XCTAssert(error is ZipProblem, "byte \(index): \(error)")
                refused += 1
            }
        }
        XCTAssertGreaterThan(refused, 1000)
    }
}
