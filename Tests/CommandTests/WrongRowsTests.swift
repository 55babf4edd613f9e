import Foundation
import XCTest

/// What is wrong with rows to predict or to tokenise is said by its line, and no output is written.
final class WrongRowsTests: CommandTestCase {
    private var rows: URL { folder.appendingPathComponent("rows.jsonl") }
    private var predictions: URL { folder.appendingPathComponent("predictions.jsonl") }
    private let goodRow = #"{"task": "rte", "sentence1": "ba be.", "sentence2": "bi."}"#

    override func setUpWithError() throws {
        try super.setUpWithError()
        var model = TinyEncoder()
        model.addDecoders([("rte", ["entailment", "not_entailment"]), ("sts-b", []), ("cola", ["0", "1"])])
        try model.write(to: encoder)
    }

    private func predict(_ input: URL, to output: URL? = nil) -> [String] {
        [
            "predict", "--model_name_or_path", encoder.path, "--input", input.path,
            "--output", (output ?? predictions).path,
        ]
    }

    /// The second of the file's rows is wrong.
    private func assertRefusesRow(
        _ row: String, _ message: String, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        try TinyGLUE.write("\(goodRow)\n\(row)\n\(goodRow)\n", to: rows)
        try assertRefuses(predict(rows), "\(rows.path):2: \(message)", file: file, line: line)
    }

    func testLineThatIsNoRowIsNamed() throws {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        for row in ["{\"task\" \"rte\"}", "rte\tba be.\tbi.", "{\"task\": \(deep)}"] {
            try assertRefusesRow(row, "this is no row such as {\"task\": \"rte\", \"sentence1\": ")
        }
    }

