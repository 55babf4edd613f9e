import Files
import Foundation
import XCTest

final class PythonJSONTests: XCTestCase {
    private func read(_ text: String) -> PythonJSON { Array(text.utf8).withUnsafeBytes { PythonJSON($0) } }
    private func strict(_ text: String) -> String { String(decoding: read(text).text, as: UTF8.self) }

    func testJSONStaysAsItIs() {
        let texts = [
            #"{"a": [1, -2.5e3, null, true], "b": {"c": "\\\"\n\u00e9\ud83d\ude00"}}"#, "", "  ", "[]", "\"NaN, -Infinity\"",
        ]
        for text in texts { XCTAssertEqual(strict(text), text) }
    }

    func testNumbersThatJSONLacksAreNull() {
        XCTAssertEqual(strict(#"{"a":NaN,"b":[Infinity,-Infinity,-1]}"#), #"{"a":null,"b":[null,null,-1]}"#)
    }

    func testHalvesOfSurrogatePairsAreReplaced() {
        XCTAssertEqual(strict(#""a\ud83d""#), #""a\uFFFD""#)
        XCTAssertEqual(strict(#""\ude00\ud83d\ud83d\ude00""#), #""\uFFFD\uFFFD\ud83d\ude00""#)
        XCTAssertEqual(strict(#""\ud83dx\\ud83d""#), #""\uFFFDx\\ud83d""#)
        XCTAssertEqual(strict(#""\ud8""#), #""\ud8""#, "what is no escape stays for the decoder to refuse")
    }

    func testKeysAreThoseOfTheObjectAlone() {
        XCTAssertEqual(read(#"{"a": {"b": 1}, "a": ["c", {"d": 2}], "\u0061": "e"}"#).keys, ["a", "a", "a"])
        XCTAssertEqual(read(#"["a", "b"]"#).keys, [])
    }

    func testTellsWhetherEverythingEnds() {
        for text in ["{}", "[{\"a\": [1]}]", "1"] { XCTAssert(read(text).isClosed, text) }
        for text in ["{", "{\"a\": [1}", "{\"a", "{\"a\\", "\"\\u12", "{\"a\": 1"] { XCTAssertFalse(read(text).isClosed, text) }
    }
}
