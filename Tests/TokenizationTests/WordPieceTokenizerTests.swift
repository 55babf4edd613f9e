import Foundation
import Tokenization
import XCTest

final class WordPieceTokenizerTests: XCTestCase {
    // MARK: Words and pieces

    func testCutsAWordIntoTheLongestPiecesFromItsStart() throws {
        let tokenizer = try TestData.tokenizer(["lan", "lantern", "##ter", "##tern", "##n", "##s"])
        XCTAssertEqual(tokenizer.words("lanterns"), ["lantern", "##s"])
        XCTAssertEqual(tokenizer.words("lanter"), ["lan", "##ter"])
    }

    func testAWordWithAPartThatIsNoPieceIsUnknownAsAWhole() throws {
        let tokenizer = try TestData.tokenizer(["lan", "##ter", "glow"])
        XCTAssertEqual(tokenizer.words("lanterx glow xlan"), ["[UNK]", "glow", "[UNK]"])
    }

    func testAPieceThatContinuesAWordDoesNotStartOne() throws {
        let tokenizer = try TestData.tokenizer(["##ter", "lan"])
        XCTAssertEqual(tokenizer.words("ter"), ["[UNK]"])
        XCTAssertEqual(tokenizer.words("lanlan"), ["[UNK]"])
    }

    func testAWordOfMoreThanAHundredCharactersIsUnknown() throws {
        let tokenizer = try TestData.tokenizer(["é", "##é", "e", "##e"], lowercase: false)
        XCTAssertEqual(tokenizer.words(String(repeating: "é", count: 100)).count, 100)
        XCTAssertEqual(tokenizer.words(String(repeating: "é", count: 101)), ["[UNK]"])
    }

    func testAHundredCharactersAreCountedAfterNormalisation() throws {
        let tokenizer = try TestData.tokenizer(["e", "##e"])
        XCTAssertEqual(tokenizer.words(String(repeating: "e\u{301}", count: 100)).count, 100)
        XCTAssertEqual(tokenizer.words(String(repeating: "e\u{301}", count: 101)), ["[UNK]"])
    }

