import Foundation
import TestSupport
import XCTest

@testable import Files
@testable import Tasks

/// Rows of CSV and of JSON lines, field by field.
final class QuotedRowsTests: DirectoryTestCase {
    private func rows(_ text: String, separator: Character = ",") throws -> [(line: Int, fields: [String])] {
        let separator = try XCTUnwrap(separator.asciiValue)
        return try Array(text.utf8).withUnsafeBytes { bytes in
            var scanner = QuotedScanner(bytes, separator: separator)
            var rows: [(Int, [String])] = []
            while let row = try scanner.next() {
                let fields = QuotedRows.fields(in: row.range, of: bytes, separator: separator).map { field in
                    field.withBytes(of: bytes) { String(decoding: $0[0], as: UTF8.self) }
                }
                rows.append((row.line, fields))
            }
            return rows
        }
    }

    private func assert(
        _ text: String, separator: Character = ",", is expected: [(Int, [String])], line: UInt = #line
    ) throws {
        let found = try rows(text, separator: separator)
        XCTAssertEqual(found.map(\.line), expected.map(\.0), line: line)
        XCTAssertEqual(found.map(\.fields), expected.map(\.1), line: line)
    }

    // MARK: RFC 4180

    func testAQuotedFieldMayHoldSeparatorsQuotesAndLineBreaks() throws {
        try assert("a,\"b, c\",d\n", is: [(1, ["a", "b, c", "d"])])
        try assert("\"she said \"\"so\"\"\",\"\"\"\"\n", is: [(1, ["she said \"so\"", "\""])])
        try assert("\"two\nlines\",x\r\n\"three\r\n\r\nlines\",y\r\nz,\n",
            is: [(1, ["two\nlines", "x"]), (3, ["three\r\n\r\nlines", "y"]), (6, ["z", ""])])
        try assert("a;\"b;c\";d,e\n", separator: ";", is: [(1, ["a", "b;c", "d,e"])])
    }

    func testAQuoteWithinAFieldIsLiteralAndWhatFollowsAClosingOneIsOfTheField() throws {
        try assert("it\"s,b \"c\" d,\"e\"f,\"g\" \"h\"\n", is: [(1, ["it\"s", "b \"c\" d", "ef", "g \"h\""])])
        try assert(" \"a\n", is: [(1, [" \"a"])])
    }

    func testEmptyFieldsCount() throws {
        try assert(",,\n", is: [(1, ["", "", ""])])
        try assert("\"\",a,\"\"\n", is: [(1, ["", "a", ""])])
        try assert("\"\"\n", is: [(1, [""])])
        try assert("a,", is: [(1, ["a", ""])])
        try assert("a,\"\"", is: [(1, ["a", ""])])
    }

    func testRowsEndWithAnyLineEndAndTheLastWithNone() throws {
        for end in ["\n", "\r\n", "\r"] {
            for last in ["", end] {
                try assert("a,b\(end)\"c\",d\(last)", is: [(1, ["a", "b"]), (2, ["c", "d"])])
            }
        }
    }

    func testBlankLinesAreNoRowsButAreCounted() throws {
        try assert("\n\na,b\r\n\r\n\nc,d\n\n", is: [(3, ["a", "b"]), (6, ["c", "d"])])
        try assert("", is: [])
        try assert("\r\n\n\r", is: [])
    }

    func testAnUnclosedQuoteIsReportedWhereItOpens() throws {
        for (text, line) in [("a,b\nc,\"d\ne,f\n", 2), ("\"", 1), ("a\n\"b\"\"\n", 2), ("x\r\ny\r\n\"z\r\n\r\n", 3)] {
            XCTAssertThrowsError(try rows(text)) {
                XCTAssertEqual(($0 as? RowProblem)?.line, line, text)
                XCTAssertEqual(($0 as? RowProblem)?.problem, .unclosedQuote, text)
            }
        }
    }

    // MARK: Files

    private func examples(_ text: String, to path: String, _ columns: Columns) throws -> [Example] {
        let url = try write(text, to: path)
        let file = DataFile(
            name: "own", files: [url.path], format: try XCTUnwrap(FileFormat(path: path)), columns: columns)
        let task = try TaskDefinition(
            name: "own", kind: Classification(labels: ["no", "yes"]), train: file, dev: [], test: [])
        return try task.examples(in: file, dataDirectory: nil).examples
    }

