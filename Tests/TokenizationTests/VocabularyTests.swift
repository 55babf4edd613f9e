import Foundation
import Tokenization
import XCTest

final class VocabularyTests: DirectoryTestCase {
    func testIDsAreLineNumbersFromZero() throws {
        let vocabulary = try Vocabulary(contentsOf: write("dusk\n##s\nrain\n".utf8, to: "vocab.txt"))
        XCTAssertEqual(vocabulary.count, 3)
        XCTAssertEqual(["dusk", "##s", "rain", "dus", ""].map(vocabulary.id(of:)), [0, 1, 2, nil, nil])
        XCTAssertEqual([0, 1, 2, 3, -1].map(vocabulary.token(of:)), ["dusk", "##s", "rain", nil, nil])
    }

    func testTheLastLineNeedsNoLineFeed() throws {
        let vocabulary = try Vocabulary(contentsOf: write("dusk\nrain".utf8, to: "vocab.txt"))
        XCTAssertEqual(vocabulary.count, 2)
        XCTAssertEqual(vocabulary.id(of: "rain"), 1)
    }

    func testWhiteSpaceAtTheEndOfALineIsNoPartOfTheToken() throws {
        let vocabulary = try Vocabulary(contentsOf: write("dusk\r\nrain \u{3000}\r\n a\r\n".utf8, to: "vocab.txt"))
        XCTAssertEqual(vocabulary.count, 3)
        XCTAssertEqual(["dusk", "rain", " a"].map(vocabulary.id(of:)), [0, 1, 2])
        XCTAssertEqual(vocabulary.token(of: 1), "rain")
    }

    func testAByteOrderMarkIsNoPartOfTheFirstToken() throws {
        let vocabulary = try Vocabulary(contentsOf: write("\u{FEFF}dusk\r\nrain\r\n".utf8, to: "vocab.txt"))
        XCTAssertEqual(["dusk", "rain"].map(vocabulary.id(of:)), [0, 1])
        XCTAssertEqual(vocabulary.fileContents, Array("dusk\r\nrain\r\n".utf8))
    }

    func testBlankLinesTakeIDsAndTheLastOfEqualTokensCounts() throws {
        let vocabulary = try Vocabulary(contentsOf: write("dusk\n\nrain\ndusk\n\n".utf8, to: "vocab.txt"))
        XCTAssertEqual(vocabulary.count, 5)
        XCTAssertEqual(vocabulary.id(of: "dusk"), 3)
        XCTAssertEqual(vocabulary.id(of: "rain"), 2)
        XCTAssertEqual(vocabulary.token(of: 0), "dusk")
        XCTAssertEqual(vocabulary.token(of: 1), "")
    }

    func testTheFileComesOutByteForByte() throws {
        let bytes = Array("dusk \r\n\nrain".utf8)
        XCTAssertEqual(try Vocabulary(contentsOf: write(bytes, to: "vocab.txt")).fileContents, bytes)
        XCTAssertEqual(try Vocabulary(tokens: ["dusk", "", "rain"]).fileContents, Array("dusk\n\nrain\n".utf8))
    }

    func testVocabulariesAreEqualWhenTheirTokensAre() throws {
        let windows = try Vocabulary(contentsOf: write("dusk\r\nrain\r\n".utf8, to: "vocab.txt"))
        XCTAssertEqual(windows, try Vocabulary(tokens: ["dusk", "rain"]))
        XCTAssertNotEqual(windows, try Vocabulary(tokens: ["rain", "dusk"]))
        XCTAssertNotEqual(windows, try Vocabulary(tokens: ["dusk", "rain", "x"]))
    }

    func testErrorsNameTheFileAndTheLine() throws {
        let missing = directory.appendingPathComponent("none.txt")
        XCTAssertThrowsError(try Vocabulary(contentsOf: missing)) { error in
            XCTAssertTrue("\(error)".contains(missing.path), "\(error)")
        }
        let empty = try write([], to: "empty.txt")
        XCTAssertThrowsError(try Vocabulary(contentsOf: empty)) { error in
            XCTAssertEqual(error as? TokenizationError, .emptyVocabulary(path: empty.path))
        }
        let binary = try write([0x61, 0x0A, 0x62, 0x0A, 0x63, 0xFF, 0x0A], to: "binary.txt")
        XCTAssertThrowsError(try Vocabulary(contentsOf: binary)) { error in
            XCTAssertEqual(error as? TokenizationError, .notUTF8(path: binary.path, line: 3))
        }
        XCTAssertThrowsError(try Vocabulary(tokens: [])) { error in
            XCTAssertEqual(error as? TokenizationError, .emptyVocabulary(path: "the list of tokens"))
        }
        for token in ["a\nb", "a ", "\n"] {
            XCTAssertThrowsError(try Vocabulary(tokens: ["x", token])) { error in
                XCTAssertEqual(error as? TokenizationError, .invalidToken(token, id: 1))
            }
        }
    }

    func testEveryTokenIsFoundAndNothingElse() throws {
        var generator = SeededGenerator(state: 3)
        var tokens: [String] = []
        var ids: [String: Int32] = [:]
        let letters = ["a", "b", "\0", "é", "山", "\u{1F300}", "\u{10FFFF}"]
        while tokens.count < 4_000 {
            let count = Int.random(in: 1...7, using: &generator)
            let token = (0..<count).compactMap { _ in letters.randomElement(using: &generator) }.joined()
            ids[token] = Int32(tokens.count)
            tokens.append(token)
        }
        let absent = Set(tokens.flatMap { [$0 + "a", String($0.dropLast()), "é" + $0] }).subtracting(tokens)
        let vocabulary = try Vocabulary(tokens: tokens)
        for (token, id) in ids { XCTAssertEqual(vocabulary.id(of: token), id, token) }
        for token in absent { XCTAssertNil(vocabulary.id(of: token), token) }
    }
}
