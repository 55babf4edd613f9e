import Foundation
import TestSupport
import XCTest

@testable import Files

/// The one reader of JSON that others wrote.
final class JSONTextTests: XCTestCase {
    private func read(_ text: String) throws -> JSONText { try JSONText(Array(text.utf8)) }

    func testValuesAreWhatPythonReads() throws {
        let texts = [
            #"{"a": [1, -2.5e3, 0, -0.0, 1e400, 18446744073709551615], "b": {"c": null, "d": true, "e": false}}"#,
            "[Infinity, -Infinity, 1e-12, 1000000000000000019884624838656]",
            #""\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00 山""#, " \r\n\t[ ]\n", "{}", "{\"a\":1,\"a\":2}", "0", "\"\"",
        ]
        let script = """
            import json, sys
            for text in json.loads(sys.argv[1]):
                print(json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":")))
            """
        let list = String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
        let expected = try PeerPython.run(script, [list]).split(separator: "\n").map(String.init)
        XCTAssertEqual(try texts.map { comparable(try read($0)) }, try expected.map { comparable(try read($0)) })
        XCTAssertEqual((try read("NaN").foundationObject as? Double)?.isNaN, true)
    }

    /// Spelling and repeated keys aside.
    private func comparable(_ value: JSONText) -> String {
        switch value {
        case .null, .bool: "\(value)"
        case .number(let text): "\(Double(text) ?? .nan)"
        case .string(let text): JSONText.quoted(text)
        case .array(let elements): "[\(elements.map(comparable).joined(separator: ","))]"
        case .object(let members):
            "{" + Set(members.map(\.key)).sorted().map { "\($0):\(comparable(value[$0] ?? .null))" }
                .joined(separator: ",") + "}"
        }
    }

    func testAByteOrderMarkAndWindowsLineEndsAreTaken() throws {
        XCTAssertEqual(try read("\u{FEFF}{\r\n\"a\": 3.0\r\n}\r\n")["a"]?.integer, 3)
    }

    func testKeysAreToldApartByTheirBytes() throws {
        let members = try XCTUnwrap(read("{\"\u{E9}\": 1, \"e\u{301}\": 2}").members)
        XCTAssertEqual(members.map(\.key.utf8.count), [2, 3])
        XCTAssertEqual(try read("{\"\u{E9}\": 1, \"e\u{301}\": 2}")["\u{E9}"]?.integer, 1)
    }

    func testWhatIsNoJSONIsNamedWithItsLine() throws {
        let nested = String(repeating: "[", count: 100_000)
        let cases: [(String, Int, String)] = [
            ("", 1, "there is nothing"), ("\u{FEFF} ", 1, "there is nothing"),
            ("{\n\"a\": nul\n}", 2, "\"nul\" stands where a value should be"),
            ("{\n\"a\": 1,\n}", 3, "\"}\" stands where a key should be"), ("{'a': 1}", 1, "where a key should be"),
            ("{\"a\" 1}", 1, "\"1}\" stands where a colon should be"), ("[1 2]", 1, "where a comma or ] should be"),
            ("[1", 1, "it ends where a comma or ] should be"), ("[01]", 1, "where a value should be"),
            ("[1.]", 1, "where a digit should be"), ("[+1]", 1, "where a value should be"),
            ("[.5]", 1, "where a value should be"), ("[1e]", 1, "where a digit should be"),
            ("[-]", 1, "where a value should be"), ("1\n\n2", 3, "something follows after the end"),
            ("\"a", 1, "a string has no end"), ("\"a\nb\"", 1, "a string has a line break"),
            (#""\x""#, 1, "where an escape should be"), (#""\u12""#, 1, "where a hexadecimal digit should be"),
            (#""\ud800""#, 1, "half a character"), (#""\ud800\u0041""#, 1, "half a character"),
            (#""\udc00""#, 1, "half a character"), ("// c\n1", 1, "\"//\" stands where a value should be"),
            (nested, 1, "more than 128 arrays and objects"),
            (nested.replacing("[", with: "{\"a\":"), 1, "more than 128"),
        ]
        for (text, line, reason) in cases {
            XCTAssertThrowsError(try read(text), String(text.prefix(20))) { error in
                let fault = error as? JSONText.Fault
                XCTAssertEqual(fault?.line, line, "\(error) \(text.prefix(20))")
                XCTAssert("\(error)".contains(reason), "\(error)")
            }
        }
        XCTAssertThrowsError(try JSONText([0x22, 0xFF, 0x22])) { XCTAssert("\($0)".contains("not UTF-8"), "\($0)") }
        XCTAssertThrowsError(try JSONText([0xFF, 0xFE, 0x7B, 0x00]))
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        XCTAssertNoThrow(try read(deep))
    }

    func testAnObjectComesOutAsItWentInWithWhatIsNotFinite() throws {
        let text =
            #"{"a": [Infinity, {"b": -Infinity}], "c": NaN, "d": true, "e": 1, "f": 0.1, "g": null, "#
            + #""h": "\u0001Infinity\u0001x"}"#
        let object = try XCTUnwrap(read(text).foundationObject as? [String: Any])
        let data = try JSONText.data(of: object)
        XCTAssertEqual(comparable(try JSONText(data)), comparable(try read(text)))
        XCTAssertEqual(data.last, 0x0A)
        let plain = try JSONText.data(of: ["b": 1, "a": ["x/y"]])
        XCTAssertEqual(String(decoding: plain, as: UTF8.self).filter { !$0.isWhitespace }, #"{"a":["x/y"],"b":1}"#)
    }

    func testQuotedTextIsReadBack() throws {
        for text in ["", "a\"b\\c/d", "\u{0}\u{1}\n\r\t\u{1F}\u{7F}", "é e\u{301} 山 \u{1F600} \u{2028}"] {
            let data = Data(JSONText.quoted(text).utf8)
            XCTAssertEqual(try JSONText(data).string.map { Array($0.utf8) }, Array(text.utf8))
            let other = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) as? String
            XCTAssertEqual(other.map { Array($0.utf8) }, Array(text.utf8))
        }
    }
}
