import Foundation
import TestSupport
import XCTest

@testable import Tasks

/// Tasks of a user's own, as files describe them.
final class TaskFileTests: DirectoryTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try write("text,label\na cat,yes\na dog,no\n", to: "train.csv")
    }

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    @discardableResult
    private func tasks(_ text: String, _ name: String = "tasks.yaml") throws -> [TaskDefinition] {
        try write(text, to: name)
        let (catalogue, names) = try TaskCatalogue.reading([path(name)])
        return try names.map { try catalogue.task(named: $0) }
    }

    /// A task with all that it needs, and further lines.
    private func task(_ more: String = "", train: String = "train.csv", label: String = "label") -> String {
        "tasks:\n  - name: own\n    type: classification\n    train: \(train)\n    text: text\n    label: \(label)\n"
            + more.split(separator: "\n").map { "    \($0)\n" }.joined()
    }

    private func assertRefuses(
        _ text: String, _ expected: String..., name: String = "tasks.yaml", line: UInt = #line
    ) {
        let found = message { try tasks(text, name) }
        XCTAssertEqual(found, expected.map { "<data>/\(name)\($0)" }.joined(separator: "\n"), line: line)
    }

    private func examples(_ task: TaskDefinition) throws -> ExampleList {
        try task.examples(in: task.train, dataDirectory: nil)
    }

    // MARK: What is wrong

    func testEverythingThatIsWrongIsSaidAtOnceWithItsLine() {
        assertRefuses(
            """
            tasks:
              - name: "a/b"
                type: clasification
                train: [missing.csv, "*.tsv"]
                dev: 120%
                text: text
                lable: label
                label: label
                weight: -1
                missing: drop
                header: maybe
                separator: ";;"
              - name: second
                type: regression
                train: train.csv
                text: text
                label: label
                metrics: [accuracy]
                label_separator: "|"
                labels: [a, b]
              - name: Second
                type: multilabel
                train: train.csv
                text: text
                label: label
                labels: [a, a]
              - name: rte
                type: classification
                train: train.csv
                text: [text, label, other]
            extra: 1
            """,
            ":2: the task name \"a/b\" can't be the name of a file; a name has 1 to 100 ASCII letters, digits, \".\", "
                + "\"_\" and \"-\", and does not begin with a dot",
            ":3: \"type\" is one of classification, regression, multilabel, tagging, span, choice; did you mean classification?",
            ":4: \"train\": there is no file <data>/missing.csv",
            ":4: \"train\": no file matches <data>/*.tsv",
            ":5: \"dev\" is a share of the training set between 0% and 100%",
            ":7: \"lable\" is no field of a task; did you mean \"label\"?",
            ":9: \"weight\" is a number above 0",
            ":10: \"missing\" is skip or error",
            ":11: \"header\" is true or false",
            ":12: \"separator\" is one ASCII character, such as \";\"",
            ":18: \"metrics\" of a regression are some of pearson, spearmanr, mae, rmse, r2",
            ":19: \"label_separator\" is for multilabel tasks",
            ":20: a regression has no labels, found [\"a\", \"b\"]",
            ":21: two tasks are named \"Second\"",
            ":26: a multilabel task wants one or more different labels, found [\"a\", \"a\"]",
            ":27: the task has no \"label\"",
            ":27: \"rte\" is a name of GLUE's; give the task another",
            ":30: \"text\" is a column's name or its number from 0, or a list of two",
            ":31: \"extra\" is no field of a task file; it has \"tasks\" alone")
    }

    func testTwoTasksOfOneNameAreRefusedInOneFileAndInTwo() throws {
        let one = task()
        assertRefuses(one + one.split(separator: "\n").dropFirst().joined(separator: "\n"),
            ":7: two tasks are named \"own\"")
        try write(one, to: "a.yaml")
        try write(one, to: "b.yaml")
        XCTAssertEqual(
            message { try TaskCatalogue.reading([path("a.yaml"), path("b.yaml")]) },
            "<data>/a.yaml:2: two tasks of this run are named \"own\"")
    }

    func testProblemsOfSeveralFilesAreSaidTogether() throws {
        try write(task("weight: 0"), to: "a.yaml")
        XCTAssertEqual(
            message { try TaskCatalogue.reading([path("a.yaml"), path("b.json"), "rte"]) },
            "<data>/a.yaml:7: \"weight\" is a number above 0\n<data>/b.json: there is no such task file")
    }

    func testWhatIsNoTaskFileIsNamed() throws {
        assertRefuses("", ":1: a task file is an object with the list \"tasks\"")
        assertRefuses("- a\n- b\n", ":1: a task file is an object with the list \"tasks\"")
        assertRefuses("tasks: []\n", ":1: a task file has the list \"tasks\", of one task or more")
        assertRefuses("tasks: 3\n", ":1: a task file has the list \"tasks\", of one task or more")
        assertRefuses("tasks: [3]\n", ":1: a task is an object with name, type, train, text and label")
        try write([0x74, 0xFF, 0xFE, 0x00], to: "tasks.yaml")
        XCTAssertEqual(
            message { try TaskCatalogue.reading([path("tasks.yaml")]) },
            "<data>/tasks.yaml: this task file is not valid UTF-8")
        for (text, line) in [("tasks:\n  - name: \"a\n", 3), ("tasks:\n - a\n  b: [c\n", 3), ("a: b\n\tc: d\n", 2)] {
            let found = message { try tasks(text) }
            XCTAssertTrue(found.hasPrefix("<data>/tasks.yaml:\(line): this is not YAML: "), found)
        }
        let control = message { try tasks("tasks: \u{1}\n") }
        XCTAssertTrue(control.hasPrefix("<data>/tasks.yaml: this is not YAML"), control)
        XCTAssertEqual(
            message { try TaskCatalogue.reading([directory.path + "/tasks.yaml/x.yaml"]) },
            "<data>/tasks.yaml/x.yaml: there is no such task file")
    }

    func testAFieldThatStandsTwiceIsNamed() {
        let found = message { try tasks(task("weight: 1\nweight: 2")) }
        XCTAssertTrue(found.contains("\"weight\" stands here twice"), found)
    }

    func testAnAnchorMayBeUsed() throws {
        XCTAssertEqual(
            try tasks(task("labels: &l [no, yes]\nmetrics: &m [acc]") + "  - {name: two, type: classification, train: "
                + "train.csv, text: text, label: label, labels: *l, metrics: *m}\n").map(\.kind.labels),
            [["no", "yes"], ["no", "yes"]])
    }

    func testPatternsAreNoAliases() throws {
        let several = (0..<200).map { _ in "\"t*.csv\"" }.joined(separator: ", ")
        let found = message { try tasks(task("labels: &a [&b yes, &c no, &d R&D]", train: "[\(several)]")) }
        XCTAssertEqual(found, "<data>/tasks.yaml:4: \"train\" has <data>/train.csv twice")
    }

    func testABombOfAnchorsNeitherHangsNorTakesMemory() {
        var lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        for level in 1...30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            lines.append("a\(level): &a\(level) [\(aliases)]")
        }
        let start = ContinuousClock.now
        for end in ["tasks: *a30", "? *a30\n: x", "tasks:\n  - {name: own, ? *a30 : x}", "tasks:\n  - *a30"] {
            XCTAssertThrowsError(try tasks((lines + [end]).joined(separator: "\n")), end)
        }
        let deep = String(repeating: "[", count: 100_000)
        XCTAssertThrowsError(try tasks("tasks: " + deep))
        XCTAssertThrowsError(try tasks("{\"tasks\": " + deep, "tasks.json"))
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(5))
    }

    // MARK: Files

    func testPathsAreRelativeToTheFile() throws {
        try write("text,label\na,yes\nb,no\n", to: "data/own.csv")
        let found = try tasks(task(train: "../data/own.csv"), "files/tasks.yaml")
        XCTAssertEqual(found[0].train.paths, [path("data/own.csv")])
        XCTAssertEqual(try tasks(task(train: path("train.csv")), "files/tasks.yaml")[0].train.paths, [path("train.csv")])
    }

    func testAPatternNamesFilesInTheirOrder() throws {
        for name in ["b", "a", "c"] { try write("text,label\n\(name),yes\n\(name),no\n", to: "[parts]/\(name).csv") }
        try FileManager.default.createDirectory(atPath: path("[parts]/d.csv"), withIntermediateDirectories: true)
        let found = try tasks(task(train: "\"*.csv\""), "[parts]/tasks.yaml")[0]
        XCTAssertEqual(found.train.paths, ["a", "b", "c"].map { path("[parts]/\($0).csv") })
        XCTAssertEqual(try examples(found).examples.map(\.first), ["a", "a", "b", "b", "c", "c"])
    }

    func testFilesThatCantBeMeantAreRefused() throws {
        try FileManager.default.createDirectory(atPath: path("folder.csv"), withIntermediateDirectories: true)
        assertRefuses(task(train: "folder.csv"), ":4: \"train\": <data>/folder.csv is a directory")
        assertRefuses(task(train: "[train.csv, \"t*.csv\"]"), ":4: \"train\" has <data>/train.csv twice")
        try write("{}", to: "train.jsonl")
        assertRefuses(
            task(train: "[train.csv, train.jsonl]"), ":4: the files of \"train\" are of several formats: csv, jsonl")
        try write("x", to: "train.txt")
        assertRefuses(
            task(train: "train.txt"),
            ":4: <data>/train.txt: the ending says no format; give \"format\": tsv, csv, jsonl, conll, squad, mrqa")
    }

    func testATaskFileMayBeJSON() throws {
        let text = """
            {
            \t"tasks": [{
            \t\t"name": "own", "type": "classification", "train": "train.csv", "text": "text", "label": "label",
            \t\t"labels": ["yes", "no", "\\ud83d\\ude00"], "weight": 0.5, "dev": 0.1, "header": true,
            \t\t"metrics": ["macro_f1"]
            \t}]
            }
            """
        let task = try tasks(text, "tasks.json")[0]
        XCTAssertEqual(task.kind.labels, ["yes", "no", "😀"])
        XCTAssertEqual(task.weight, 0.5)
        XCTAssertEqual(task.devShare, 0.1)
        XCTAssertEqual(task.measured, [.macroF1])
        assertRefuses(
            text.replacingOccurrences(of: "0.5", with: "0"), ":4: \"weight\" is a number above 0", name: "tasks.json")
        let found = message { try tasks("{\n\"tasks\": [}\n", "tasks.json") }
        XCTAssertTrue(found.hasPrefix("<data>/tasks.json:2: this is not "), found)
    }

    func testACompressedTrainingSetIsRead() throws {
        let script = "import gzip,sys;open(sys.argv[1],'wb').write(gzip.compress(b'text,label\\na,yes\\n')"
            + "+gzip.compress(b'b,no\\n'))"
        try FileManager.default.createDirectory(atPath: path("data"), withIntermediateDirectories: true)
        XCTAssertEqual(try SystemPython.run(["-c", script, path("data/own.csv.gz")]).status, 0)
        let task = try tasks(task(train: "data/own.csv.gz"))[0]
        XCTAssertEqual(task.kind.labels, ["no", "yes"])
        XCTAssertEqual(try examples(task).examples.map(\.first), ["a", "b"])
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: path("data")), ["own.csv.gz"])
        let whole = try Data(contentsOf: URL(fileURLWithPath: path("data/own.csv.gz")))
        try write(whole.dropLast(5), to: "data/own.csv.gz")
        XCTAssertEqual(
            message { try tasks(self.task(train: "data/own.csv.gz")) },
            "<data>/data/own.csv.gz: cannot be read: it is not whole: its end is cut off.")
        var altered = Array(whole)
        altered[20] ^= 0xFF
        try write(altered, to: "data/own.csv.gz")
        XCTAssertEqual(
            message { try tasks(self.task(train: "data/own.csv.gz")) },
            "<data>/data/own.csv.gz: cannot be read: it is not valid gzip data: it was cut off or altered.")
    }

    func testSeveralTrainingFilesAreOneSet() throws {
        try write("label,text\nmaybe,third\n", to: "more.csv")
        let task = try tasks(task(train: "[train.csv, more.csv]"))[0]
        XCTAssertEqual(task.kind.labels, ["maybe", "no", "yes"])
        XCTAssertEqual(
            try examples(task).examples,
            [
                Example(first: "a cat", target: [2], line: 2), Example(first: "a dog", target: [1], line: 3),
                Example(first: "third", target: [0], line: 2),
            ])
    }

    // MARK: Labels

    private func labels(_ values: [String], _ more: String = "") throws -> [String] {
        try write((["text,label"] + values.map { "x,\($0)" }).joined(separator: "\n"), to: "own.csv")
        return try tasks(task(more, train: "own.csv"))[0].kind.labels
    }

    func testLabelsThatAreFoundAreInTheOrderOfTheirNumbersOrElseOfTheirCodePoints() throws {
        XCTAssertEqual(try labels(["10", "9", "-1", "10", "2"]), ["-1", "2", "9", "10"])
        XCTAssertEqual(try labels(["10", "9", "b", "a", "B", "é", "z"]), ["10", "9", "B", "a", "b", "z", "é"])
        XCTAssertEqual(try labels(["\u{1F600}", "\u{FF5E}"]), ["\u{FF5E}", "\u{1F600}"])
    }

    func testLabelsThatAreListedKeepTheirOrder() throws {
        XCTAssertEqual(try labels(["no", "yes"], "labels: [yes, no, 3]"), ["yes", "no", "3"])
        XCTAssertEqual(try labels(["1", "0"], "labels: [1, 0]"), ["1", "0"])
    }

    func testALabelThatIsNotListedIsNamedWithItsLine() throws {
        let task = try tasks(task("labels: [yes, never]"))[0]
        XCTAssertEqual(
            message { try examples(task) },
            "<data>/train.csv:3: unknown label \"no\"; the labels are yes, never.")
    }

    func testTooFewAndTooManyLabelsAreRefused() throws {
        XCTAssertEqual(
            message { try labels(["a", "a"]) },
            "<data>/tasks.yaml:2: the training set of own has too few labels: a classification wants two or more "
                + "different labels, found [\"a\"]")
        XCTAssertEqual(
            message { try labels((0...10_000).map { "\($0)" }) },
            "<data>/tasks.yaml:2: own has more than 10000 labels in its training set: is \"label\" the right column, or "
                + "the task a regression?")
    }

    func testAColumnThatIsMissingIsNamedWithTheNearest() throws {
        XCTAssertEqual(
            message { try tasks(task(label: "labels")) },
            "<data>/train.csv:1: the header has no column \"labels\": did you mean \"label\"? It has \"text\", \"label\".")
    }

    func testColumnsThatContradictTheFileAreRefused() {
        assertRefuses(task(label: "1"), ":6: columns are named by their names or by their numbers, not by both")
        assertRefuses(task(label: "text"), ":6: the column \"text\" is a text and the label, too")
        assertRefuses(task("header: false"), ":7: without a header, columns are named by their numbers")
        assertRefuses(task("format: jsonl\nseparator: \";\""), ":8: \"separator\" is for csv, tsv and conll")
        assertRefuses(
            task("format: jsonl", label: "1").replacingOccurrences(of: "text: text", with: "text: 0"),
            ":6: columns of jsonl are named by their names")
    }

    // MARK: Rows

    func testRowsWithoutALabelAreSkippedAndCountedWhereThatIsAsked() throws {
        try write("text,label\na,yes\nb,\nc,no\nd,\n", to: "own.csv")
        let task = try tasks(task("missing: skip", train: "own.csv"))[0]
        let list = try examples(task)
        XCTAssertEqual(list.examples.map(\.first), ["a", "c"])
        XCTAssertEqual(list.skippedRows, 2)
        let other = try tasks(self.task(train: "own.csv"))[0]
        XCTAssertEqual(
            message { try examples(other) }, "<data>/own.csv:3: unknown label \"\"; the labels are no, yes.")
    }

    func testATaskWhoseRowsHaveNoLabelsIsRefused() throws {
        try write("text,label\na,\nb,\n", to: "own.csv")
        XCTAssertEqual(
            message { try tasks(task("missing: skip", train: "own.csv")) },
            "<data>/tasks.yaml:2: the training set of own has too few labels: a classification wants two or more "
                + "different labels, found []")
        let listed = try tasks(task("missing: skip\nlabels: [a, b]", train: "own.csv"))[0]
        XCTAssertEqual(message { try examples(listed) }, "<data>/own.csv: the file holds no examples.")
    }

    func testARaggedRowIsNamed() throws {
        try write("text,label\na,yes\nb,no,more\nc\n", to: "own.csv")
        let task = try tasks(task(train: "own.csv"))[0]
        XCTAssertEqual(
            message { try examples(task) }, "<data>/own.csv:4: found 1 column, but \"label\" is column 2.")
    }

    private func multi(_ label: String, _ more: String = "", train: String) throws -> TaskDefinition {
        try tasks(
            task(more, train: train, label: label).replacingOccurrences(of: "classification", with: "multilabel"))[0]
    }

    func testLabelsMayBeAColumnEach() throws {
        try write("text,toxic,rude\na,0,1\nb,1,1\nc,0,0\n", to: "own.csv")
        let task = try multi("[rude, toxic]", train: "own.csv")
        XCTAssertEqual(task.kind.labels, ["rude", "toxic"])
        XCTAssertEqual(try examples(task).examples.map(\.target), [[1, 0], [1, 1], [0, 0]])
        try write("text,toxic,rude\na,0,1\nb,1,2\n", to: "own.csv")
        XCTAssertEqual(
            message { try examples(task) },
            "<data>/own.csv:3: unknown label \"2 in \\\"rude\\\"\"; the labels are 0, 1.")
        try write("text,toxic,rude\na,0,1\nb,1,\n", to: "own.csv")
        let list = try examples(multi("[rude, toxic]", "missing: skip", train: "own.csv"))
        XCTAssertEqual(list.examples.map(\.target), [[1, 0]])
        XCTAssertEqual(list.skippedRows, 1)
    }

    func testASeparatorCutsLabelsAndAListHasThem() throws {
        try write("text,label\na,x | y\nb,\nc,z|\nd,y|y\n", to: "own.csv")
        let task = try multi("label", "label_separator: \"|\"", train: "own.csv")
        XCTAssertEqual(task.kind.labels, ["x", "y", "z"])
        XCTAssertEqual(try examples(task).examples.map(\.target), [[1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0]])
        let rows = ["[\"x\", \"y\"]", "[]", "\"\"", "\"z\""].map { "{\"text\": \"a\", \"label\": \($0)}" }
        try write(rows.joined(separator: "\n"), to: "own.jsonl")
        let listed = try multi("label", train: "own.jsonl")
        XCTAssertEqual(listed.kind.labels, ["x", "y", "z"])
        XCTAssertEqual(try examples(listed).examples.map(\.target), [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]])
    }

    func testColumnsMayBeNumbered() throws {
        try write("a;yes\nb;no\n", to: "own.csv")
        let text = task("header: false\nseparator: \";\"", train: "own.csv", label: "1")
            .replacingOccurrences(of: "text: text", with: "text: 0")
        XCTAssertEqual(try examples(tasks(text)[0]).examples.map(\.first), ["a", "b"])
    }
}
