import Foundation
import TestSupport
import XCTest

@testable import Files

/// Steps through JSON that is too large to be read at once.
final class JSONCursorTests: XCTestCase {
    private func walk<Result>(_ text: String, _ body: (inout JSONCursor, UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes)
            return try body(&cursor, bytes)
        }
    }

    func testMembersAndElementsAreFoundWithTheirLines() throws {
        let text = "{\"a\\u0062\" : [1, \"]\\\\\", {\"x\": [\"}\\\"\"]}],\n\"c\": -1.5e3 ,\n\n\"d\":\"\"}\n"
        try walk(text) { cursor, bytes in
            func value() throws -> String { String(decoding: bytes[try cursor.skipValue()], as: UTF8.self) }
            try cursor.beginObject()
            XCTAssertEqual(try cursor.nextKey(), "ab")
            try cursor.beginArray()
            var elements: [String] = []
            while try cursor.nextElement() { elements.append(try value()) }
            XCTAssertEqual(elements, ["1", "\"]\\\\\"", "{\"x\": [\"}\\\"\"]}"])
            XCTAssertEqual(try cursor.nextKey(), "c")
            XCTAssertEqual(cursor.line, 2)
            XCTAssertEqual(try value(), "-1.5e3")
            XCTAssertEqual(try cursor.nextKey(), "d")
            XCTAssertEqual(cursor.line, 4)
            XCTAssertEqual(try value(), "\"\"")
            XCTAssertNil(try cursor.nextKey())
            try cursor.end()
        }
        try walk("[]") { cursor, _ in
            try cursor.beginArray()
            XCTAssertFalse(try cursor.nextElement())
            try cursor.end()
        }
    }

    /// Steps over every value in a list of random ones, and compares each with what Python wrote.
    func testAValueEndsWherePythonEndsIt() throws {
        let script = """
            import json, random
            random.seed(8259)
            texts = ['', '"', '\\\\\\\\', '\\\\\\\\"', ']', '{', 'é', ',:', '\\n']
            def value(depth):
                kind = random.randrange(6 if depth else 4)
                if kind == 0: return random.choice([True, None, 0, -1.5e-7])
                if kind < 4: return ''.join(random.choices(texts, k=random.randrange(4)))
                if kind == 4: return [value(depth - 1) for _ in range(random.randrange(4))]
                return {random.choice(texts): value(depth - 1) for _ in range(random.randrange(4))}
            for _ in range(500):
                parts = [json.dumps(value(4), indent=random.choice([None, 1]), ensure_ascii=random.random() < 0.5) for _ in range(5)]
                print(json.dumps([' [' + ' ,'.join(parts) + ']', parts]))
            """
        let (status, text) = try SystemPython.run(["-c", script])
        XCTAssertEqual(status, 0, text)
        for line in text.split(separator: "\n") {
            let list = try XCTUnwrap(JSONText(Array(line.utf8)).elements)
            let parts = try XCTUnwrap(list[1].elements).compactMap(\.string)
            let found = try walk(try XCTUnwrap(list[0].string)) { cursor, bytes in
                var found: [String] = []
                try cursor.beginArray()
                while try cursor.nextElement() { found.append(String(decoding: bytes[try cursor.skipValue()], as: UTF8.self)) }
                try cursor.end()
                return found
            }
            XCTAssertEqual(found.map { Array($0.utf8) }, parts.map { Array($0.utf8) })
        }
    }

    func testWhatIsNotAsWantedIsNamedWithItsLine() {
        func fault(_ text: String, _ body: (inout JSONCursor) throws -> Void) -> String {
            do {
                try walk(text) { cursor, _ in try body(&cursor) }
                return ""
            } catch {
                return "\(error)"
            }
        }
        func value(_ cursor: inout JSONCursor) throws { _ = try cursor.skipValue() }
        func members(_ cursor: inout JSONCursor) throws {
            try cursor.beginObject()
            while try cursor.nextKey() != nil { _ = try cursor.skipValue() }
        }
        func elements(_ cursor: inout JSONCursor) throws {
            try cursor.beginArray()
            while try cursor.nextElement() { _ = try cursor.skipValue() }
            try cursor.end()
        }
        let cases: [(String, String)] = [
            (fault("\n", value), "line 2 is not JSON: it ends where a value should be"),
            (fault("]", value), "line 1 is not JSON: \"]\" stands where a value should be"),
            (fault("[\n[1", value), "line 2 is not JSON: it ends where a closing bracket should be"),
            (fault("\n\"a\\\"", value), "line 2 is not JSON: a string has no end"),
            (fault("[1]", members), "line 1 is not JSON: \"[1]\" stands where an object should be"),
            (fault("{\"a\": 1 \"b\"", members), "line 1 is not JSON: \"\\\"b\\\"\" stands where a comma or } should be"),
            (fault("{\"a\": 1,}", members), "line 1 is not JSON: \"}\" stands where a key should be"),
            (fault("{\"a\" 1}", members), "line 1 is not JSON: \"1}\" stands where a colon should be"),
            (fault("{\"\\x\": 1}", members), "line 1 is not JSON: \"x\\\"\" stands where an escape should be"),
            (fault("{}", elements), "line 1 is not JSON: \"{}\" stands where a list should be"),
            (fault("[1,\n]", elements), "line 2 is not JSON: \"]\" stands where a value should be"),
            (fault("[1 2]", elements), "line 1 is not JSON: \"2]\" stands where a comma or ] should be"),
            (fault("[1] x", elements), "line 1 is not JSON: something follows after the end"),
        ]
        for (found, expected) in cases { XCTAssertEqual(found, expected) }
    }
}