    func testAHeaderMayHaveAByteOrderMarkAndQuotes() throws {
        let expected = [Example(first: "a, \"cat\"", target: [1], line: 2), Example(first: "", target: [0], line: 4)]
        let text = "\"text\",\"the \"\"label\"\"\"\r\n\"a, \"\"cat\"\"\",yes\r\n\r\n,no"
        let columns = Columns.named(first: "text", label: "the \"label\"")
        XCTAssertEqual(try examples(text, to: "a.csv", columns), expected)
        XCTAssertEqual(try examples("\u{FEFF}" + text, to: "b.csv", columns), expected)
    }

    func testAHeaderOfSemicolonsAloneSaysThatTheySeparate() throws {
        let columns = Columns.named(first: "text", label: "label")
        XCTAssertEqual(
            try examples("text;label\na, b;yes\n", to: "a.csv", columns),
            [Example(first: "a, b", target: [1], line: 2)])
        XCTAssertEqual(
            try examples("text,label\na; b,yes\n", to: "b.csv", columns),
            [Example(first: "a; b", target: [1], line: 2)])
    }

    func testAHeaderOfTwoLinesIsOneRow() throws {
        XCTAssertEqual(
            try examples("\"the\ntext\",label\na,yes\n", to: "a.csv", .named(first: "the\ntext", label: "label")),
            [Example(first: "a", target: [1], line: 3)])
    }

    func testMessagesNameFileAndLine() throws {
        let columns = Columns.named(first: "text", label: "label")
        XCTAssertEqual(
            message { try examples("text,label\na,yes\nb\n", to: "a.csv", columns) },
            "<data>/a.csv:3: found 1 column, but \"label\" is column 2.")
        XCTAssertEqual(
            message { try examples("text,label\n\"a\n\nb\",yes\n\"c,no\nd,yes\n", to: "a.csv", columns) },
            "<data>/a.csv:5: a field opens with a quote on this line, and the file ends before it closes.")
        XCTAssertEqual(
            message { try examples("\"text,label\na,yes\n", to: "a.csv", columns) },
            "<data>/a.csv:1: a field opens with a quote on this line, and the file ends before it closes.")
        XCTAssertEqual(
            message { try examples("text,label\n\"a\nb\",maybe\n", to: "a.csv", columns) },
            "<data>/a.csv:2: unknown label \"maybe\"; the labels are no, yes.")
        XCTAssertEqual(message { try examples("text,label\n\n\n", to: "a.csv", columns) },
            "<data>/a.csv: the file holds no examples.")
    }

    // MARK: Against Python

    private func number(_ name: String, default value: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? value
    }

    private func python(_ script: String) throws -> [String] {
        let count = number("CAMTL_RANDOM_FILES", default: 2000)
        let (status, text) = try SystemPython.run(["-c", script, "\(count)"])
        XCTAssertEqual(status, 0, text)
        let lines = text.split(separator: "\n").map(String.init)
        XCTAssertEqual(lines.count, count)
        return lines
    }

    private struct RandomFile: Decodable {
        var text: String
        var separator: String
        /// nil if a quote is not closed.
        var rows: [[String]]?
        var lines: [Int]
    }

    func testRandomFilesHaveTheFieldsThatPythonFinds() throws {
        let script = """
            import csv, io, json, random, sys
            random.seed(4180)
            for _ in range(int(sys.argv[1])):
                separator = random.choice(',;\\t|')
                pieces = ['"', '""', separator, separator, 'a', 'bc', ' ', 'é', '\\n', '\\r\\n', '\\r', ',', ';', '😀']
                if random.random() < 0.5:
                    text = ''.join(random.choices(pieces, k=random.randint(0, 24)))
                else:
                    out = io.StringIO(newline='')
                    quoting = random.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
                    end = random.choice(['\\n', '\\r\\n', '\\r'])
                    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=end)
                    for _ in range(random.randint(1, 4)):
                        writer.writerow([''.join(random.choices(pieces, k=random.randint(0, 4)))
                                         for _ in range(random.randint(1, 4))])
                    text = out.getvalue()
                    if random.random() < 0.3: text = text[:len(text) - len(end)]
                reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
                rows, lines, before = [], [], 0
                for row in reader:
                    if row: rows.append(row); lines.append(before + 1)
                    before = reader.line_num
                try:
                    list(csv.reader(io.StringIO(text + 'x', newline=''), delimiter=separator, strict=True))
                except csv.Error as error:
                    if 'unexpected end of data' in str(error): rows = None
                # strict stops at the first letter behind a closing quote, so that openness is told otherwise.
                if rows is not None and list(csv.reader(io.StringIO(text + '\\nQ', newline=''), delimiter=separator))[-1:] != [['Q']]:
                    rows = None
                print(json.dumps({'text': text, 'separator': separator, 'rows': rows, 'lines': lines}))
            """
        var unclosed = 0
        for line in try python(script) {
            let file = try JSONDecoder().decode(RandomFile.self, from: Data(line.utf8))
            let separator = try XCTUnwrap(file.separator.first)
            guard let expected = file.rows else {
                unclosed += 1
                XCTAssertThrowsError(try rows(file.text, separator: separator), line)
                continue
            }
            let found = try rows(file.text, separator: separator)
            // Swift's texts are equal where they only look alike; bytes are not.
            guard found.map({ $0.fields.map { Array($0.utf8) } }) == expected.map({ $0.map { Array($0.utf8) } }),
                found.map(\.line) == file.lines
            else { return XCTFail("\(line): \(found)") }
        }
        XCTAssertGreaterThan(unclosed, 0)
    }

