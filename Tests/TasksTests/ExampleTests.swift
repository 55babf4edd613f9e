import Foundation
import XCTest

@testable import Tasks

/// Invented rows in the layouts of GLUE's official files.
final class ExampleTests: DirectoryTestCase {
    private func read(_ name: String, _ split: Split = .train, set: Int = 0) throws -> ExampleList {
        let task = try GLUE.task(named: name)
        return try task.examples(in: task.files(for: split)[set], dataDirectory: directory)
    }

    // MARK: Layouts

    func testCoLAHasAHeaderOnlyInItsTestFile() throws {
        try write("src1\t1\t\tThe cat sleeps.\nsrc1\t0\t*\tCat the sleeps.\n", to: "CoLA/train.tsv")
        try write("index\tsentence\n0\tA dog sleeps.\n", to: "CoLA/test.tsv")
        XCTAssertEqual(
            try read("cola").examples,
            [
                Example(first: "The cat sleeps.", target: [1], line: 1),
                Example(first: "Cat the sleeps.", target: [0], line: 2),
            ])
        XCTAssertEqual(try read("cola", .test).examples, [Example(first: "A dog sleeps.", line: 2)])
    }

    func testAByteOrderMarkIsNoPartOfTheHeader() throws {
        let header = "\u{FEFF}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        try write(header + "1\t11\t12\tA cat sleeps.\tA cat is asleep.\n", to: "MRPC/train.tsv")
        XCTAssertEqual(
            try read("mrpc").examples,
            [Example(first: "A cat sleeps.", second: "A cat is asleep.", target: [1], line: 2)])
        try write("\u{FEFF}src1\t1\t\tThe cat sleeps.\n", to: "CoLA/dev.tsv")
        XCTAssertEqual(try read("cola", .dev).examples.count, 1)
    }

    func testColumnsAreFoundByTheirNames() throws {
        try write("label\tsentence2\tindex\tsentence1\nentailment\tsecond\t0\tfirst\n", to: "RTE/train.tsv")
        XCTAssertEqual(
            try read("rte").examples, [Example(first: "first", second: "second", target: [0], line: 2)])
        try write("index\tquestion\tsentence\tlabel\n0\tWhy?\tSo.\tnot_entailment\n", to: "QNLI/dev.tsv")
        XCTAssertEqual(
            try read("qnli", .dev).examples, [Example(first: "Why?", second: "So.", target: [1], line: 2)])
    }

    func testMNLIsGoldLabelIsFoundAmongTheAnnotatorsLabels() throws {
        let front = "index\tpromptID\tpairID\tgenre\tp1\tp2\tp3\tp4\tsentence1\tsentence2\t"
        let cells = "0\t1\t1n\tfiction\tp\tp\tp\tp\tfirst\tsecond\t"
        try write(front + "label1\tgold_label\n" + cells + "neutral\tneutral\n", to: "MNLI/train.tsv")
        let votes = "label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n"
        let vote = "neutral\tneutral\tentailment\tentailment\tentailment\tentailment\n"
        try write(front + votes + cells + vote, to: "MNLI/dev_matched.tsv")
        try write(front + votes + cells + vote + cells + vote, to: "MNLI/dev_mismatched.tsv")
        XCTAssertEqual(try read("mnli").examples, [Example(first: "first", second: "second", target: [2], line: 2)])
        XCTAssertEqual(try read("mnli", .dev).examples.map(\.target), [[1]])
        XCTAssertEqual(try read("mnli", .dev, set: 1).examples.map(\.target), [[1], [1]])
    }

    func testTheDiagnosticSetIsFoundWhereTheDownloadScriptPutsIt() throws {
        try write("index\tsentence1\tsentence2\n0\tfirst\tsecond\n", to: "diagnostic/diagnostic.tsv")
        XCTAssertEqual(
            try read("mnli", .test, set: 2).examples, [Example(first: "first", second: "second", line: 2)])
        try write("index\tsentence1\tsentence2\n0\tother\tsecond\n", to: "AX/diagnostic.tsv")
        XCTAssertEqual(try read("mnli", .test, set: 2).examples.map(\.first), ["other"])
    }