    func testRowThatIsNearlyOneIsRefusedByWhatIsWrongWithIt() throws {
        let rule = "a row is one JSON object on one line"
        let rows = [
            ("[\(goodRow),", "this is a JSON array; \(rule)"),
            ("{", "the JSON object doesn't end on this line; \(rule)"),
            (#"{"task": "rte", "sentence1": "ba"#, "the JSON object doesn't end on this line; \(rule)"),
            (#"{"sentence": "ba"}"#, "the row has no \"task\""), (#"{"task": null}"#, "the row has no \"task\""),
            (#"{"task": 1, "sentence": "ba"}"#, "\"task\" is no string"),
            (#"{"task": "cola", "sentence": 42}"#, "\"sentence\" is no string"),
            (#"{"task": "cola", "sentence": ["ba"]}"#, "\"sentence\" is no string"),
            (#"{"task": "cola", "input_ids": [2, 3.5]}"#, "\"input_ids\" is no list of token ids"),
            (#"{"task": "cola", "input_ids": 2}"#, "\"input_ids\" is no list of token ids"),
            (#"{"task": "cola", "input_ids": [2, NaN]}"#, "\"input_ids\" is no list of token ids"),
            (#"{"task": "cola", "input_ids": [2, 99999999999]}"#, "\"input_ids\" is no list of token ids"),
            (#"{"task": "cola", "sentence": "ba", "sentence": "be"}"#, "the row has the key \"sentence\" twice"),
            (#"{"task": "cola", "sentence": "ba", "t\u0061sk": "rte"}"#, "the row has the key \"task\" twice"),
            (#"{"task": "cola", "sentence": NaN}"#, "the row has neither \"sentence\""),
        ]
        for (row, message) in rows { try assertRefusesRow(row, message) }
    }

    func testFileThatIsNoneOfRowsIsRefusedByWhatItIs() throws {
        let contents: [(Data, String)] = [
            (Data("version https://git-lfs.github.com/spec/v1\n".utf8), "this is a Git LFS pointer"),
            (Data("<html>".utf8), "this is an HTML page"),
            (try XCTUnwrap(goodRow.data(using: .utf16)), "this is UTF-16 text: convert the file to UTF-8"),
        ]
        for (content, message) in contents {
            try content.write(to: rows)
            try assertRefuses(predict(rows), "\(rows.path): \(message)")
        }
    }

    /// Byte order marks, other ends of lines, blank lines, what Python writes beyond JSON, fields that are not read.
    func testRowsAsOtherProgramsWriteThemArePredicted() throws {
        func predicted(_ text: String) throws -> [Substring] {
            try TinyGLUE.write(text, to: rows)
            try camtl(predict(rows))
            return try String(contentsOf: predictions, encoding: .utf8).split(separator: "\n")
        }
        let row = #"{"task": "cola", "sentence": "ba be"}"#
        let expected = try predicted(Array(repeating: row, count: 8).joined(separator: "\n"))
        let odd = [
            row, row + "\r", "", "  ", row + "\r" + row, #"{"task": "cola", "sentence": "ba be", "score": NaN}"#,
            #"{"task": "cola", "sentence": "ba be", "score": [-Infinity, {"task": 1, "task": 2}], "sentence2": null}"#,
            // The tokenizer drops the replacement character, as the original's does.
            #"{"task": "cola", "sentence": "ba\ud83d be\ude00"}"#, "{\"task\": \"cola\", \"sentence\": \"ba\u{2028}be\"}",
        ]
        XCTAssertEqual(try predicted("\u{FEFF}" + odd.joined(separator: "\n")), expected)
        XCTAssertEqual(expected.count, 8)
    }

    func testLineThatIsNotUTF8IsNamed() throws {
        try (Data((goodRow + "\n{\"task\": \"rte\", \"sentence\": \"b").utf8) + [0xFF] + Data("a\"}\n".utf8))
            .write(to: rows)
        try assertRefuses(predict(rows), "\(rows.path):2: ")
    }

    func testUnknownTaskIsRefusedWithTheModelsOwn() throws {
        try assertRefusesRow(
            #"{"task": "mrpc", "sentence": "ba"}"#, "the model has no task \"mrpc\"; its tasks are rte, sts-b, cola")
    }

    func testRowWithoutATextIsRefused() throws {
        for row in [#"{"task": "rte"}"#, #"{"task": "rte", "sentence2": "ba"}"#] {
            try assertRefusesRow(row, "the row has neither \"sentence\" or \"sentence1\" nor \"input_ids\"")
        }
    }

    func testTextsThatAreNotAsTheTasksAreRefused() throws {
        let pair = #"rte is a task of pairs; it needs "sentence1" and "sentence2""#
        for row in [#""sentence1": "ba""#, #""sentence": "ba""#, #""sentence1": "ba", "sentence2": null"#] {
            try assertRefusesRow("{\"task\": \"rte\", \(row)}", pair)
        }
        try assertRefusesRow(#"{"task": "rte", "sentence": "ba", "sentence2": "be"}"#, pair)
        let single = #"cola is a task of single texts; it takes "sentence", and no "sentence2""#
        for name in ["sentence", "sentence1"] {
            try assertRefusesRow("{\"task\": \"cola\", \"\(name)\": \"ba\", \"sentence2\": \"be\"}", single)
        }
        for task in ["rte", "cola"] {
            try assertRefusesRow(
                "{\"task\": \"\(task)\", \"sentence\": \"ba\", \"sentence1\": \"be\", \"sentence2\": \"bi\"}",
                #"the row has both "sentence", for a single text, and "sentence1", for the first of a pair"#)
        }
    }

    func testTextsBesideIDsAreRefused() throws {
        for name in ["sentence", "sentence1", "sentence2"] {
            try assertRefusesRow(
                "{\"task\": \"rte\", \"input_ids\": [2, 3], \"\(name)\": \"ba\"}",
                #"the row has both "input_ids" and a text; it may have either"#)
        }
        try assertRefusesRow(
            #"{"task": "rte", "sentence1": "ba", "sentence2": "be", "token_type_ids": [0]}"#,
            #"there are "token_type_ids" without "input_ids""#)
    }

    func testIDsOutsideOfTheVocabularyAreRefused() throws {
        let last = TinyEncoder.vocabulary.count - 1
        for id in [-1, last + 1] {
            try assertRefusesRow(
                "{\"task\": \"rte\", \"input_ids\": [2, \(id), 3]}",
                "the input id \(id) is outside of the vocabulary, 0 to \(last)")
        }
        try assertRefusesRow(
            #"{"task": "rte", "input_ids": [2, 3], "token_type_ids": [0, 2]}"#,
            "the token type id 2 is outside of 0 to 1")
    }

    func testIDsThatAreNoSequenceOfTheModelAreRefused() throws {
        try assertRefusesRow(
            #"{"task": "rte", "input_ids": [2, 9, 3], "token_type_ids": [0]}"#,
            "there are 3 input_ids and 1 token_type_ids")
        try assertRefusesRow(#"{"task": "rte", "input_ids": []}"#, "there are 0 input_ids; the model takes 1 to 16")
        let long = Array(repeating: "9", count: 17).joined(separator: ", ")
        try assertRefusesRow(
            "{\"task\": \"rte\", \"input_ids\": [\(long)]}", "there are 17 input_ids; the model takes 1 to 16")
    }

    func testInputThatCannotBeReadIsNamed() throws {
        for input in [rows, encoder] {
            try assertRefuses(predict(input), "\(input.path): there is no such file, or it can't be read")
        }
    }

    func testInputWithoutRowsIsRefused() throws {
        for text in ["", "\n \n"] {
            try TinyGLUE.write(text, to: rows)
            try assertRefuses(predict(rows), "\(rows.path): there are no rows in this file")
        }
    }

    func testOutputThatCannotBeWrittenIsNamed() throws {
        try TinyGLUE.write(goodRow, to: rows)
        let inNoFolder = folder.appendingPathComponent("none/predictions.jsonl")
        try assertRefuses(
            predict(rows, to: inNoFolder), "\(inNoFolder.path): not written: No such file or directory",
            "create its folder first")
        try assertRefuses(predict(rows, to: encoder), "\(encoder.path): not written: a folder")
    }

    func testEarlierOutputIsKeptWhenARowIsWrong() throws {
        try TinyGLUE.write("earlier", to: predictions)
        try assertRefusesRow("?", "this is no row")
    }

    func testPretrainedEncoderCannotPredict() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(goodRow, to: rows)
        try assertRefuses(predict(rows), "\(encoder.path): this is a pretrained encoder and no trained model")
    }

    func testMissingFlagsOfSubcommandsAreNamed() throws {
        try assertRefuses(["predict", "--input", rows.path], "--model_name_or_path", lines: 2)
        try assertRefuses(["tokenize"], "--model_name_or_path", lines: 2)
    }

    func testTokenizingBytesThatAreNotUTF8NamesTheirLine() throws {
        let input = Data("ba be\n".utf8) + [0xC3, 0x28, 0x0A] + Data("bi\n".utf8)
        let outcome = try assertRefuses(
            ["tokenize", "--model_name_or_path", encoder.path], "standard input, line 2: this is not valid UTF-8",
            input: input, printsResults: true)
        XCTAssertEqual(outcome.lines.count, 1, "the lines before it are tokenised, and none after it")
    }

    func testTokenizingToALengthThatNoSequenceHasIsRefused() throws {
        for length in ["-5", "2"] {
            try assertRefuses(
                ["tokenize", "--model_name_or_path", encoder.path, "--max_seq_length", length],
                "--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
    }
}
