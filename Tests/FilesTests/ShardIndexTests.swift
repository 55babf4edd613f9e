import Files
import Foundation
import XCTest

final class ShardIndexTests: XCTestCase {
    private func index(_ json: String) throws -> ShardIndex { try ShardIndex(Data(json.utf8)) }

    func testListsEachShardOnceInOrder() throws {
        let index = try index(#"{"metadata": {"total_size": 1}, "weight_map": {"a": "w-2.bin", "b": "w-1.bin", "c": "w-2.bin"}}"#)
        XCTAssertEqual(index.shards, ["w-1.bin", "w-2.bin"])
        XCTAssertEqual(index.shardOfTensor, ["a": "w-2.bin", "b": "w-1.bin", "c": "w-2.bin"])
    }

    func testAShardThatIsNotSimplyAFileBesideTheIndexIsRefused() throws {
        let names = ["../x.bin", "/etc/passwd", "a/b.bin", ".", "..", "", ".hidden", "a\\u0000b", "x\\n", "..\\/y", "/\\u0338x"]
        for name in names {
            XCTAssertThrowsError(try index("{\"weight_map\": {\"a\": \"\(name)\"}}"), name) {
                XCTAssert("\($0)".contains("not the name of a file beside it"), "\($0)")
            }
        }
    }

    func testWhatIsNoIndexIsRefused() throws {
        for json in ["", "[]", "{}", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": 1}}", "{\"weight_map\": {}}", "<html>"] {
            XCTAssertThrowsError(try index(json), json) { XCTAssert($0 is ShardIndex.Problem) }
        }
    }
}
