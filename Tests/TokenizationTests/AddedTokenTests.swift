import Foundation
import TestSupport
import Tokenization
import XCTest

/// Tokens that somebody added to a tokenizer.
final class AddedTokenTests: DirectoryTestCase {
    func testTransformersFindsThemInWhatIsSaved() throws {
        let vocabulary = try Vocabulary(tokens: TestData.specialTokens + ["dusk", "ent", "[", "]", "<", ">"])
        let tokens = [
            AddedToken(content: "[ENT]", id: 11, isNormalized: false, isSpecial: true),
            AddedToken(content: "Glow", id: 12, isSingleWord: true, isNormalized: true, isSpecial: false),
        ]
        let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true, addedTokens: tokens)
        try tokenizer.writeConfiguration(to: directory)
        let texts = ["dusk [ENT]dusk [ent] glow GLOW glows", "[MASK] <glow>"]
        let script = """
            import json, sys
            from transformers import AutoTokenizer
            tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
            print(json.dumps([tokenizer(text)["input_ids"] for text in json.loads(sys.argv[2])]))
            """
        let listed = String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
        let ids = try JSONDecoder().decode(
            [[Int32]].self, from: Data(PeerPython.run(script, [directory.path, listed]).utf8))
        XCTAssertEqual(texts.map { tokenizer.encode($0).inputIDs }, ids)
        XCTAssertEqual(tokenizer.tokens(of: [11, 12, 13]), ["[ENT]", "Glow", "[UNK]"])
    }

    func testTokensThatCannotBeHonouredAreRefusedByName() throws {
        let list = (TestData.specialTokens + ["dusk"]).joined(separator: "\n").utf8
        let plain = #"{"content": "[ENT]", "normalized": false, "special": true}"#
        let cases: [([String: String], [String])] = [
            (["added_tokens": #"{"[ENT]": 7}"#], ["\"[ENT]\"", "its id is 7, and 6"]),
            (["added_tokens": #"{"[ENT]": 6, "<url>": 6}"#], ["its id is 6, and 7"]),
            (["added_tokens": #"{"dusk": 6}"#], ["\"dusk\"", "its id is 6, and 5"]),
            (["added_tokens": #"{"[ENT]": "6"}"#], ["added_tokens.json", "\"[ENT]\" has the id \"6\""]),
            (["added_tokens": #"{"[ENT]": 1e99}"#], ["added_tokens.json", "\"[ENT]\" has the id 1e99"]),
            (["added_tokens": #"{"[ENT]": 9223372036854775807}"#], ["\"[ENT]\"", "its id is 9223372036854775807"]),
            (
                ["tokenizer_config": "{\"added_tokens_decoder\": {\"9223372036854775807\": \(plain)}}"],
                ["\"[ENT]\"", "its id is 9223372036854775807"]
            ),
            (["added_tokens": #"{"": 6}"#], ["1 to 1000 bytes"]),
            (["added_tokens": #"{"\u0301": 6}"#], ["nothing is left of it"]),
            (["added_tokens": "[]"], ["added_tokens.json", "not a JSON object"]),
            (
                ["added_tokens": #"{"<url>": 6}"#, "tokenizer_config": "{\"added_tokens_decoder\": {\"6\": \(plain)}}"],
                ["\"<url>\"", "added_tokens.json has it with another id"]
            ),
            (["tokenizer_config": #"{"added_tokens_decoder": {"6": {"special": true}}}"#], ["tokenizer_config.json"]),
            (["tokenizer_config": "{\"added_tokens_decoder\": {\"six\": \(plain)}}"], ["\"six\", no id"]),
            (["tokenizer_config": "{\"added_tokens_decoder\": {\"0\": \(plain)}}"], ["its id is 0, and 6"]),
            (["tokenizer_config": #"{"extra_special_tokens": "<url>"}"#], ["extra_special_tokens", "a list of tokens"]),
            (["special_tokens_map": #"{"cls_token": "<s>"}"#], ["special_tokens_map.json", "cls_token is \"<s>\""]),
        ]
        for (files, parts) in cases {
            try write(list, to: "vocab.txt")
            for (name, content) in files { try write(content.utf8, to: "\(name).json") }
            XCTAssertThrowsError(try WordPieceTokenizer(folder: directory), "\(files)") { error in
                for part in parts { XCTAssert("\(error)".contains(part), "\(error) lacks \(part)") }
            }
            for name in files.keys {
                try FileManager.default.removeItem(at: directory.appendingPathComponent("\(name).json"))
            }
        }
    }

    func testWithoutAnyNothingChanges() throws {
        let vocabulary = try Vocabulary(tokens: TestData.specialTokens + ["dusk"])
        let plain = AddedToken(content: "[CLS]", id: 2, isNormalized: false, isSpecial: true)
        let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true, addedTokens: [plain])
        XCTAssertEqual(tokenizer.addedTokens, [])
        XCTAssertEqual(tokenizer.tokenCount, 6)
    }

    func testASpecialTokenThatTakesWhiteSpaceKeepsDoingSoInWhatIsSaved() throws {
        let vocabulary = try Vocabulary(tokens: TestData.specialTokens + ["dusk"])
        let mask = AddedToken(content: "[MASK]", id: 4, stripsLeft: true, isNormalized: false, isSpecial: true)
        let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true, addedTokens: [mask])
        try tokenizer.writeConfiguration(to: directory)
        for tokenizer in [tokenizer, try WordPieceTokenizer(folder: directory)] {
            XCTAssertEqual(tokenizer.addedTokens, [mask])
            XCTAssertEqual(
                tokenizer.tokenize("dusk  [MASK] dusk"),
                TokenizedText(ids: [5, 4, 5], starts: [0, 4, 13], ends: [4, 12, 17], words: [0, 1, 2]))
        }
    }

    /// Work that grows with the square of a text's length would take 16 times as long for one that is four times so.
    func testTimeGrowsWithATextsLength() throws {
        let tokens = [
            AddedToken(content: " ", id: 8, stripsRight: true, isNormalized: false, isSpecial: true),
            AddedToken(content: String(repeating: "[", count: 60), id: 9, isNormalized: true, isSpecial: false),
        ]
        let vocabulary = try Vocabulary(tokens: TestData.specialTokens + ["dusk", "[", "##k"])
        let plain = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true)
        let added = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true, addedTokens: tokens)
        func seconds(_ tokenizer: WordPieceTokenizer, _ part: String, _ count: Int) -> Double {
            let text = String(repeating: part, count: count)
            return processorSeconds {
                _ = tokenizer.encode(text, maxLength: 16)
                _ = tokenizer.encode(text)
                _ = tokenizer.tokenize(text)
            }
        }
        for part in ["k", "dusk ", "[", " ", "\u{323}\u{301}", "\u{F74}\u{F71}", "[[x", "北"] {
            for tokenizer in [plain, added] {
                _ = seconds(tokenizer, part, 1000)
                let (short, long) = (seconds(tokenizer, part, 5_000), seconds(tokenizer, part, 20_000))
                XCTAssertLessThan(long, short * 10 + 0.02, "\(part.debugDescription)")
            }
        }
    }
}
