import Foundation
import TestSupport
import XCTest

@testable import Files

/// Compressed files whose content is larger than the disk.
final class GzipTests: XCTestCase {
    private var folder = URL(fileURLWithPath: "/")

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("gzip-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws { try FileManager.default.removeItem(at: folder) }

    /// 32 MiB of zeros, and a second member of a byte.
    private func bomb(withSecondMember: Bool) throws -> MappedFile {
        let path = folder.appendingPathComponent("bomb.gz").path
        let script = "import gzip, sys; open(sys.argv[1], 'wb').write(gzip.compress(bytes(1 << 25))"
            + (withSecondMember ? " + gzip.compress(b'x'))" : ")")
        XCTAssertEqual(try SystemPython.run(["-c", script, path]).status, 0)
        return try MappedFile(path: path)
    }

    private func message(_ file: MappedFile, free: @escaping (String) -> Int?) -> String {
        do {
            _ = try gunzipped(file, in: folder, freeSpace: free)
            return "nothing was thrown"
        } catch {
            return "\(error)".replacingOccurrences(of: folder.path, with: "DIR")
        }
    }

    func testAContentThatDoesNotFitIsRefusedBeforeItIsWritten() throws {
        var asked = 0
        let found = message(try bomb(withSecondMember: false)) { _ in
            asked += 1
            return 1 << 25
        }
        XCTAssertEqual(
            found,
            "its content, of 33554432 bytes or more, doesn't fit into DIR, where 33554432 bytes are free and a tenth stays "
                + "so; make room, or give the file uncompressed")
        XCTAssertLessThanOrEqual(asked, 2)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["bomb.gz"])
    }

    func testAContentThatSaysASmallerSizeIsRefusedWhenTheRoomIsUsedUp() throws {
        var asked = 0
        let found = message(try bomb(withSecondMember: true)) { _ in
            asked += 1
            return asked > 3 ? 1 << 18 : 1 << 20
        }
        XCTAssertTrue(found.hasPrefix("its content, of "), found)
        // Nine tenths of the room are written at most, in pieces of a quarter of a megabyte.
        let size = try XCTUnwrap(Int(found.split(separator: " ")[3]))
        XCTAssertLessThanOrEqual(size, 1 << 20)
    }

    func testAContentThatFitsIsReadWhereNobodyKnowsTheRoom() throws {
        let file = try bomb(withSecondMember: true)
        XCTAssertEqual(try gunzipped(file, in: folder, freeSpace: { _ in nil }).count, (1 << 25) + 1)
        XCTAssertEqual(try gunzipped(file, in: folder, freeSpace: { _ in 1 << 26 }).count, (1 << 25) + 1)
    }
}
