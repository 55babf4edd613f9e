import Files
import Foundation
import TestSupport
import XCTest

@testable import Tasks

/// What is said of data before anything is trained on it.
final class InspectionTests: DirectoryTestCase {
    private func report(
        _ tasks: String, tokens: Bool = false, limit: Int = 128, dev: DataInspection.DevPart? = nil
    ) throws -> [TaskReport] {
        let url = try write(tasks, to: "tasks.yaml")
        let (catalogue, names) = try TaskCatalogue.reading([url.path])
        let inspection = DataInspection(
            tokenizer: tokens ? try TestData.tokenizer() : nil, maxSequenceLength: limit, dataDirectory: nil,
            devPart: dev ?? { _, strata in strata.indices.map { $0 % 2 == 1 } })
        return try inspection.report(on: names, in: catalogue).tasks
    }

    private let pairs = """
        tasks:
          - {name: own, type: classification, train: train.csv, dev: dev.jsonl, test: test.tsv, text: [a, b],
             label: y, labels: [no, yes], metrics: [accuracy, f1, mcc, log_loss]}
        """

    private func writePairs() throws {
        // The second and the last but two rows are the first one, written in other ways; the fourth has its texts cut
        // elsewhere.
        let train = [
            "a,b,y", "the cat,a dog,no", #""the cat",a dog,yes"#, "the  cat,a dog,no", "the cata, dog,no",
            "The cat,a dog,no", "cat,\"a\nb\",no", "cat,\"a\nb\",no", "cat,\"a\nb\",no", #""the cat","a dog",no"#,
            "dog,,yes", "dog,,yes",
        ]
        try write(train.map { $0 + "\n" }.joined(), to: "train.csv")
        let dev = [
            #"{"a": "the cat", "b": "\u0061 dog", "y": "yes"}"#, #"{"a": "cat", "b": "a\nb", "y": "no"}"#,
            #"{"a": "the c\u0061t", "b": "a dog", "y": "yes"}"#, #"{"a": "new", "b": "", "y": "no"}"#,
        ]
        try write(dev.map { $0 + "\n" }.joined(), to: "dev.jsonl")
        try write("a\tb\nthe cat\ta dog.\nthe cat\ta dog\n\"the cat\"\ta dog\n", to: "test.tsv")
    }

    func testRowsAreEqualWhereAllTheirTextsAreByteForByteAsRead() throws {
        try writePairs()
        let sets = try report(pairs)[0].sets
        XCTAssertEqual(sets.map(\.split), [.train, .dev, .test])
        XCTAssertEqual(sets.map(\.rows), [11, 4, 3])
        func place(_ file: String, _ line: Int) -> String { directory.appendingPathComponent(file).path + ":\(line)" }
        XCTAssertEqual(
            sets[0].duplicates,
            SetReport.Duplicates(
                rows: 5, texts: 3, conflictingTexts: 1, conflictingRows: 3,
                examples: [
                    [place("train.csv", 2), place("train.csv", 3)], [place("train.csv", 7), place("train.csv", 9)],
                    [place("train.csv", 14), place("train.csv", 15)],
                ], conflictExamples: [[place("train.csv", 2), place("train.csv", 3)]]))
        XCTAssertNil(sets[0].shared)
        XCTAssertEqual(sets[1].duplicates.rows, 1)
        XCTAssertEqual(sets[1].duplicates.conflictingTexts, 0)
        XCTAssertEqual(
            sets[1].shared,
            SetReport.Shared(
                rows: 3, trainRows: 6,
                examples: [
                    [place("dev.jsonl", 1), place("train.csv", 2)], [place("dev.jsonl", 2), place("train.csv", 7)],
                ]))
        XCTAssertEqual(sets[2].duplicates.rows, 0)
        XCTAssertEqual(
            sets[2].shared,
            SetReport.Shared(rows: 1, trainRows: 3, examples: [[place("test.tsv", 3), place("train.csv", 2)]]))
    }

