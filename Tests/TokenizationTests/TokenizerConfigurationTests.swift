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
        XCTAssertTrue(try tokenizer(configuration: #"{"strip_accents": null}"#).lowercase)
    }

    func testConfigurationsThatAskForOtherIDsAreRefused() throws {
        let configurations = [
            #"{"do_lower_case": true, "strip_accents": false}"#: "strip_accents",
            #"{"do_lower_case": false, "strip_accents": true}"#: "strip_accents",
            #"{"tokenize_chinese_chars": false}"#: "tokenize_chinese_chars",
            #"{"unk_token": "<unk>"}"#: "unk_token",
            #"{"sep_token": {"content": "</s>"}}"#: "sep_token",
            #"{"do_lower_case": "yes"}"#: "do_lower_case",
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
