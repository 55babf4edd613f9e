import Foundation
import Tokenization
import XCTest

final class TokenizerConfigurationTests: DirectoryTestCase {
    private func writeVocabulary(_ more: [String] = ["dusk"]) throws {
        try write((TestData.specialTokens + more).joined(separator: "\n").utf8, to: "vocab.txt")
    }

    private func tokenizer(configuration: String) throws -> WordPieceTokenizer {
        try writeVocabulary()
        try write(configuration.utf8, to: "tokenizer_config.json")
        return try WordPieceTokenizer(folder: directory)
    }

    func testTheConfigurationSaysWhetherTextIsPutInLowerCase() throws {
        XCTAssertTrue(try tokenizer(configuration: #"{"do_lower_case": true}"#).lowercase)
        XCTAssertFalse(try tokenizer(configuration: #"{"do_lower_case": false}"#).lowercase)
    }

    func testWithoutTheSettingTheTokenizerIsUncasedUnlessAllCapitalsAreTokens() throws {
        try writeVocabulary()
        XCTAssertTrue(try WordPieceTokenizer(folder: directory).lowercase)
        XCTAssertTrue(try tokenizer(configuration: "{}").lowercase)
        let capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".map(String.init)
        try writeVocabulary(capitals)
        XCTAssertFalse(try WordPieceTokenizer(folder: directory).lowercase)
        try writeVocabulary(Array(capitals.dropLast()))
        XCTAssertTrue(try WordPieceTokenizer(folder: directory).lowercase)
    }

    func testConfigurationsThatAgreeWithBERTAreTaken() throws {
        let configuration = """
            {"do_lower_case": true, "strip_accents": true, "tokenize_chinese_chars": true,
             "model_max_length": 1000000000000000019884624838656, "never_split": null, "mask_token": null,
             "unk_token": {"content": "[UNK]", "lstrip": false}, "cls_token": "[CLS]"}
            """
        XCTAssertTrue(try tokenizer(configuration: configuration).lowercase)
        let others = [
            #"{"strip_accents": null}"#, #"{"tokenizer_class": "BertTokenizerFast", "do_basic_tokenize": true}"#,
            #"{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": Infinity, "x": [NaN]}"#,
            "\u{FEFF}{\r\n\"never_split\": [\"[CLS]\"], \"padding_side\": \"left\"\r\n}\r\n",
            #"{"model_input_names": ["input_ids", "token_type_ids", "attention_mask"], "truncation_side": "right"}"#,
            #"{"pad_token": {"content": "[PAD]", "normalized": true}, "sep_token": {"content": "[SEP]", "lstrip": true}}"#,
        ]
        for text in others { XCTAssertTrue(try tokenizer(configuration: text).lowercase, text) }
    }

    func testConfigurationsThatAskForOtherIDsAreRefused() throws {
        let configurations = [
            #"{"do_lower_case": true, "strip_accents": false}"#: "strip_accents",
            #"{"do_lower_case": false, "strip_accents": true}"#: "strip_accents",
            #"{"tokenize_chinese_chars": false}"#: "tokenize_chinese_chars",
            #"{"unk_token": "<unk>"}"#: "unk_token",
            #"{"sep_token": {"content": "</s>"}}"#: "sep_token",
            #"{"do_lower_case": "yes"}"#: "do_lower_case",
            #"{"do_lower_case": 1}"#: "do_lower_case is 1; it has to be true or false",
            #"{"do_basic_tokenize": false}"#: "do_basic_tokenize is false",
            #"{"split_special_tokens": true}"#: "split_special_tokens is true",
            #"{"add_bos_token": true}"#: "add_bos_token is true",
            #"{"never_split": ["dusk"]}"#: "never_split is [\"dusk\"]",
            #"{"truncation_side": "left"}"#: "truncation_side is \"left\"",
            #"{"tokenizer_class": "RobertaTokenizerFast"}"#: "tokenizer_class is \"RobertaTokenizerFast\"",
            #"{"tokenizer_class": "BertJapaneseTokenizer"}"#: "tokenizer_class is \"BertJapaneseTokenizer\"",
            #"{"auto_map": {"AutoTokenizer": ["a.B", null]}}"#: "code of its own",
            #"{"model_input_names": ["input_ids", "attention_mask"]}"#: "model_input_names lacks token_type_ids",
            "{\n\"cls_token\": [CLS]\n}": "line 2 is not JSON: \"CLS]\" stands where a value should be",
            "[]": "not a JSON object",
            "do_lower_case": "not a JSON object",
        ]
        for (configuration, key) in configurations {
            XCTAssertThrowsError(try tokenizer(configuration: configuration), configuration) { error in
                XCTAssertTrue("\(error)".contains(key), "\(error)")
                XCTAssertTrue("\(error)".contains("tokenizer_config.json"), "\(error)")
            }
        }
    }

    func testWhatIsNotLookedForIsNotFound() throws {
        let tokenizer = try tokenizer(configuration: #"{"mask_token": null}"#)
        XCTAssertEqual(tokenizer.words("[MASK]"), ["[UNK]", "[UNK]", "[UNK]"])
        try tokenizer.writeConfiguration(to: directory)
        XCTAssertFalse(try WordPieceTokenizer(folder: directory).findsMask)
    }

    func testAFolderWithoutVocabularyIsAnErrorThatNamesTheFile() {
        XCTAssertThrowsError(try WordPieceTokenizer(folder: directory)) { error in
            XCTAssertTrue("\(error)".contains("vocab.txt"), "\(error)")
        }
    }

    func testWhatIsWrittenIsReadBack() throws {
        for lowercase in [true, false] {
            let vocabulary = try Vocabulary(tokens: TestData.specialTokens + ["dusk", "##s"])
            let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: lowercase)
            try tokenizer.writeConfiguration(to: directory, maxLength: 128)
            let copy = try WordPieceTokenizer(folder: directory)
            XCTAssertEqual(copy.lowercase, lowercase)
            XCTAssertEqual(copy.vocabulary.fileContents, vocabulary.fileContents)
            let json = try Data(contentsOf: directory.appendingPathComponent("tokenizer_config.json"))
            let settings = try XCTUnwrap(JSONSerialization.jsonObject(with: json) as? [String: Any])
            XCTAssertEqual(settings["model_max_length"] as? Int, 128)
            XCTAssertEqual(settings["tokenizer_class"] as? String, "BertTokenizer")
        }
    }

    func testWritingWhereNoFolderIsFailsWithTheFilesName() throws {
        let tokenizer = try TestData.tokenizer(["dusk"])
        let nowhere = directory.appendingPathComponent("none")
        XCTAssertThrowsError(try tokenizer.writeConfiguration(to: nowhere)) { error in
            XCTAssertTrue("\(error)".contains("none/vocab.txt"), "\(error)")
        }
    }
}
