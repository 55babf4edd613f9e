import Foundation
import TestSupport
import Tokenization
import XCTest

/// Where a text's pieces come from.
final class TokenizedTextTests: XCTestCase {
    /// What of the text each piece was made from.
    private func parts(_ tokenizer: WordPieceTokenizer, _ text: String) -> [String] {
        let bytes = Array(text.utf8)
        let tokenized = tokenizer.tokenize(text)
        return (0..<tokenized.count).map { String(decoding: bytes[tokenized.bytes(of: $0)], as: UTF8.self) }
    }

    func testAPieceKnowsItsBytesAndItsWord() throws {
        let tokenizer = try TestData.tokenizer(["lan", "##tern", ",", "山", "dusk"])
        XCTAssertEqual(
            tokenizer.tokenize(" Lantern, 山dusk [MASK]x"),
            TokenizedText(
                ids: [5, 6, 7, 8, 9, 4, 1], starts: [1, 4, 8, 10, 13, 18, 24], ends: [4, 8, 9, 13, 17, 24, 25],
                words: [0, 0, 1, 2, 3, 4, 5]))
        XCTAssertEqual(tokenizer.tokenize(""), TokenizedText())
        XCTAssertEqual(tokenizer.tokenize(" \u{200B}\u{301}"), TokenizedText())
    }

    func testAnAccentBelongsToAPieceOnlyBetweenItsCharacters() throws {
        let tokenizer = try TestData.tokenizer(["cafe", "##s"])
        XCTAssertEqual(parts(tokenizer, "cafe\u{301} CAFÉ"), ["cafe", "CAFÉ"])
        XCTAssertEqual(parts(tokenizer, "ca\u{301}fe\u{301}s"), ["ca\u{301}fe", "s"])
    }

    func testTheLettersOfASyllableHaveTheBytesOfTheSyllable() throws {
        let tokenizer = try TestData.tokenizer(["\u{1100}", "##\u{1161}", "##\u{11A8}"])
        XCTAssertEqual(parts(tokenizer, "각가"), ["각가"])
        XCTAssertEqual(parts(tokenizer, "각"), ["각", "각", "각"])
    }

    func testAnUnknownWordIsOnePieceOfAllItsBytes() throws {
        let tokenizer = try TestData.tokenizer(["a", "##a"])
        for word in ["aab", String(repeating: "a", count: 101), String(repeating: "a", count: 150)] {
            XCTAssertEqual(parts(tokenizer, "a \(word).a"), ["a", word, ".", "a"])
        }
    }