    func testScoresAreReadAsNumbers() throws {
        let rows = ["0.000", "5.000", "3.8", "1e0", "+2."].map { "x\tfirst\tsecond\t\($0)\n" }.joined()
        try write("index\tsentence1\tsentence2\tscore\n" + rows, to: "STS-B/train.tsv")
        XCTAssertEqual(try read("sts-b").examples.flatMap(\.target), [0, 5, 3.8, 1, 2])
    }

    func testTheLabelsOrderIsTheTasksOwn() throws {
        try write("sentence1\tsentence2\tgold_label\na\tb\tneutral\na\tb\tcontradiction\n", to: "MNLI/train.tsv")
        let head = try TaskHead(name: "mnli", kind: Classification(labels: ["entailment", "neutral", "contradiction"]))
        let task = try GLUE.task(for: head)
        XCTAssertEqual(try task.examples(in: task.train, dataDirectory: directory).examples.flatMap(\.target), [1, 2])
        XCTAssertEqual(try read("mnli").examples.flatMap(\.target), [2, 0])
    }

    // MARK: Texts

    func testBlanksAroundATextAreKept() throws {
        try write("sentence\tlabel\n a fine cat \t1\n\t0\n", to: "SST-2/train.tsv")
        XCTAssertEqual(try read("sst-2").examples.map(\.first), [" a fine cat ", ""])
    }

    func testQuotesAreLiteral() throws {
        let rows = ["\"A cat", "it's \"", "\"\"", "said \"\"\"so\""]
        let text = rows.map { "\($0)\t\"\t\($0)\tentailment\n" }.joined()
        try write("sentence1\tx\tsentence2\tlabel\n" + text, to: "RTE/train.tsv")
        XCTAssertEqual(try read("rte").examples.map(\.first), rows)
        XCTAssertEqual(try read("rte").examples.map(\.second), rows)
    }

    func testLinesMayEndWithLineFeedCarriageReturnBothOrNothing() throws {
        let expected = [Example(first: "a cat", target: [1], line: 2), Example(first: "a dog", target: [0], line: 3)]
        for end in ["\n", "\r\n", "\r"] {
            let text = ["sentence\tlabel", "a cat\t1", "a dog\t0"].joined(separator: end)
            try write(text, to: "SST-2/train.tsv")
            XCTAssertEqual(try read("sst-2").examples, expected, "no final \(end.debugDescription)")
            try write(text + end, to: "SST-2/train.tsv")
            XCTAssertEqual(try read("sst-2").examples, expected, "final \(end.debugDescription)")
        }
        try write("sentence\tlabel\r\na cat\t1\ra dog\t0\n", to: "SST-2/train.tsv")
        XCTAssertEqual(try read("sst-2").examples, expected)
    }

    func testOtherLineSeparatorsOfUnicodeAndNULDoNotEndALine() throws {
        let text = "a\u{2028}b\u{85}c\u{0B}d\u{0C}e\u{0}f"
        try write("sentence\tlabel\n\(text)\t1\n", to: "SST-2/train.tsv")
        XCTAssertEqual(try read("sst-2").examples.map(\.first), [text])
    }

    func testColumnsBehindTheLastOneReadAreIgnored() throws {
        try write("sentence\tlabel\na cat\t1\tmore\t\n", to: "SST-2/train.tsv")
        XCTAssertEqual(try read("sst-2").examples, [Example(first: "a cat", target: [1], line: 2)])
    }

    // MARK: Damaged rows

    func testQQPRowsThatLackColumnsAreLeftOutAndCounted() throws {
        let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        let good = "1\t2\t3\tWhy sleep?\tWhat for?\t0\n"
        let text = header + good + "1\t2\t3\tWhy\n" + "\n" + "1\t2\t3\tWhy\tWhat\n" + good
        for (path, split) in [("QQP/train.tsv", Split.train), ("QQP/dev.tsv", .dev)] {
            try write(text, to: path)
            let list = try read("qqp", split)
            XCTAssertEqual(list.skippedRows, 3)
            XCTAssertEqual(list.examples.map(\.line), [2, 6])
        }
    }

    func testARowOfQQPsTestFileIsNeverLeftOut() throws {
        try write("id\tquestion1\tquestion2\n0\tWhy?\tWhat?\n1\tWhy?\n", to: "QQP/test.tsv")
        XCTAssertEqual(
            message { try read("qqp", .test) },
            "<data>/QQP/test.tsv:3: found 2 tab-separated columns, but \"question2\" is column 3.")
    }