    func testAMajorityBaselineIsMeasuredWithTheTasksMetrics() throws {
        try writePairs()
        let report = try report(pairs)[0]
        XCTAssertEqual(report.sets.map(\.targets)[0], [TargetFigure("labels", .labels([("no", 8), ("yes", 3)]))])
        XCTAssertEqual(report.sets[2].targets, [])
        let score = try XCTUnwrap(report.baselines.first)
        XCTAssertEqual(report.baselines.count, 1)
        XCTAssertEqual(score.baseline.name, "majority")
        XCTAssertEqual(score.baseline.prediction, "no")
        XCTAssertEqual(score.scores[.accuracy], 0.5)
        XCTAssertEqual(score.scores[.f1], 0)
        XCTAssertEqual(score.scores[.matthews], 0)
        let expected = -(2 * log(8.0 / 11) + 2 * log(3.0 / 11)) / 4
        XCTAssertEqual(try XCTUnwrap(score.scores[.logLoss]), expected, accuracy: 1e-6)
    }

    func testNumbersHaveTheirSpreadAndTheirMeanForABaseline() throws {
        try write("t\tn\na\t1\nb\t2\nc\t6\n", to: "train.tsv")
        try write("t\tn\na\t1\nb\t5\n", to: "dev.tsv")
        let report = try report(
            """
            tasks: [{name: n, type: regression, train: train.tsv, dev: dev.tsv, text: t, label: n,
                     metrics: [pearson, mae, rmse]}]
            """)[0]
        XCTAssertEqual(report.sets[0].targets.map(\.name), ["mean", "standard_deviation", "lowest", "highest"])
        let values = report.sets[0].targets.map { if case .number(let value) = $0.value { value } else { Double.nan } }
        for (value, expected) in zip(values, [3, (14.0 / 3).squareRoot(), 1, 6]) {
            XCTAssertEqual(value, expected, accuracy: 1e-12)
        }
        let scores = try XCTUnwrap(report.baselines.first).scores
        XCTAssertEqual(try XCTUnwrap(scores[.pearson]).isNaN, true)
        XCTAssertEqual(scores[.meanAbsoluteError], 2)
        XCTAssertEqual(scores[.rootMeanSquaredError], 2)
    }

    func testSeveralLabelsHaveTheirSharesAndTheirNumberARow() throws {
        try write(
            ["a|b", "b", "", "b|c"].map { "{\"t\": \"\($0)\", \"y\": \"\($0)\"}\n" }.joined(), to: "train.jsonl")
        try write(["b", "a|b", "c"].map { "{\"t\": \"\($0)!\", \"y\": \"\($0)\"}\n" }.joined(), to: "dev.jsonl")
        let report = try report(
            """
            tasks: [{name: m, type: multilabel, train: train.jsonl, dev: dev.jsonl, text: t, label: y,
                     label_separator: "|", metrics: [micro_f1, macro_f1, subset_accuracy]}]
            """)[0]
        XCTAssertEqual(
            report.sets[0].targets,
            [
                TargetFigure("labels", .labels([("a", 1), ("b", 3), ("c", 1)])),
                TargetFigure("labels_per_row", .number(1.25)), TargetFigure("most_labels", .count(2)),
                TargetFigure("without_label", .count(1)),
            ])
        let score = try XCTUnwrap(report.baselines.first)
        XCTAssertEqual(score.baseline.prediction, "b")
        XCTAssertEqual(try XCTUnwrap(score.scores[.microF1]), 2 * 2 / 7, accuracy: 1e-12)
        XCTAssertEqual(try XCTUnwrap(score.scores[.macroF1]), 0.8 / 3, accuracy: 1e-12)
        XCTAssertEqual(try XCTUnwrap(score.scores[.subsetAccuracy]), 1.0 / 3, accuracy: 1e-12)
    }