    // MARK: JSON lines

    /// The values of paths in a row: nil for none, an error's text in angle brackets.
    private func values(_ row: String, _ paths: [String]) -> [[String]?] {
        Array(row.utf8).withUnsafeBytes { bytes in
            paths.map { path in
                let reader = JSONRows(paths: [path.split(separator: ".").map(String.init)], labelPlaces: 0..<0, labels: [])
                var found = 0
                do {
                    let values = try reader.values(
                        in: RowSpan(line: 1, range: 0..<bytes.count), of: bytes, found: &found)
                    return values[0].map { $0.withBytes(of: bytes) { $0.map { String(decoding: $0, as: UTF8.self) } } }
                } catch {
                    return ["<\(error)>"]
                }
            }
        }
    }

    func testAValueIsFoundByTheKeysToIt() {
        let row = #"{"a": {"b": {"c": "deep"}}, "n": 1.50, "e": -1E+2, "t": true, "l": ["x", 2, false], "z": null, "k": []}"#
        XCTAssertEqual(
            values(row, ["a.b.c", "n", "e", "t", "l", "z", "k", "a.x", "n.b", "y"]),
            [["deep"], ["1.50"], ["-1E+2"], ["true"], ["x", "2", "false"], nil, [], nil, nil, nil])
        XCTAssertEqual(
            values(row, ["a.b", "a"]),
            [["<\"a.b\" is neither a text, a number nor a list of those.>"],
                ["<\"a\" is neither a text, a number nor a list of those.>"]])
        XCTAssertEqual(values(#"{"a": "1", "a": "2"}"#, ["a"]), [["2"]])
        XCTAssertEqual(values(#"{"a": "\u00e9\ud83d\ude00\n\""}"#, ["a"]), [["é😀\n\""]])
    }

    func testAPathThatMeetsAListGoesIntoItsElements() {
        let row = #"""
            {"answers": [{"text": "a", "start": 3}, {"text": "b", "start": -1}], "none": [], "words": ["a", "b"],
             "tags": ["O", "B-per"], "hf": {"text": ["a"], "answer_start": [3]}, "deep": [{"x": {"y": 1}}],
             "lists": [{"x": ["a"]}], "nested": [[{"x": "a"}]], "some": [{"x": "a"}, {"y": {"z": 1}}, 3], "null": [{"x": null}]}
            """#
        XCTAssertEqual(
            values(row, ["answers.text", "answers.start", "none.text", "words", "tags", "hf.text", "hf.answer_start", "deep.x.y"]),
            [["a", "b"], ["3", "-1"], [], ["a", "b"], ["O", "B-per"], ["a"], ["3"], ["1"]])
        XCTAssertEqual(values(row, ["answers.other", "words.x", "null.x"]), [nil, nil, nil])
        let what = "neither a text, a number nor a list of those.>"
        XCTAssertEqual(
            values(row, ["answers", "lists.x", "nested.x", "some.x", "some.y.z"]),
            [["<\"answers\" is \(what)"], ["<\"lists.x\" is \(what)"], ["<\"nested.x\" is \(what)"],
                ["<the row has no \"some[1].x\".>"], ["<the row has no \"some[0].y.z\".>"]])
    }

    func testLinesThatAreNoObjectsAreNamed() throws {
        let columns = Columns.named(first: "text", label: "label")
        let good = "{\"text\": \"a\", \"label\": \"yes\"}\n"
        XCTAssertEqual(
            try examples("\u{FEFF}" + good + "\r\n  \n" + good, to: "a.jsonl", columns).map(\.line), [1, 4])
        XCTAssertEqual(
            message { try examples(good + "[1]\n", to: "a.jsonl", columns) },
            "<data>/a.jsonl:2: the line is JSON, but not an object such as {\"text\": \"…\", \"label\": \"…\"}.")
        XCTAssertEqual(
            message { try examples(good + "\n{\"text\": \"b\"}\n", to: "a.jsonl", columns) },
            "<data>/a.jsonl:3: the row has no \"label\".")
        let broken = message { try examples(good + "{\"text\": \n\"b\"}\n", to: "a.jsonl", columns) }
        XCTAssertTrue(broken.hasPrefix("<data>/a.jsonl:2: the line is not JSON: "), broken)
    }

    private struct RandomRow: Decodable {
        var row: String
        var paths: [String]
        /// nil for none; false for an error.
        var values: [Value?]

        enum Value: Decodable {
            case texts([String]), error

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                self = (try? container.decode([String].self)).map { .texts($0) } ?? .error
            }
        }
    }

    func testRandomRowsHaveTheValuesThatPythonFinds() throws {
        let script = """
            import json, random, sys
            random.seed(8259)
            class Number(str): pass
            keys = ['a', 'b', 'é', 'label']
            numbers = ['0', '-0', '12', '1.50', '1e5', '-2E-3', '12345678901234567890', '0.1000']
            texts = ['', 'x', 'a "b"', 'é', 'e\\u0301', '\\U0001F600', '\\n\\t', '1.0', '\\\\']
            def value(depth):
                kind = random.randrange(8 if depth else 5)
                if kind == 0: return random.choice([True, False, None])
                if kind == 1: return Number(random.choice(numbers))
                if kind < 4: return random.choice(texts)
                if kind == 4: return [value(depth - 1) for _ in range(random.randrange(3))] if depth else 'y'
                return {random.choice(keys): value(depth - 1) for _ in range(random.randrange(4))}
            def spelt(v, ascii):
                if isinstance(v, Number): return str.__str__(v)
                blank = random.choice(['', ' ', '\\t'])
                if isinstance(v, list): return '[' + (',' + blank).join(spelt(x, ascii) for x in v) + ']'
                if isinstance(v, dict):
                    return '{' + blank + ','.join(json.dumps(k, ensure_ascii=ascii) + blank + ':' + spelt(x, ascii) for k, x in v.items()) + '}'
                return json.dumps(v, ensure_ascii=ascii)
            def scalar(v):
                if v is True: return 'true'
                if v is False: return 'false'
                if isinstance(v, str): return str(v)
                raise ValueError
            def at(row, keys):
                if not keys: return row
                if isinstance(row, list):
                    found = [at(x, keys) for x in row]
                    if None not in found: return found
                    if any(x is not None for x in found): raise ValueError
                    return None
                return at(row[keys[0]], keys[1:]) if isinstance(row, dict) and keys[0] in row else None
            def find(row, path):
                try:
                    row = at(row, path.split('.'))
                    if row is None: return None
                    return [scalar(x) for x in row] if isinstance(row, list) else [scalar(row)]
                except ValueError:
                    return False
            for _ in range(int(sys.argv[1])):
                row = {random.choice(keys): value(2) for _ in range(random.randrange(1, 5))}
                text = spelt(row, random.random() < 0.5)
                row = json.loads(text, parse_int=Number, parse_float=Number)
                paths = ['.'.join(random.choices(keys, k=random.randint(1, 3))) for _ in range(6)] + keys
                print(json.dumps({'row': text, 'paths': paths, 'values': [find(row, path) for path in paths]}))
            """
        for line in try python(script) {
            let row = try JSONDecoder().decode(RandomRow.self, from: Data(line.utf8))
            for (path, (found, expected)) in zip(row.paths, zip(values(row.row, row.paths), row.values)) {
                let isRight =
                    switch expected {
                    case nil: found == nil
                    case .error: found?.first?.hasPrefix("<") == true
                    case .texts(let texts): found?.map { Array($0.utf8) } == texts.map { Array($0.utf8) }
                    }
                guard isRight else { return XCTFail("\(path) of \(line): \(String(describing: found))") }
            }
        }
    }
}
