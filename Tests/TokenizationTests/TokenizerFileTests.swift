import Foundation
import TestSupport
import Tokenization
import XCTest

/// A folder whose vocabulary is in `tokenizer.json`.
final class TokenizerFileTests: DirectoryTestCase {
    private static let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dusk"]

    private static func template(_ parts: String) -> [[String: Any]] {
        parts.split(separator: " ").map { part in
            let kind = part.count == 1 ? "Sequence" : "SpecialToken"
            return [kind: ["id": part.count == 1 ? "\(part)" : "[\(part)]", "type_id": part == "B" ? 1 : 0]]
        }
    }

    /// The fields that the PyPI package writes.
    private static func fields() -> [String: Any] {
        var pair = template("CLS A SEP B SEP")
        pair[4] = ["SpecialToken": ["id": "[SEP]", "type_id": 1]]
        return [
            "version": "1.0", "added_tokens": [[String: Any]](), "truncation": NSNull(), "padding": NSNull(),
            "model": [
                "type": "WordPiece", "unk_token": "[UNK]",
                "vocab": Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) }),
            ],
            "normalizer": [
                "type": "BertNormalizer", "lowercase": true, "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": NSNull(),
            ],
            "pre_tokenizer": ["type": "BertPreTokenizer"],
            "post_processor": ["type": "TemplateProcessing", "single": template("CLS A SEP"), "pair": pair],
        ]
    }

    /// Writes the file with changes to some fields: a dictionary's are changed one by one.
    private func write(_ changes: [String: Any] = [:]) throws {
        var fields = TokenizerFileTests.fields()
        for (key, value) in changes {
            if let more = value as? [String: Any], let old = fields[key] as? [String: Any] {
                fields[key] = old.merging(more) { $1 }
            } else {
                fields[key] = value
            }
        }
        try JSONSerialization.data(withJSONObject: fields)
            .write(to: directory.appendingPathComponent("tokenizer.json"))
    }

    func testReadsWhatTransformersWrites() throws {
        let texts = ["dusk Dusks éa", "the DUSK, a 豈!"]
        try (TestData.specialTokens + ["dusk", "##s", "Dusk", "a", "é", ",", "豈", "!"]).joined(separator: "\n")
            .write(to: directory.appendingPathComponent("vocab.txt"), atomically: true, encoding: .utf8)
        let script = """
            import json, os, sys
            from transformers import BertTokenizer
            folder, texts = sys.argv[1], json.loads(sys.argv[2])
            for lower in (True, False):
                tokenizer = BertTokenizer(folder + "/vocab.txt", do_lower_case=lower)
                tokenizer.save_pretrained(f"{folder}/{lower}")
                assert not os.path.exists(f"{folder}/{lower}/vocab.txt")
                print(json.dumps([tokenizer(text)["input_ids"] for text in texts]))
            """
        let listed = String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
        let ids = try PeerPython.run(script, [directory.path, listed]).split(separator: "\n").map {
            try JSONDecoder().decode([[Int32]].self, from: Data($0.utf8))
        }
        for (lowercase, ids) in zip([true, false], ids) {
            let folder = directory.appendingPathComponent(lowercase ? "True" : "False")
            let tokenizer = try WordPieceTokenizer(folder: folder)
            XCTAssertEqual(tokenizer.lowercase, lowercase)
            XCTAssertEqual(texts.map { tokenizer.encode($0).inputIDs }, ids)
            // The configuration has the say; without it the tokenizer's own file.
            try FileManager.default.removeItem(at: folder.appendingPathComponent("tokenizer_config.json"))
            XCTAssertEqual(try WordPieceTokenizer(folder: folder).lowercase, lowercase)
        }
    }

    func testTheVocabularysFileHasToAgree() throws {
        try write()
        XCTAssertEqual(try WordPieceTokenizer(folder: directory).vocabulary.count, 5)
        let list = TokenizerFileTests.tokens.joined(separator: "\r\n")
        try write(list.utf8, to: "vocab.txt")
        XCTAssertEqual(try WordPieceTokenizer(folder: directory).vocabulary.count, 5)
        let others = [
            (list + "\nrain", "it lacks \"rain\", which vocab.txt has with the id 5"),
            (list.replacing("dusk", with: "rain"), "\"dusk\" has the id 4, and vocab.txt has no such token"),
            (list.replacing("dusk", with: "x\ndusk"), "\"dusk\" has the id 4, and vocab.txt has the id 5"),
        ]
        for (other, reason) in others {
            try write(other.utf8, to: "vocab.txt")
            XCTAssertThrowsError(try WordPieceTokenizer(folder: directory)) { error in
                XCTAssert("\(error)".contains("tokenizer.json: \(reason)"), "\(error)")
            }
        }
    }

    func testItHasTheSayOverTheCaseAlsoBesideAVocabulary() throws {
        try write(["normalizer": ["lowercase": false]])
        try write(TokenizerFileTests.tokens.joined(separator: "\n").utf8, to: "vocab.txt")
        XCTAssertFalse(try WordPieceTokenizer(folder: directory).lowercase)
        for (settings, isTaken) in [
            (#"{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}"#, true),
            (#"{"do_lower_case": true, "tokenizer_class": "PreTrainedTokenizerFast"}"#, false),
        ] {
            try write(settings.utf8, to: "tokenizer_config.json")
            XCTAssertEqual((try? WordPieceTokenizer(folder: directory))?.lowercase, isTaken ? true : nil)
        }
    }

    func testTokensThatDifferInHowALetterIsComposedAreDifferent() throws {
        let text = #""e\u0301": 5, "é": 6}"#
        try write()
        let file = directory.appendingPathComponent("tokenizer.json")
        let plain = try String(contentsOf: file, encoding: .utf8)
        try plain.replacing(/"vocab":\{/, with: "\"vocab\":{" + text.dropLast() + ",").write(
            to: file, atomically: true, encoding: .utf8)
        let tokenizer = try WordPieceTokenizer(folder: directory)
        XCTAssertEqual(tokenizer.vocabulary.count, 7)
        XCTAssertEqual(["e\u{301}", "\u{E9}"].map { tokenizer.vocabulary.id(of: $0) }, [5, 6])
    }

    func testTokenizersThatAreBERTsAreTaken() throws {
        let bert: [String: Any] = ["type": "BertNormalizer", "lowercase": false]
        let changes: [[String: Any]] = [
            ["post_processor": ["type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]]],
            ["normalizer": ["type": "Sequence", "normalizers": [bert]]],
            ["truncation": ["max_length": 128, "direction": "Right"], "padding": ["strategy": "BatchLongest"]],
            ["decoder": ["type": "WordPiece"], "model": ["max_input_chars_per_word": 100]],
        ]
        for change in changes {
            try write(change)
            XCTAssertNoThrow(try WordPieceTokenizer(folder: directory), "\(change)")
        }
    }

    func testTokenizersThatAreNotBERTsAreRefused() throws {
        let bert: [String: Any] = ["type": "BertPreTokenizer"]
        let digits: [String: Any] = ["type": "Digits"]
        let cases: [([String: Any], reason: String)] = [
            (["model": ["type": "BPE"]], "\"type\" is BPE, which is not supported; BERT's is WordPiece"),
            (["model": ["type": "Unigram"]], "\"type\" is Unigram"),
            (["model": ["continuing_subword_prefix": "@@"]], "\"continuing_subword_prefix\" is @@"),
            (["model": ["max_input_chars_per_word": 50]], "\"max_input_chars_per_word\" is 50"),
            (["model": ["unk_token": "<unk>"]], "\"unk_token\" is <unk>"),
            (["model": ["vocab": ["[PAD]"]]], "no tokenizer's JSON object"),
            (["model": ["vocab": ["[PAD]": 0, "[UNK]": 2]]], "its 2 tokens don't have the ids 0 to 1"),
            (["model": ["vocab": ["[PAD]": 0, "[UNK]": 0]]], "both have the id 0"),
            (["model": ["vocab": ["[PAD]": -1]]], "\"[PAD]\" has the id -1"),
            (["model": ["vocab": ["[PAD]": "0"]]], "\"[PAD]\" has the id \"0\""),
            (["normalizer": ["type": "NFC"]], "its normalizer is NFC"),
            (["normalizer": NSNull()], "its normalizer is none"),
            (
                ["normalizer": ["type": "Sequence", "normalizers": [["type": "NFD"], ["type": "Lowercase"]]]],
                "its normalizer is Sequence of NFD, Lowercase"
            ),
            (["normalizer": ["handle_chinese_chars": false]], "\"handle_chinese_chars\" is false"),
            (["normalizer": ["clean_text": false]], "\"clean_text\" is false"),
            (["normalizer": ["strip_accents": false]], "\"strip_accents\" is false with \"lowercase\" true"),
            (["normalizer": ["lowercase": "yes"]], "\"lowercase\" is \"yes\""),
            (["pre_tokenizer": ["type": "WhitespaceSplit"]], "its pre_tokenizer is WhitespaceSplit"),
            (["pre_tokenizer": NSNull()], "its pre_tokenizer is none"),
            (
                ["pre_tokenizer": ["type": "Sequence", "pretokenizers": [bert, digits]]],
                "its pre_tokenizer is Sequence of BertPreTokenizer, Digits"
            ),
            (["post_processor": NSNull()], "its post_processor is none"),
            (["post_processor": ["type": "RobertaProcessing"]], "its post_processor is RobertaProcessing"),
            (["post_processor": ["single": TokenizerFileTests.template("A SEP")]], "other inputs than BERT's"),
            (["post_processor": ["pair": TokenizerFileTests.template("CLS A SEP B SEP")]], "other inputs than BERT's"),
            (["truncation": ["direction": "Left"]], "\"direction\" is Left"),
            (["added_tokens": [["id": 9, "content": "[ENT]"]]], "\"[ENT]\": its id is 9, and 5"),
            (["added_tokens": [["id": 5]]], "a token is an object"),
        ]
        for (change, reason) in cases {
            try write(change)
            for isBeside in [false, true] {
                // The vocabulary alone would say nothing of the rest.
                if isBeside { try write(TokenizerFileTests.tokens.joined(separator: "\n").utf8, to: "vocab.txt") }
                if isBeside, change["model"].map({ ($0 as? [String: Any])?["vocab"] != nil }) == true { continue }
                XCTAssertThrowsError(try WordPieceTokenizer(folder: directory), reason) { error in
                    XCTAssert("\(error)".contains(reason), "\(error) lacks \(reason)")
                    XCTAssert("\(error)".contains(directory.path), "\(error)")
                }
            }
            try FileManager.default.removeItem(at: directory.appendingPathComponent("vocab.txt"))
        }
    }
}
