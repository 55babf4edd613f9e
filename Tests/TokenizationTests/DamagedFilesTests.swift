import Foundation
import TestSupport
import Tokenization
import XCTest

/// Damaged files of a tokenizer: see ``DamagedFiles``.
final class DamagedFilesTests: DirectoryTestCase {
    private lazy var damaged = DamagedFiles(share: 0.08)
    private static let tokens = TestData.specialTokens + ["dusk", "##s", "bak", "é", ",", "豈"]

    private static let texts = [
        "bak Dusks, Q\u{301} \u{0} 豈<x> [MASK]bak", "", " \u{FEFF}<x><x>é", String(repeating: "dusk", count: 60),
    ]

    /// Reads the folder, and makes ids of some texts; what is not as it should be.
    private func read() throws -> [String] {
        let tokenizer = try WordPieceTokenizer(folder: directory)
        return Self.texts.flatMap { text in
            let encoding = tokenizer.encode(text, pair: "bak <x>s")
            let outside = encoding.inputIDs.filter { !(0..<Int32(clamping: tokenizer.tokenCount)).contains($0) }
            let types = encoding.tokenTypeIDs.count
            return outside.map { "the id \($0) of \(tokenizer.tokenCount)" }
                + (types == encoding.inputIDs.count ? [] : ["\(types) types of \(encoding.inputIDs.count) ids"])
        }
    }

    private func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), to: name) }

    private func damageAll(_ kind: String, _ names: [String]) throws {
        try damaged.damage(kind, directory, names, share: 0.5, read)
    }

    private static let addedToken =
        #"{"content": "<x>", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": true}"#

    func testAVocabularyWithItsSettings() throws {
        try write(Self.tokens.joined(separator: "\n") + "\n", "vocab.txt")
        try write(#"{"<x>": 11}"#, "added_tokens.json")
        try write(
            #"""
            {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
             "mask_token": {"content": "[MASK]", "lstrip": false, "rstrip": false, "normalized": false},
             "additional_special_tokens": ["<x>"]}
            """#, "special_tokens_map.json")
        try write(
            #"""
            {"do_lower_case": true, "strip_accents": null, "tokenize_chinese_chars": true, "tokenizer_class": "BertTokenizer",
             "never_split": null, "model_max_length": 512, "unk_token": "[UNK]", "sep_token": "[SEP]"}
            """#, "tokenizer_config.json")
        try damageAll(
            "vocabulary and settings",
            ["vocab.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"])
    }

    func testATokenizersOwnFile() throws {
        let vocabulary = Self.tokens.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let special = #""special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}"#
        func template(_ parts: String) -> String {
            parts.split(separator: " ").map { part in
                let kind = part.hasPrefix("[") ? "SpecialToken" : "Sequence"
                let (id, type) = (part.prefix { $0 != ":" }, part.suffix(1))
                return "{\"\(kind)\": {\"id\": \"\(id)\", \"type_id\": \(type)}}"
            }.joined(separator: ", ")
        }
        try write(
            #"""
            {"version": "1.0", "truncation": null, "padding": null,
             "added_tokens": [{"id": 11, \#(Self.addedToken.dropFirst())],
             "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
             "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": {"type": "TemplateProcessing", "single": [\#(template("[CLS]:0 A:0 [SEP]:0"))],
              "pair": [\#(template("[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1"))], \#(special)},
             "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
              "vocab": {\#(vocabulary)}}}
            """#, "tokenizer.json")
        try write(
            #"""
            {"do_lower_case": true, "tokenizer_class": "BertTokenizer", "added_tokens_decoder": {"11": \#(Self.addedToken)},
             "additional_special_tokens": ["<x>"]}
            """#, "tokenizer_config.json")
        try damageAll("tokenizer.json", ["tokenizer.json", "tokenizer_config.json"])
    }
}