    func testLengthsAreThoseOfRowsThatAreNotCut() throws {
        // With three special tokens: 3 + 2n for n from 0 to 19.
        let rows = (0..<20).map { n in
            let text = Array(repeating: "cat", count: n).joined(separator: " ")
            return "\(text)\t\(text)\tyes\n"
        }
        try write("a\tb\ty\n" + rows.joined(), to: "t.tsv")
        let tasks = """
            tasks: [{name: own, type: classification, train: t.tsv, dev: t.tsv, text: [a, b], label: y,
                     labels: [no, yes]}]
            """
        let lengths = try XCTUnwrap(report(tasks, tokens: true, limit: 37)[0].sets[0].lengths)
        XCTAssertEqual([50, 95, 100].map(lengths.percentile), [21, 39, 41])
        XCTAssertEqual(lengths.cutRows, 2)
        XCTAssertEqual(lengths.cutShare, 0.1)
        XCTAssertNil(try report(tasks)[0].sets[0].lengths)
    }

    func testADevShareIsInspectedAsASetOfItsOwn() throws {
        try write(
            "t,y\n" + ["a,x", "a,y", "b,y", "c,x", "c,x", "d,y", ",x", "a,"].map { $0 + "\n" }.joined(), to: "t.csv")
        let report = try report(
            """
            tasks: [{name: own, type: classification, train: t.csv, dev: 50%, text: t, label: y, labels: [x, y],
                     missing: skip}]
            """, dev: { task, strata in
                XCTAssertEqual(task.devShare, 0.5)
                XCTAssertEqual(strata, [0, 1, 1, 0, 0, 1, 0])
                return [false, true, false, true, true, false, false]
            })[0]
        XCTAssertEqual(report.sets.map(\.rows), [4, 3])
        XCTAssertEqual(report.sets.map(\.share), [0.5, 0.5])
        XCTAssertEqual(report.sets.map(\.skippedRows), [1, 0])
        XCTAssertEqual(report.sets[0].targets, [TargetFigure("labels", .labels([("x", 2), ("y", 2)]))])
        XCTAssertEqual(report.sets.map(\.duplicates.rows), [0, 1])
        XCTAssertEqual(report.sets[1].shared?.rows, 1)
    }

    func testAllThatIsWrongWithTheDataIsSaidAtOnce() throws {
        try write("t,y\na,x\nb,z\n\"c\",q\nd,\"x\n", to: "train.csv")
        try write("t,y\n" + String(repeating: "a,z\n", count: 30), to: "dev.csv")
        try write("", to: "empty.csv")
        let text = message {
            try report(
                """
                tasks:
                  - {name: a, type: classification, train: train.csv, dev: dev.csv, text: t, label: y, labels: [x, y]}
                  - {name: b, type: regression, train: train.csv, dev: [dev.csv, empty.csv], text: u, label: y}
                """)
        }
        let lines = text.split(separator: "\n").map(String.init)
        XCTAssertEqual(lines[0], "<data>/train.csv:3: unknown label \"z\"; the labels are x, y.")
        XCTAssertEqual(lines[1], "<data>/train.csv:4: unknown label \"q\"; the labels are x, y.")
        XCTAssertTrue(lines[2].hasPrefix("<data>/train.csv:5: a field opens with a quote"), lines[2])
        XCTAssertEqual(lines[3...22].map { $0 }, (2...21).map { "<data>/dev.csv:\($0): unknown label \"z\"; the labels are x, y." })
        XCTAssertTrue(lines[23].hasPrefix("<data>/train.csv:1: the header has no column \"u\""), lines[23])
        XCTAssertTrue(lines[24].hasPrefix("<data>/dev.csv:1: the header has no column \"u\""), lines[24])
        XCTAssertEqual(lines[25], "<data>/empty.csv: the file holds no examples.")
        XCTAssertEqual(lines[26], "And 10 more rows are damaged.")
        XCTAssertEqual(lines.count, 27)
    }