    func testRowsToPredictAreCountedFromZeroIfTheirFileCountsThem() throws {
        let header = "index\tsentence1\tsentence2\n"
        for (index, found) in [("2", "2"), ("0", "0"), ("", ""), ("x", "x"), ("-1", "-1"), ("1 ", "1 ")] {
            try write(header + "0\ta\tb\n\(index)\tc\td\n", to: "RTE/test.tsv")
            XCTAssertEqual(
                message { try read("rte", .test) },
                "<data>/RTE/test.tsv:3: the row's number is \"\(found)\", and 1 is due: a row before it is missing, "
                    + "doubled or broken in two. Fetch the file anew.")
        }
        try write("sentence1\tsentence2\na\tb\nc\td\n", to: "RTE/test.tsv")
        XCTAssertEqual(try read("rte", .test).examples.map(\.first), ["a", "c"])
        try write(header.replacingOccurrences(of: "\n", with: "\tlabel\n") + "7\ta\tb\tentailment\n", to: "RTE/dev.tsv")
        XCTAssertEqual(try read("rte", .dev).examples.count, 1, "only rows to predict have to be in turn")
    }

    func testAnEmptyTextIsARowToPredict() throws {
        try write("index\tsentence\n0\ta cat\n1\t\n2\ta dog\n", to: "SST-2/test.tsv")
        XCTAssertEqual(try read("sst-2", .test).examples.map(\.first), ["a cat", "", "a dog"])
    }

    func testARowThatLacksColumnsIsAnErrorInAnyOtherTask() throws {
        try write("sentence\tlabel\na cat\t1\na dog\n", to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") },
            "<data>/SST-2/train.tsv:3: found 1 tab-separated column, but \"label\" is column 2.")
        try write("src\t1\t\tA cat.\n\nsrc\t1\t\tA dog.\n", to: "CoLA/train.tsv")
        XCTAssertEqual(
            message { try read("cola") },
            "<data>/CoLA/train.tsv:2: the line is blank, with rows after it: take it out, if no row is missing there.")
    }

    func testBlankLinesAtTheEndOfAFileAreNoRows() throws {
        let files: [(path: String, task: String, split: Split, text: String)] = [
            ("SST-2/train.tsv", "sst-2", .train, "sentence\tlabel\na cat\t1\na dog\t0"),
            ("CoLA/dev.tsv", "cola", .dev, "src\t1\t\tA cat.\nsrc\t1\t\tA dog."),
            ("RTE/test.tsv", "rte", .test, "index\tsentence1\tsentence2\n0\ta\tb\n1\tc\td"),
            ("QQP/train.tsv", "qqp", .train, "question1\tquestion2\tis_duplicate\na\tb\t1\nc\td\t0"),
        ]
        for (path, task, split, text) in files {
            for end in ["\n\n", "\r\n\r\n", "\n  \n \r\n", "\r\r", "\n   "] {
                try write(text + end, to: path)
                let list = try read(task, split)
                XCTAssertEqual(list.examples.count, 2, "\(path) with \(end.debugDescription)")
                XCTAssertEqual(list.skippedRows, 0)
            }
        }
    }

    /// What looks blank may be a row there, and one left out would be missing among the predictions.
    func testTextsAtTheEndOfAFileKeepTheirBlanks() throws {
        try write("index\tsentence\n0\ta cat\n1\t  \n", to: "SST-2/test.tsv")
        XCTAssertEqual(try read("sst-2", .test).examples.map(\.first), ["a cat", "  "])
        try write("sentence\na cat\n\n", to: "SST-2/test.tsv")
        XCTAssertEqual(try read("sst-2", .test).examples.map(\.first), ["a cat", ""])
    }

    func testABlankLineBetweenRowsToPredictIsAnError() throws {
        try write("index\tsentence1\tsentence2\n0\ta\tb\n\n1\tc\td\n", to: "RTE/test.tsv")
        XCTAssertEqual(
            message { try read("rte", .test) },
            "<data>/RTE/test.tsv:3: the line is blank, with rows after it: take it out, if no row is missing there.")
    }

