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

    func testOutputIsTheJSONThatItWas() throws {
        var model = TinyEncoder()
        model.vocabulary[5] = "\""
        model.vocabulary[6] = "\\"
        try model.write(to: encoder)
        let outcome = try camtl(["tokenize", "--model_name_or_path", encoder.path], input: "ba \"\\\t\u{301}ba\r\n")
        XCTAssertEqual(
            outcome.text,
            #"{"input_ids":[2,8,5,6,3,8,3],"token_type_ids":[0,0,0,0,0,1,1],"#
                + #""tokens":["[CLS]","ba","\"","\\","[SEP]","ba","[SEP]"]}"# + "\n")
        let bad = try self.outcome(
            of: ["tokenize", "--model_name_or_path", encoder.path], input: Data("ba\n".utf8) + [0xFF, 0x0A])
        XCTAssertEqual(bad.status, 1)
        XCTAssert(bad.messages.contains("standard input, line 2: this is not valid UTF-8"), bad.messages)
    }

    /// Work that grows with the square of a line's length would take 16 times as long for one that is four times so.
    func testTimeGrowsWithALinesLength() throws {
        try TinyEncoder().write(to: encoder)
        func seconds(_ count: Int, _ arguments: String...) throws -> Double {
            let text = String(repeating: "ba bena, ", count: count)
            let start = ContinuousClock.now
            try camtl(["tokenize", "--model_name_or_path", encoder.path] + arguments, input: text)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let start = try seconds(1)
        let (short, long) = (
            try seconds(220_000, "--max_seq_length", "16"), try seconds(880_000, "--max_seq_length", "16"))
        XCTAssertLessThan(long - start, (short - start) * 8 + 1)
    }

    func testTokensThatWereAddedAreFoundKeptInWhatIsTrainedAndNeedTheirRows() throws {
        try TinyGLUE.write(["rte"], to: data)
        var model = TinyEncoder()
        let count = TinyEncoder.vocabulary.count
        try model.write(to: encoder)
        try Data("{\"[ENT]\": \(count)}".utf8).write(to: encoder.appendingPathComponent("added_tokens.json"))
        try assertRefuses(
            arguments("--do_train", "--max_steps", "1"), "the added token \"[ENT]\" has an id of \(count) or more",
            "vocab_size is \(count)")
        model.configuration["vocab_size"] = count + 1
        model.tensors["bert.embeddings.word_embeddings.weight"]?.shape[0] += 1
        model.tensors["bert.embeddings.word_embeddings.weight"]?.values += Array(
            repeating: 0.1, count: TinyEncoder.hiddenSize)
        try model.write(to: encoder)
        try camtl(arguments("--do_train", "--encoder_type", "bert", "--max_steps", "1"))
        let exported = folder.appendingPathComponent("exported")
        try camtl(["convert", "--model_name_or_path", output.path, "--output_dir", exported.path])
        for place in [encoder, output, exported.appendingPathComponent("rte")] {
            let outcome = try camtl(["tokenize", "--model_name_or_path", place.path], input: "ba [ENT]be")
            XCTAssert(outcome.text.contains("\"input_ids\":[2,8,\(count),9,3]"), outcome.text)
        }
    }
}
