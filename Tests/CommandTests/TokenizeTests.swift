import Foundation
import XCTest

final class TokenizeTests: CommandTestCase {
    func testTokenizeGivesIDsTypesAndTokensOfTextsAndPairs() throws {
        try TinyEncoder().write(to: encoder)
        let outcome = try camtl(
            ["tokenize", "--model_name_or_path", encoder.path], input: "BA bena, xyz?\nba\tbe bi\n\n[MASK] ba")
        func id(_ token: String) -> Int { TinyEncoder.vocabulary.firstIndex(of: token) ?? -1 }
        let expected: [([String], [Int])] = [
            (["[CLS]", "ba", "be", "##na", ",", "[UNK]", "?", "[SEP]"], [0, 0, 0, 0, 0, 0, 0, 0]),
            (["[CLS]", "ba", "[SEP]", "be", "bi", "[SEP]"], [0, 0, 0, 1, 1, 1]),
            (["[CLS]", "[SEP]"], [0, 0]), (["[CLS]", "[MASK]", "ba", "[SEP]"], [0, 0, 0, 0]),
        ]
        XCTAssertEqual(outcome.lines.count, expected.count)
        for (line, (tokens, types)) in zip(outcome.lines, expected) {
            let found = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            XCTAssertEqual(found?["tokens"] as? [String], tokens)
            XCTAssertEqual(found?["input_ids"] as? [Int], tokens.map(id))
            XCTAssertEqual(found?["token_type_ids"] as? [Int], types)
            XCTAssertEqual(found?.count, 3)
        }
    }

    func testTokenizeCutsLongerInputs() throws {
        try TinyEncoder().write(to: encoder)
        let short = try camtl(
            ["tokenize", "--model_name_or_path", encoder.path, "--max_seq_length", "6"], input: "ba be bi bo\tbu da\n")
        let object = try JSONSerialization.jsonObject(with: Data(short.text.utf8)) as? [String: Any]
        XCTAssertEqual(object?["tokens"] as? [String], ["[CLS]", "ba", "be", "[SEP]", "bu", "[SEP]"])
    }
}