    func testAHeaderThatStandsTwiceIsAnError() throws {
        let repeated = "the header stands here once more: take it out, if the file is whole."
        try write("sentence1\tsentence2\na\tb\nsentence1\tsentence2\nc\td\n", to: "RTE/test.tsv")
        XCTAssertEqual(message { try read("rte", .test) }, "<data>/RTE/test.tsv:3: \(repeated)")
        try write("sentence\tlabel\nsentence\tlabel\na cat\t1\n", to: "SST-2/train.tsv")
        XCTAssertEqual(message { try read("sst-2") }, "<data>/SST-2/train.tsv:2: \(repeated)")
    }

    func testAColumnThatTheHeaderHasTwiceIsAnError() throws {
        try write("sentence\tlabel\tlabel\na cat\t1\t0\n", to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") },
            "<data>/SST-2/train.tsv:1: the header has the column \"label\" twice, and it can't be told which is meant.")
        try write("sentence\tlabel\tx\tx\na cat\t1\t0\t0\n", to: "SST-2/train.tsv")
        XCTAssertEqual(try read("sst-2").examples.count, 1)
    }

    func testWhatIsNoTableIsAnErrorThatSaysWhatItIs() throws {
        for (text, phrase) in [
            ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "this is a Git LFS pointer"),
            ("<!DOCTYPE html>\n<html>", "this is an HTML page"),
        ] {
            for (path, task) in [("SST-2/train.tsv", "sst-2"), ("CoLA/train.tsv", "cola")] {
                try write(text, to: path)
                let said = message { try read(task) }
                XCTAssert(said.hasPrefix("<data>/\(path): \(phrase)"), said)
            }
        }
        try write(XCTUnwrap("sentence\tlabel\na\t1\n".data(using: .utf16)), to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") }, "<data>/SST-2/train.tsv: this is UTF-16 text: convert the file to UTF-8.")
    }

    func testInvalidUTF8IsNamedByItsByte() throws {
        try write(Array("sentence\tlabel\nun caf".utf8) + [0xE9] + Array("\t1\n".utf8), to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") },
            "<data>/SST-2/train.tsv:2: the line is not valid UTF-8 at its byte 7, 0xE9: convert the file to UTF-8.")
    }

    // MARK: Errors

    func testAnUnknownLabelIsAnError() throws {
        try write("sentence1\tsentence2\tgold_label\na\tb\tneutral\na\tb\t-\n", to: "MNLI/train.tsv")
        XCTAssertEqual(
            message { try read("mnli") },
            "<data>/MNLI/train.tsv:3: unknown label \"-\"; the labels are contradiction, entailment, neutral.")
        try write("sentence1\tsentence2\tlabel\na\tb\tEntailment\n", to: "RTE/dev.tsv")
        XCTAssertEqual(
            message { try read("rte", .dev) },
            "<data>/RTE/dev.tsv:2: unknown label \"Entailment\"; the labels are entailment, not_entailment.")
        try write("sentence\tlabel\na\t\n", to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") }, "<data>/SST-2/train.tsv:2: unknown label \"\"; the labels are 0, 1.")
    }

    func testAScoreMustBeANumberInRange() throws {
        let header = "index\tsentence1\tsentence2\tscore\n0\ta\tb\t1.0\n"
        for text in ["good", "", "nan", "inf", "0x1", " 1", "1,5", "--1"] {
            try write(header + "1\ta\tb\t\(text)\n", to: "STS-B/train.tsv")
            XCTAssertEqual(
                message { try read("sts-b") },
                "<data>/STS-B/train.tsv:3: the score \"\(text)\" is not a number.")
        }
        for text in ["5.001", "-0.5", "1e9"] {
            try write(header + "1\ta\tb\t\(text)\n", to: "STS-B/train.tsv")
            XCTAssertEqual(
                message { try read("sts-b") },
                "<data>/STS-B/train.tsv:3: the score \(text) lies outside 0.0...5.0.")
        }
    }

    func testAColumnMissingFromTheHeaderIsAnError() throws {
        try write("index\tsentence1\tsentence2\tgold\n0\ta\tb\tentailment\n", to: "RTE/train.tsv")
        XCTAssertEqual(
            message { try read("rte") },
            "<data>/RTE/train.tsv:1: the header has no column \"label\"; it has \"index\", \"sentence1\", "
                + "\"sentence2\", \"gold\".")
        let title = String(repeating: "x", count: 60) + "\t"
        try write(String(repeating: title, count: 100_000), to: "RTE/train.tsv")
        let long = message { try read("rte") }
        XCTAssert(long.hasSuffix(", ….") && long.count < 2000, long)
    }

