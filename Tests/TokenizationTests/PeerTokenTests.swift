import Foundation
import TestSupport
import Tokenization
import XCTest

/// What the packages make of texts: `token_cases.py` runs once for all of these tests.
final class PeerTokenTests: DirectoryTestCase {
    private struct Case: Decodable, Sendable {
        var folder: String
        var texts: [String]
        var text_rows: [Row]
        var words: [[String]]
        var word_rows: [Row]
        var cut: [Cut]
    }

    /// The tokens between `[CLS]` and `[SEP]`.
    private struct Row: Decodable, Equatable, Sendable {
        var ids: [Int32]
        /// Start, end, start, end, ...: in scalars.
        var offsets: [Int]
        var words: [Int32]
    }

    private struct Cut: Decodable, Sendable {
        var first: String
        var second: String?
        var length: Int
        var side: String
        var ids: [Int32]
    }

    private static let peerFolder = FileManager.default.temporaryDirectory
        .appendingPathComponent("token-cases-\(UUID().uuidString)")

    private static let cases = Result {
        try FileManager.default.createDirectory(at: peerFolder, withIntermediateDirectories: true)
        try PeerPython.run(file: "token_cases.py", [peerFolder.path])
        return try JSONDecoder().decode(
            [Case].self, from: Data(contentsOf: peerFolder.appendingPathComponent("cases.json")))
    }

    override class func tearDown() {
        try? FileManager.default.removeItem(at: peerFolder)
    }

    private func forEachCase(_ body: (Case, WordPieceTokenizer) throws -> Void) throws {
        for row in try Self.cases.get() {
            try body(row, WordPieceTokenizer(folder: Self.peerFolder.appendingPathComponent(row.folder)))
        }
    }

    /// As the packages count: in scalars, of which no piece takes a part.
    private func row(_ tokenized: TokenizedText, _ texts: [String], wordOf: (Int32) -> Int) -> Row {
        var offsets: [Int] = []
        for (index, word) in tokenized.words.enumerated() {
            let bytes = [Int(tokenized.starts[index]), Int(tokenized.ends[index])]
            Array(texts[wordOf(word)].utf8).withUnsafeBytes { text in
                let scalars = ScalarOffsets.scalarOffsets(ofBytes: bytes, in: text)
                XCTAssertEqual(ScalarOffsets.byteOffsets(ofScalars: scalars, in: text), bytes)
                offsets += scalars
            }
        }
        return Row(ids: tokenized.ids, offsets: offsets, words: tokenized.words)
    }

    func testAddedTokensAreFoundAsThePackagesFindThemAndAlsoAfterSaving() throws {
        var withOwn = 0
        try forEachCase { row, tokenizer in
            try tokenizer.writeConfiguration(to: directory)
            let saved = try WordPieceTokenizer(folder: directory)
            XCTAssertEqual(saved.addedTokens, tokenizer.addedTokens, row.folder)
            XCTAssertEqual(saved.tokenCount, tokenizer.tokenCount, row.folder)
            withOwn += tokenizer.addedTokens.isEmpty ? 0 : 1
            for (text, expected) in zip(row.texts, row.text_rows) {
                let ids = [2] + expected.ids + [3]
                let found = tokenizer.encode(text).inputIDs
                XCTAssertEqual(found, ids, "\(row.folder) \(text.debugDescription) \(tokenizer.addedTokens)")
                XCTAssertEqual(saved.encode(text).inputIDs, ids, "\(row.folder), saved: \(text.debugDescription)")
                XCTAssertEqual(tokenizer.encode(text, maxLength: 5).inputIDs.count, min(5, ids.count))
            }
        }
        XCTAssertGreaterThan(withOwn, 60)
    }

    func testPiecesComeFromWhereThePackagesSayTheyDo() throws {
        var count = 0
        try forEachCase { row, tokenizer in
            for (text, expected) in zip(row.texts, row.text_rows) {
                let found = self.row(tokenizer.tokenize(text), [text]) { _ in 0 }
                XCTAssertEqual(
                    found, expected,
                    "\(row.folder) \(text.unicodeScalars.map { String($0.value, radix: 16) }) \(tokenizer.addedTokens)")
                count += 1
            }
        }
        XCTAssertGreaterThan(count, 5_000)
    }

    func testWordsGivenApartAreCutAsThePackagesCutThem() throws {
        try forEachCase { row, tokenizer in
            for (words, expected) in zip(row.words, row.word_rows) {
                let found = self.row(tokenizer.tokenize(words: words.map(\.utf8)), words) { Int($0) }
                XCTAssertEqual(
                    found, expected, "\(row.folder) \(words.map(\.debugDescription)) \(tokenizer.addedTokens)")
            }
        }
    }

    func testBothEndsAreCutAsThePackagesCutThem() throws {
        var sides: Set<String> = []
        try forEachCase { row, tokenizer in
            for cut in row.cut {
                sides.insert(cut.side)
                let found = tokenizer.encode(
                    cut.first, pair: cut.second, maxLength: cut.length,
                    truncationSide: cut.side == "left" ? .start : .end)
                XCTAssertEqual(found.inputIDs, cut.ids, "\(cut)")
            }
        }
        XCTAssertEqual(sides, ["left", "right"])
    }
}