    func testIDsAreThoseOfTheFastPath() throws {
        var generator = SeededGenerator(state: 21)
        // The blocks of alphabets, marks, symbols and compatibility characters, and some of Hangul and Chinese.
        let blocks: [ClosedRange<UInt32>] = [
            0...0x33FF, 0x4E00...0x4E20, 0xA480...0xAC40, 0xD7A0...0xD7FF, 0xF8F0...0xFFFF, 0x11000...0x114FF,
            0x1D100...0x1D1FF, 0x1E000...0x1E02F, 0x1E900...0x1E95F, 0x1F300...0x1F320, 0x2F800...0x2F820,
        ]
        let scalars = blocks.joined().compactMap(Unicode.Scalar.init).shuffled(using: &generator)
        let kept = scalars.filter { !$0.properties.isWhitespace && $0.value % 9 > 0 }.map(String.init)
        let vocabulary = try Vocabulary(tokens: TestData.specialTokens + kept + kept.map { "##" + $0 })
        for lowercase in [false, true] {
            let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: lowercase)
            for start in stride(from: 0, to: scalars.count - 8, by: 8) {
                var text = String.UnicodeScalarView(scalars[start..<start + 4])
                text.append(" ")
                text.append(contentsOf: scalars[start + 4..<start + 8])
                let ids = [2] + tokenizer.tokenize(String(text)).ids + [3]
                XCTAssertEqual(
                    ids, tokenizer.encode(String(text)).inputIDs, "\(text.map { String($0.value, radix: 16) })")
            }
        }
    }

    func testAnyBytesAtAllAreTokenized() throws {
        var generator = SeededGenerator(state: 22)
        for lowercase in [false, true] {
            let tokenizer = try TestData.tokenizer(["a", "##a", "[", "é"], lowercase: lowercase)
            for _ in 0..<500 {
                let bytes = (0..<48).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let tokenized = bytes.withUnsafeBytes { tokenizer.tokenize(utf8: $0) }
                XCTAssertEqual([2] + tokenized.ids + [3], tokenizer.encode(utf8: bytes[...]).inputIDs)
                for index in 0..<tokenized.count where tokenizer.token(of: tokenized.ids[index]) == "[" {
                    XCTAssertEqual(Array(bytes[tokenized.bytes(of: index)]), [0x5B])
                }
            }
        }
    }

    func testWordsGivenApartKeepTheirIndexAndHaveOffsetsOfTheirOwn() throws {
        let tokenizer = try TestData.tokenizer(["new", "york", "-", "##s"])
        let words = ["New-Yorks", "", "\u{200B}", " york", "new york"]
        let expected = TokenizedText(
            ids: [5, 7, 6, 8, 6, 5, 6], starts: [0, 3, 4, 8, 1, 0, 4], ends: [3, 4, 8, 9, 5, 3, 8],
            words: [0, 0, 0, 0, 3, 4, 4])
        XCTAssertEqual(tokenizer.tokenize(words: words.map { Array($0.utf8) }), expected)
        XCTAssertEqual(tokenizer.tokenize(words: words.map { Array("x\($0)".utf8).dropFirst() }), expected)
        XCTAssertEqual(tokenizer.tokenize(words: words.map(\.utf8)), expected)
        XCTAssertEqual(tokenizer.tokenize(words: [[UInt8]]()), TokenizedText())
    }

    func testAPieceListBecomesTheSequenceThatItsTextDoes() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain"])
        let (first, second) = (tokenizer.tokenize("rain dusk").ids, tokenizer.tokenize("dusk").ids)
        XCTAssertEqual(tokenizer.sequence(of: first), tokenizer.encode("rain dusk"))
        XCTAssertEqual(tokenizer.sequence(of: first, and: second[...]), tokenizer.encode("rain dusk", pair: "dusk"))
        for isPair in [false, true] {
            let empty = tokenizer.sequence(of: [], and: isPair ? [] : [Int32]?.none)
            XCTAssertEqual(empty.inputIDs.count, tokenizer.numberOfSpecialTokens(isPair: isPair))
        }
    }

    // MARK: Truncation

    func testATextThatIsCutFromItsStartKeepsItsEnd() throws {
        let tokenizer = try TestData.tokenizer(["dusk", "rain", "##s"])
        func ids(_ maxLength: Int?) -> [Int32] {
            tokenizer.encode("dusks rain", maxLength: maxLength, truncationSide: .start).inputIDs
        }
        XCTAssertEqual(ids(nil), [2, 5, 7, 6, 3])
        XCTAssertEqual(ids(5), [2, 5, 7, 6, 3])
        XCTAssertEqual(ids(4), [2, 7, 6, 3])
        XCTAssertEqual(ids(3), [2, 6, 3])
        for maxLength in [Int.min, 0, 2] { XCTAssertEqual(ids(maxLength), [2, 3]) }
    }

    func testAPairKeepsAsManyTokensOfEachTextWhicheverEndIsCut() throws {
        let tokenizer = try TestData.tokenizer((0..<7).flatMap { ["a\($0)", "b\($0)"] })
        for (first, second) in (0..<7).flatMap({ first in (0..<7).map { (first, $0) } }) {
            let texts = [("a", first), ("b", second)].map { name, count in (0..<count).map { "\(name)\($0)" } }
            for maxLength in -1..<18 {
                func kept(_ side: TruncationSide) -> [ArraySlice<String>] {
                    let encoding = tokenizer.encode(
                        texts[0].joined(separator: " "), pair: texts[1].joined(separator: " "), maxLength: maxLength,
                        truncationSide: side)
                    let tokens = tokenizer.tokens(of: encoding.inputIDs)
                    return tokens.dropFirst().split(separator: "[SEP]", omittingEmptySubsequences: false)
                }
                let counts = kept(.end).map(\.count)
                XCTAssertEqual(kept(.start), [texts[0].suffix(counts[0]), texts[1].suffix(counts[1]), []])
            }
        }
    }

    // MARK: Scalars

    func testOffsetsInBytesAndInScalarsAreEachOthers() throws {
        let text = Array("aé山\u{1F300}e\u{301}".utf8)
        text.withUnsafeBytes { text in
            XCTAssertEqual(ScalarOffsets.scalarOffsets(ofBytes: [0, 1, 3, 6, 10, 11, 13], in: text), Array(0...6))
            XCTAssertEqual(ScalarOffsets.byteOffsets(ofScalars: Array(0...6), in: text), [0, 1, 3, 6, 10, 11, 13])
            let unsorted = [10, 0, 13, 3, 3, 99, -1]
            XCTAssertEqual(ScalarOffsets.scalarOffsets(ofBytes: unsorted, in: text), [4, 0, 6, 2, 2, 6, 0])
            XCTAssertEqual(ScalarOffsets.byteOffsets(ofScalars: [6, 7, 2, -1, 0], in: text), [13, nil, 3, nil, 0])
        }
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        XCTAssertEqual(ScalarOffsets.scalarOffsets(ofBytes: [0, 1], in: empty), [0, 0])
        XCTAssertEqual(ScalarOffsets.byteOffsets(ofScalars: [0, 1], in: empty), [0, nil])
    }

    func testBytesThatAreNotUTF8CountAsTheReplacementCharactersOfAString() throws {
        var generator = SeededGenerator(state: 23)
        let parts: [[UInt8]] = [
            [0x61], [0xC3, 0xA9], [0x80], [0xC0], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90], [0xF0, 0x9F, 0x8C],
            [0xFF], [0xE0, 0x80],
        ]
        for _ in 0..<2_000 {
            let bytes = (0..<8).flatMap { _ in parts.randomElement(using: &generator) ?? [] }
            let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
            bytes.withUnsafeBytes { text in
                XCTAssertEqual(
                    ScalarOffsets.scalarOffsets(ofBytes: [bytes.count], in: text), [scalars.count], "\(bytes)")
                XCTAssertEqual(ScalarOffsets.byteOffsets(ofScalars: [scalars.count], in: text), [bytes.count])
                let index = bytes.firstIndex(of: 0x61) ?? 0
                let before = String(decoding: bytes[..<index], as: UTF8.self).unicodeScalars.count
                XCTAssertEqual(ScalarOffsets.scalarOffsets(ofBytes: [index], in: text), [before])
            }
        }
    }
}