    func testPunctuationIsAWordOfItsOwn() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain", ",", "$", "…", "-"])
        XCTAssertEqual(tokenizer.words("dusk,rain$-…rain"), ["dusk", ",", "rain", "$", "-", "…", "rain"])
    }

    func testChineseCharactersAreWordsOfTheirOwn() throws {
        let tokenizer = try TestData.tokenizer(["山", "水", "dusk"])
        XCTAssertEqual(tokenizer.words("dusk山水dusk"), ["dusk", "山", "水", "dusk"])
    }

    // MARK: Normalisation

    func testWhiteSpaceOfAnyKindSeparatesWords() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain"])
        for space in [" ", "\t", "\n", "\r\n", "\u{A0}", "\u{2003}", "\u{2028}", "\u{3000}"] {
            let text = "\(space)dusk\(space)rain\(space)"
            XCTAssertEqual(tokenizer.words(text), ["dusk", "rain"], space.debugDescription)
        }
    }

    func testControlFormatAndReplacementCharactersAreDropped() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain"])
        for character in ["\0", "\u{B}", "\u{7F}", "\u{85}", "\u{AD}", "\u{200B}", "\u{E000}", "\u{FFFD}"] {
            XCTAssertEqual(tokenizer.words("du\(character)sk rain"), ["dusk", "rain"], character.debugDescription)
        }
    }

    func testUncasedTextLosesCaseAndAccents() throws {
        let tokenizer = try TestData.tokenizer(["cafe", "i", "##n", "ω", "ß"])
        XCTAssertEqual(tokenizer.words("CAFÉ cafe\u{301} Ìn Ω \u{1E9E}"), ["cafe", "cafe", "i", "##n", "ω", "ß"])
    }

    func testCasedTextKeepsCaseAndAccents() throws {
        let tokenizer = try TestData.tokenizer(["Café", "cafe", "##\u{301}"], lowercase: false)
        XCTAssertEqual(tokenizer.words("Café cafe\u{301} cafe CAFE"), ["Café", "cafe", "##\u{301}", "cafe", "[UNK]"])
    }

    func testUncasedHangulIsTakenApartIntoItsLetters() throws {
        let tokenizer = try TestData.tokenizer(["\u{1100}", "##\u{1161}", "##\u{11A8}"])
        XCTAssertEqual(tokenizer.words("가 각"), ["\u{1100}", "##\u{1161}", "\u{1100}", "##\u{1161}", "##\u{11A8}"])
    }

    func testMarksThatStrippingLeavesComeInCanonicalOrder() throws {
        // U+302E (Mc) is of combining class 224, U+1B44 (Mc) of class 9, U+0301 (Mn, 230) is stripped.
        let tokenizer = try TestData.tokenizer(["x", "##\u{302E}", "##\u{1B44}"])
        let ordered = ["x", "##\u{1B44}", "##\u{302E}"]
        XCTAssertEqual(tokenizer.words("x\u{302E}\u{301}\u{1B44}"), ordered)
        XCTAssertEqual(tokenizer.words("x\u{1B44}\u{302E}"), ordered)
        // U+034F (Mn) is stripped too, but being of class 0 it keeps the marks around it in their places.
        XCTAssertEqual(tokenizer.words("x\u{302E}\u{34F}\u{1B44}"), ["x", "##\u{302E}", "##\u{1B44}"])
    }

    // MARK: Special tokens

    func testNamesOfSpecialTokensInATextStandForThem() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "[", "]", "mask"])
        XCTAssertEqual(
            tokenizer.words("dusk[MASK]dusk [SEP][PAD]"), ["dusk", "[MASK]", "dusk", "[SEP]", "[PAD]"])
        XCTAssertEqual(tokenizer.words("[mask] [[UNK]"), ["[", "mask", "]", "[", "[UNK]"])
    }

    func testOtherTokensInBracketsAreOrdinaryText() throws {
        let tokenizer = try TestData.tokenizer(["[dusk]", "dusk", "[", "]"])
        XCTAssertEqual(tokenizer.words("[dusk] [dusk"), ["[", "dusk", "]", "[", "dusk"])
    }

    func testTheMaskIsOptionalButTheOthersAreNot() throws {
        let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[", "]"]
        let tokenizer = try WordPieceTokenizer(vocabulary: Vocabulary(tokens: tokens), lowercase: true)
        XCTAssertEqual(tokenizer.words("[MASK]"), ["[", "[UNK]", "]"])
        let vocabulary = try Vocabulary(tokens: ["[PAD]", "[CLS]", "dusk"])
        XCTAssertThrowsError(try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true)) { error in
            XCTAssertEqual(error as? TokenizationError, .missingSpecialTokens(["[UNK]", "[SEP]"]))
        }
    }

    // MARK: Encodings

    func testATextIsBetweenClassificationAndSeparator() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain"])
        XCTAssertEqual(
            tokenizer.encode("rain dusk"), Encoding(inputIDs: [2, 6, 5, 3], tokenTypeIDs: [0, 0, 0, 0]))
        XCTAssertEqual(tokenizer.encode(""), Encoding(inputIDs: [2, 3], tokenTypeIDs: [0, 0]))
        XCTAssertEqual(tokenizer.paddingID, 0)
    }

    func testThePairsSecondTextIsOfType1WithItsSeparator() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain"])
        XCTAssertEqual(
            tokenizer.encode("rain", pair: "dusk rain"),
            Encoding(inputIDs: [2, 6, 3, 5, 6, 3], tokenTypeIDs: [0, 0, 0, 1, 1, 1]))
        XCTAssertEqual(
            tokenizer.encode("rain", pair: ""), Encoding(inputIDs: [2, 6, 3, 3], tokenTypeIDs: [0, 0, 0, 1]))
    }

    func testALongTextLosesItsEnd() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain", "##s"])
        XCTAssertEqual(tokenizer.encode("dusks rain", maxLength: 4).inputIDs, [2, 5, 7, 3])
        XCTAssertEqual(tokenizer.encode("dusks rain", maxLength: 3).inputIDs, [2, 5, 3])
        XCTAssertEqual(tokenizer.encode("duskx rain", maxLength: 3).inputIDs, [2, 1, 3])
    }

    func testAPairIsCutOneTokenAtATimeFromTheLongerTextAndOnATieFromTheSecond() throws {
        let tokenizer = try TestData.tokenizer(["dusk"])
        for first in 0..<7 {
            for second in 0..<7 {
                for maxLength in -1..<18 {
                    var (left, right) = (first, second)
                    while left + right + 3 > maxLength, left + right > 0 {
                        if left > right { left -= 1 } else { right -= 1 }
                    }
                    let encoding = tokenizer.encode(
                        String(repeating: "dusk ", count: first), pair: String(repeating: "dusk ", count: second),
                        maxLength: maxLength)
                    let words = [left, right].map { Array(repeating: Int32(5), count: $0) }
                    let expected = Encoding(
                        inputIDs: [2] + words[0] + [3] + words[1] + [3],
                        tokenTypeIDs: Array(repeating: 0, count: left + 2) + Array(repeating: 1, count: right + 1))
                    XCTAssertEqual(encoding, expected, "\(first) \(second) \(maxLength)")
                }
            }
        }
    }

    func testSpecialTokensRemainHoweverShortTheLimit() throws {
        let tokenizer = try TestData.tokenizer(["dusk"])
        for maxLength in [Int.min, -1, 0, 1, 2] {
            XCTAssertEqual(tokenizer.encode("dusk", maxLength: maxLength).inputIDs, [2, 3])
            XCTAssertEqual(tokenizer.encode("dusk", pair: "dusk", maxLength: maxLength).inputIDs, [2, 3, 3])
        }
        XCTAssertEqual(tokenizer.encode("dusk", maxLength: .max).inputIDs, [2, 5, 3])
    }

    func testTheTokensOfIDsOutsideTheVocabularyAreUnknown() throws {
        let tokenizer = try TestData.tokenizer(["dusk"])
        XCTAssertEqual(tokenizer.tokens(of: [5, 6, -1, .max, 4]), ["dusk", "[UNK]", "[UNK]", "[UNK]", "[MASK]"])
    }

    // MARK: Bytes

    func testBytesAndStringsAreEncodedAlike() throws {
        let tokenizer = try TestData.tokenizer(["café", "cafe", "rain"], lowercase: false)
        let (text, pair) = (Array("xxcafé rain".utf8), Array("cafe, rain".utf8))
        XCTAssertEqual(
            tokenizer.encode(utf8: text[2...], pair: pair[...], maxLength: 6),
            tokenizer.encode("café rain", pair: "cafe, rain", maxLength: 6))
    }

    func testBytesThatAreNotUTF8AreReadAsReplacementCharactersWhichAreDropped() throws {
        let letters = "abcé가山\u{1F300}".unicodeScalars.map(String.init)
        let tokenizer = try TestData.tokenizer(letters + letters.map { "##" + $0 }, lowercase: false)
        var generator = SeededGenerator(state: 11)
        let parts = letters.map { Array($0.utf8) } + [[0x80], [0xC0], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4], [0xFF]]
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0..<12, using: &generator)).flatMap { _ in
                Array(parts.randomElement(using: &generator)?.prefix(Int.random(in: 1...4, using: &generator)) ?? [])
            }
            let repaired = String(decoding: bytes, as: UTF8.self)
            XCTAssertEqual(tokenizer.encode(utf8: bytes[...]), tokenizer.encode(repaired), "\(bytes)")
        }
    }

    func testAnyBytesAtAllAreEncoded() throws {
        var generator = SeededGenerator(state: 12)
        for lowercase in [false, true] {
            let tokenizer = try TestData.tokenizer(["a", "##a", "[", "é"], lowercase: lowercase)
            for _ in 0..<2_000 {
                let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
                XCTAssertEqual(
                    tokenizer.encode(utf8: bytes[...]), tokenizer.encode(String(decoding: bytes, as: UTF8.self)))
            }
        }
    }
}