    func testAFileOnDiskHoldsTheRowsThatMemoryDoesNot() throws {
        func repetitions(mostInMemory: Int) throws -> [RowRepetitions] {
            let index = RowIndex(scratch: directory, mostInMemory: mostInMemory)
            var random = SplitMix64(state: 5)
            for line in 0..<4000 {
                let text = "\(Int.random(in: 0..<3000, using: &random))"
                let fingerprint = Array(text.utf8).withUnsafeBytes {
                    RowFingerprint([FieldTexts(values: [$0[...]], isList: false)])
                }
                try index.add(
                    RowEntry(fingerprint, target: [Float(line % 2)], set: line % 3, file: line % 3, line: line))
            }
            return try index.repetitions(setCount: 3)
        }
        let inMemory = try repetitions(mostInMemory: 1 << 20)
        XCTAssertEqual(try repetitions(mostInMemory: 130), inMemory)
        XCTAssertGreaterThan(inMemory[1].shared, 0)
        XCTAssertGreaterThan(inMemory[2].conflictingRows, 0)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: directory.path), [])
    }

    /// Counts with Python what is equal in the sets of real tasks.
    func testRealDataHasTheDuplicatesAndLeaksThatPythonCounts() throws {
        let data = try TestData.sharedFile("data/glue_data")
        let snli = try TestData.sharedFile("data/extra/SNLI_sample")
        let tasks = try write(
            """
            tasks: [{name: snli, type: classification, train: \(snli.path)/train.tsv, dev: \(snli.path)/dev.tsv,
                     test: \(snli.path)/snli_1.0_test_hard.jsonl, text: [sentence1, sentence2], label: gold_label}]
            """, to: "snli.yaml")
        let (catalogue, names) = try TaskCatalogue.reading([tasks.path, "qqp", "qnli", "sts-b", "rte"])
        let inspection = DataInspection(tokenizer: nil, maxSequenceLength: 128, dataDirectory: data) { _, strata in
            strata.map { _ in false }
        }
        for report in try inspection.report(on: names, in: catalogue).tasks {
            let files = report.sets.flatMap { set in
                report.task.files(for: set.split).flatMap { (try? $0.urls(in: data).map(\.path)) ?? [] }
            }
            let columns = report.task.train.columns
            let python = try SystemPython.run(
                ["-c", InspectionTests.count, columns.first.description, columns.second?.description ?? "",
                    columns.labelColumns[0].description] + files)
            let expected = report.sets.map { set in
                "\(set.rows) \(set.duplicates.rows) \(set.duplicates.texts) "
                    + (set.split == .test
                        ? "" : "\(set.duplicates.conflictingTexts) \(set.duplicates.conflictingRows) ")
                    + (set.shared.map { "\($0.rows) \($0.trainRows)" } ?? "0 0")
            }
            XCTAssertEqual(python.text.split(separator: "\n").map(String.init), expected, report.task.name)
        }
    }

    /// A line a file: rows, rows that repeat one, texts of these; texts with different labels and their rows, where there
    /// are labels; rows that are in the first file, too, and their rows there.
    private static let count = """
        import collections, json, sys
        first, second, label, *files = sys.argv[1:]
        train = None
        for path in files:
            text = open(path, encoding="utf-8-sig", newline="").read().replace("\\r\\n", "\\n").rstrip("\\n ")
            if path.endswith(".jsonl"):
                rows = [json.loads(line) for line in text.split("\\n")]
            else:
                lines = [line.split("\\t") for line in text.split("\\n")]
                rows = [dict(zip(lines[0], line)) for line in lines[1:]]
            texts = collections.Counter((row[first], row[second]) for row in rows)
            several = [text for text in texts if texts[text] > 1]
            counts = [len(rows), len(rows) - len(texts), len(several)]
            if "test" not in path.rsplit("/", 1)[1]:
                labels = collections.defaultdict(set)
                for row in rows:
                    labels[row[first], row[second]].add(float(row[label]) if label == "score" else row[label])
                conflicting = [text for text in several if len(labels[text]) > 1]
                counts += [len(conflicting), sum(texts[text] for text in conflicting)]
            shared = [] if train is None else [text for text in texts if text in train]
            counts += [sum(texts[text] for text in shared), sum(train[text] for text in shared)]
            train = train or texts
            print(*counts)
        """
}
