import Foundation
import XCTest

@testable import Files
@testable import Tasks

/// Sentences with a word a line.
final class CoNLLRowsTests: DirectoryTestCase {
    /// The sentences of a file: the line that each begins on, and the values of the columns.
    private func sentences(
        _ text: String, _ positions: [Int] = [0, 1], separator: UInt8? = nil
    ) throws -> [Sentence] {
        try Array(text.utf8).withUnsafeBytes { bytes in
            let separator = separator ?? CoNLLRows.separator(of: bytes, from: 0)
            let reader = CoNLLRows(separator: separator, positions: positions)
            var rows = reader.rows(of: bytes, from: 0, line: 1)
            var (sentences, found) = ([Sentence](), 0)
            while let row = try rows.next() {
                let values = try reader.values(in: row, of: bytes, found: &found).map { value in
                    try XCTUnwrap(value).withBytes(of: bytes) { $0.map { String(decoding: $0, as: UTF8.self) } }
                }
                sentences.append(Sentence(line: row.line, columns: values))
            }
            return sentences
        }
    }

    private struct Sentence: Equatable {
        var line: Int
        var columns: [[String]]
    }

    private let two = [
        Sentence(line: 1, columns: [["A", "cat"], ["O", "B-pet"]]), Sentence(line: 4, columns: [["Sleep"], ["O"]]),
    ]

    func testABlankLineEndsASentence() throws {
        for end in ["\n", "\r\n", "\r"] {
            for blank in ["", " ", "\t", " \t "] {
                for last in ["", end, end + end, end + blank + end + blank] {
                    let text = ["A\tO", "cat\tB-pet", blank, "Sleep\tO"].joined(separator: end) + last
                    XCTAssertEqual(try sentences(text), two, "\(end.debugDescription) \(blank.debugDescription)")
                }
            }
        }
        XCTAssertEqual(try sentences("\n\n\nA O\n\n \n\t\n\nB O\n").map(\.line), [4, 9])
        XCTAssertEqual(try sentences("\n \n"), [])
        XCTAssertEqual(try sentences(""), [])
    }

    func testTheFirstWordSaysWhetherTabsSeparate() throws {
        XCTAssertEqual(
            try sentences("\nNew York\tB-loc\nof  late\tO\n").map(\.columns), [[["New York", "of  late"], ["B-loc", "O"]]])
        XCTAssertEqual(
            try sentences("A   x  O\n cat y O \n", [0, 2]).map(\.columns), [[["A", "cat"], ["O", "O"]]])
        XCTAssertEqual(try sentences("A|x y\n", separator: UInt8(ascii: "|")).map(\.columns), [[["A"], ["x y"]]])
        XCTAssertEqual(try sentences("A\tb  c\n", separator: 0x20).map(\.columns), [[["A"], ["b"]]])
        XCTAssertEqual(try sentences("A  \t O\n").map(\.columns), [[["A"], ["O"]]], "blanks around a column are not of it")
    }

    /// CoNLL-2003 has four columns, and a line of its own between documents.
    func testLinesBetweenDocumentsAreNoSentences() throws {
        let text = """
            -DOCSTART- -X- -X- O

            The DT B-NP O
            cat NN I-NP B-PET

            -DOCSTART- -X- -X- O

            Sleep NN B-NP O
            -DOCSTART- -X- -X- O
            -DOCSTART-ed NN B-NP O

            """
        let expected = [
            Sentence(line: 3, columns: [["The", "cat"], ["O", "B-PET"]]), Sentence(line: 8, columns: [["Sleep"], ["O"]]),
            Sentence(line: 10, columns: [["-DOCSTART-ed"], ["O"]]),
        ]
        XCTAssertEqual(try sentences(text, [0, 3]), expected)
        XCTAssertEqual(try sentences(text, [0, -1]), expected)
        XCTAssertEqual(try sentences(text.replacingOccurrences(of: " ", with: "\t"), [0, -1]), expected)
        XCTAssertEqual(try sentences("-DOCSTART-\n\nA\tO\n").count, 1, "the mark says nothing of separators")
    }

    func testANumberSignIsAWord() throws {
        XCTAssertEqual(try sentences("#\tO\n# 1\tB-x\n").map(\.columns), [[["#", "# 1"], ["O", "B-x"]]])
    }

    // MARK: Files