    func testAFileWithoutExamplesIsAnError() throws {
        for text in ["", "\u{FEFF}", "sentence\tlabel", "sentence\tlabel\n"] {
            try write(text, to: "SST-2/train.tsv")
            XCTAssertEqual(message { try read("sst-2") }, "<data>/SST-2/train.tsv: the file holds no examples.")
        }
        try write("", to: "CoLA/train.tsv")
        XCTAssertEqual(message { try read("cola") }, "<data>/CoLA/train.tsv: the file holds no examples.")
        try write("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\n", to: "QQP/train.tsv")
        XCTAssertEqual(message { try read("qqp") }, "<data>/QQP/train.tsv: the file holds no examples.")
    }

    func testInvalidUTF8IsAnErrorWithItsLine() throws {
        let header = Array("sentence\tlabel\n".utf8), good = Array("a cat\t1\n".utf8)
        let bad: [[UInt8]] = [[0xE9], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]]
        for bytes in bad {
            try write(header + good + bytes + Array("\t1\n".utf8) + good, to: "SST-2/train.tsv")
            XCTAssertEqual(
                message { try read("sst-2") },
                "<data>/SST-2/train.tsv:3: the line is not valid UTF-8 at its byte 1, "
                    + "0x\(String(bytes[0], radix: 16, uppercase: true)): convert the file to UTF-8.")
        }
        try write(Array("senten".utf8) + [0xFF] + Array("ce\tlabel\n".utf8), to: "SST-2/train.tsv")
        XCTAssertEqual(
            message { try read("sst-2") },
            "<data>/SST-2/train.tsv:1: the line is not valid UTF-8 at its byte 7, 0xFF: convert the file to UTF-8.")
    }

    func testAMissingFileOrFolderIsAnErrorThatNamesIt() throws {
        XCTAssertEqual(
            message { try read("rte") },
            "<data>/RTE/train.tsv: there is no directory <data>/RTE; rte is read from this file, in GLUE's official "
                + "layout.")
        try write("", to: "RTE/dev.tsv")
        XCTAssertEqual(
            message { try read("rte") },
            "<data>/RTE/train.tsv: there is no such file; rte is read from this file, in GLUE's official layout.")
        let task = try GLUE.task(named: "rte")
        let nowhere = directory.appendingPathComponent("nowhere")
        XCTAssertEqual(
            message { try task.examples(in: task.train, dataDirectory: nowhere) },
            "<data>/nowhere/RTE/train.tsv: there is no directory <data>/nowhere; rte is read from this file, in GLUE's "
                + "official layout.")
    }

    func testTheMessageForAMissingDiagnosticSetNamesEveryPlace() throws {
        let text = message { try read("mnli", .test, set: 2) }
        XCTAssertTrue(text.hasPrefix("<data>/AX/diagnostic.tsv: "), text)
        XCTAssertTrue(text.contains("(or <data>/diagnostic/diagnostic.tsv, "), text)
    }

    func testADirectoryInAFilesPlaceIsAnError() throws {
        try write("", to: "RTE/train.tsv/file")
        XCTAssertEqual(message { try read("rte") }, "<data>/RTE/train.tsv: cannot be read: Is a directory.")
    }

    func testAnyBytesAreReadOrRefusedNeverFatal() throws {
        var random = SplitMix64(state: 1)
        let alphabet: [UInt8] = Array("\t\t\n\r01\"ab \0".utf8) + [0xEF, 0xBB, 0xBF, 0xC3, 0xA9, 0xFF]
        let task = try GLUE.task(named: "qqp")
        for _ in 0..<150 {
            let length = Int.random(in: 0..<60, using: &random)
            let bytes = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] }
            for header in ["", "question1\tquestion2\tis_duplicate\n"] {
                try write(Array(header.utf8) + bytes, to: "QQP/train.tsv")
                do {
                    let list = try task.examples(in: task.train, dataDirectory: directory)
                    XCTAssertFalse(list.examples.isEmpty)
                } catch {
                    XCTAssertTrue(error is DataFileError, "\(error) for \(bytes)")
                }
            }
        }
    }
}