    private func task(_ file: String, _ more: String = "", text: String = "0", label: String = "1") throws -> TaskDefinition {
        try write(
            "tasks:\n  - name: own\n    type: multilabel\n    train: \(file)\n    text: \(text)\n    label: \(label)\n"
                + more.split(separator: "\n").map { "    \($0)\n" }.joined(), to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path])
        return try catalogue.task(named: "own")
    }

    func testATaskFileNamesColumnsByTheirNumbers() throws {
        try write("\u{FEFF}A x O\ncat y B-pet\n", to: "a.bio")
        XCTAssertEqual(try task("a.bio", label: "2").kind.labels, ["B-pet", "O"])
        XCTAssertEqual(try task("a.bio", label: "-1").kind.labels, ["B-pet", "O"])
        XCTAssertEqual(try task("a.bio", label: "-2").kind.labels, ["x", "y"])
        try write("A;x;O\n", to: "a.txt")
        XCTAssertEqual(try task("a.txt", "format: conll\nseparator: \";\"", label: "2").kind.labels, ["O"])
    }

    func testEndingsSayTheFormat() {
        for ending in ["conll", "bio", "iob", "iob2", "conll.gz"] {
            XCTAssertEqual(FileFormat(path: "/a/b.\(ending)")?.name, .conll, ending)
        }
    }

    func testALineWithTooFewColumnsIsNamed() throws {
        try write("A x O\n\nThe x O\ncat B-pet\n", to: "a.conll")
        XCTAssertEqual(
            message { try task("a.conll", label: "2") },
            "<data>/a.conll:4: the line \"cat B-pet\" has 2 space-separated columns, and 3 are wanted: a line has a word "
                + "and its labels, and a blank line ends a sentence.")
        try write("A\tO\n\nThe\tO\ncat B-pet\n", to: "a.conll")
        XCTAssertEqual(
            message { try task("a.conll", label: "-1") },
            "<data>/a.conll:4: the line \"cat B-pet\" has 1 tab-separated column, and 2 are wanted: a line has a word "
                + "and its labels, and a blank line ends a sentence.")
        try write("A\tO\ncat\t\n", to: "a.conll")
        XCTAssertEqual(message { try task("a.conll") }, "<data>/a.conll:2: the line \"cat\\t\" has nothing in column 2.")
        XCTAssertEqual(
            message { try task("a.conll", label: "-1") },
            "<data>/a.conll:2: the line \"cat\\t\" has nothing in column 1 from the end.")
    }

    func testInvalidUTF8IsNamedByItsLine() throws {
        try write(Array("A\tO\ncat\tO\nun caf".utf8) + [0xE9] + Array("\tO\n".utf8), to: "a.conll")
        let task = try task("a.conll", "labels: [O]")
        XCTAssertEqual(
            message { try task.examples(in: task.train, dataDirectory: nil) },
            "<data>/a.conll:3: the line is not valid UTF-8 at its byte 7, 0xE9: convert the file to UTF-8.")
    }

    func testAFileWithoutAWordHoldsNoExamples() throws {
        try write("-DOCSTART- -X- O\n\n", to: "a.conll")
        let task = try task("a.conll", "labels: [O]")
        XCTAssertEqual(
            message { try task.examples(in: task.train, dataDirectory: nil) }, "<data>/a.conll: the file holds no examples.")
    }

    func testColumnsThatTheFormatDoesNotHaveAreRefused() throws {
        try write("A O\n", to: "a.conll")
        try write("text,label\na,b\n", to: "a.csv")
        XCTAssertEqual(
            message { try task("a.conll", "header: true", text: "word", label: "tag") },
            "<data>/tasks.yaml:6: columns of conll are named by their numbers\n"
                + "<data>/tasks.yaml:7: \"header\" is for csv and tsv")
        XCTAssertEqual(
            message { try task("a.csv", label: "-1") },
            "<data>/tasks.yaml:6: columns are counted from the end, from -1, in conll alone")
    }

    // MARK: Real data

    func testWNUT17HasTheSentencesThatItsSourceSays() throws {
        for (name, count) in [("train", 3_394), ("dev", 1_009), ("test", 1_287)] {
            let url = try TestData.sharedFile("data/extra/WNUT17/\(name).conll")
            let text = try String(contentsOf: url, encoding: .utf8)
            let found = try sentences(text)
            XCTAssertEqual(found.count, count, name)
            let words = text.split(separator: "\n").count { $0.contains { $0 != "\t" } }
            XCTAssertEqual(found.reduce(0) { $0 + $1.columns[0].count }, words, name)
            XCTAssertTrue(found.allSatisfy { $0.columns[0].count == $0.columns[1].count }, name)
            XCTAssertTrue(
                found.allSatisfy { $0.columns[1].allSatisfy { $0 == "O" || $0.hasPrefix("B-") || $0.hasPrefix("I-") } }, name)
        }
    }
}
