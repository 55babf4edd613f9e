import Files
import Foundation
import XCTest

@testable import Tasks

/// The fields of a task file that are for some types of task: what they do, what they are refused for, and what a model
/// records of them.
final class KindOptionsTests: DirectoryTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try write("text,label\na,yes\nb,no\nc,no\nd,no\n", to: "train.csv")
    }

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    private func task(
        _ type: String, _ more: String, train: String = "train.csv", text: String = "text", in head: TaskHead? = nil
    ) throws -> TaskDefinition {
        try write(
            "tasks:\n  - name: own\n    type: \(type)\n    train: \(train)\n    text: \(text)\n    label: label\n"
                + more.split(separator: "\n").map { "    \($0)\n" }.joined(), to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([path("tasks.yaml")])
        return try catalogue.task(named: "own", in: head)
    }

    private func assertRefuses(_ type: String, _ more: String, _ expected: String..., line: UInt = #line) {
        XCTAssertEqual(
            message { try task(type, more) }, expected.map { "<data>/tasks.yaml\($0)" }.joined(separator: "\n"),
            line: line)
    }

    /// The head as a model's `config.json` gives it back.
    private func recorded(_ task: TaskDefinition) throws -> (json: [String: Any], head: TaskHead) {
        let data = try JSONEncoder().encode(task.head)
        let json = try XCTUnwrap(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return (json, try JSONDecoder().decode(TaskHead.self, from: data))
    }

    // MARK: What is refused

    func testAllThatIsWrongWithOptionsIsSaidAtOnceWithItsLines() {
        assertRefuses(
            "classification",
            "labels: [no, yes]\nclass_weights: {no: 1, yas: 2}\nlabel_smoothing: 1\npositive: maybe\nthreshold: 0.5\n"
                + "standardize: true\nmetrics: [f1]",
            ":8: \"class_weights\": \"yas\" is no label; did you mean \"yes\"?",
            ":9: \"label_smoothing\" is a number from 0 to below 1",
            ":10: \"positive\": \"maybe\" is no label; the labels are no, yes",
            ":11: \"threshold\" is for multilabel tasks", ":12: \"standardize\" is for regression tasks")
        assertRefuses("regression", "standardize: 1", ":7: \"standardize\" is true or false")
        assertRefuses(
            "regression", "class_weights: balanced", ":7: \"class_weights\" is for classification tasks")
        assertRefuses(
            "multilabel", "threshold: 1", ":7: \"threshold\" is best, or a number above 0 and below 1, or one for each label")
        assertRefuses(
            "multilabel", "threshold: best", ":7: \"threshold\" is found on a dev set, and the task has no \"dev\"")
        for wrong in ["some", "{no: 0}", "{no: -1}", "[1, 2]", ".nan", "{no: .inf}", "{no: yes}"] {
            assertRefuses(
                "classification", "class_weights: \(wrong)",
                ":7: \"class_weights\" is balanced, or a number above 0 for each label that doesn't weigh 1")
        }
        assertRefuses(
            "classification", "positive: yes",
            ":7: \"positive\" is for the metric f1 or average_precision, which the task does not have")
        assertRefuses(
            "classification", "class_weigths: balanced",
            ":7: \"class_weigths\" is no field of a task; did you mean \"class_weights\"?")
        assertRefuses(
            "classification", "metrics: [auroc, average_precison]",
            ":7: \"metrics\" of a classification are some of acc, f1, macro_f1, micro_f1, weighted_f1, mcc, auroc, "
                + "average_precision, log_loss, ece; did you mean average_precision?")
    }

    /// Labels that are found are known when the training set is read.
    func testAnOptionThatDoesNotFitTheLabelsThatAreFoundIsNamedWithItsLine() {
        assertRefuses(
            "classification", "metrics: [f1]\npositive: yess",
            ":8: \"positive\": \"yess\" is no label; did you mean \"yes\"?")
    }

    // MARK: Classification

    func testBalancedWeightsAreCountedInTheTrainingSetAndRecorded() throws {
        var own = try task("classification", "class_weights: balanced\nlabel_smoothing: 0.1")
        XCTAssertEqual(own.kind.unfoundOption, "class_weights: balanced")
        let targets = try own.examples(in: own.train, dataDirectory: nil).examples.map(\.target)
        own.kind = try own.kind.fitted(toTraining: targets)
        XCTAssertNil(own.kind.unfoundOption)
        // 4 examples, 2 classes: 4 / (2 · 3) and 4 / (2 · 1).
        XCTAssertEqual((own.kind as? Classification)?.classWeights, [4.0 / 6, 2])
        let (json, head) = try recorded(own)
        XCTAssertEqual(json["class_weights"] as? [String: Double], ["no": 4.0 / 6, "yes": 2])
        XCTAssertEqual(json["label_smoothing"] as? Double, 0.1)
        // To evaluate the model, the weights are the model's.
        let again = try task("classification", "class_weights: balanced\nlabel_smoothing: 0.1", in: head)
        XCTAssertNil(again.kind.unfoundOption)
        XCTAssertEqual(again.head, head)
        XCTAssertThrowsError(try own.kind.fitted(toTraining: [[0], [0]])) {
            XCTAssertTrue("\($0)".contains("the training set has no example of \"yes\""), "\($0)")
        }
    }

    func testALabelThatIsNotNamedWeighsOne() throws {
        let kind = try task("classification", "class_weights: {yes: 2.5}").kind
        XCTAssertEqual((kind as? Classification)?.classWeights, [1, 2.5])
        // Labels that look like numbers are named by numbers.
        try write("text,label\na,0\nb,1\n", to: "numbers.csv")
        let numbers = try task("classification", "class_weights: {1: 3}", train: "numbers.csv").kind
        XCTAssertEqual((numbers as? Classification)?.classWeights, [1, 3])
    }

    func testF1AndAveragePrecisionAreOfThePositiveLabel() throws {
        let logits: [Float] = [2, 0, 1, 0, 0, 1], targets: [Float] = [0, 1, 1]
        func scores(_ more: String) throws -> [Double?] {
            let own = try task("classification", "metrics: [f1, average_precision]\n" + more)
            let scores = try own.scores(logits: logits, labels: targets)
            return [scores[.f1], scores[.averagePrecision]]
        }
        XCTAssertEqual(try scores("positive: no"), [2.0 / 3, 1])
        XCTAssertEqual(try scores("positive: yes"), try scores(""))
        XCTAssertEqual(try scores("")[0], 2.0 / 3)
        try write("text,label\na,x\nb,y\nc,z\n", to: "three.csv")
        let three = try task("classification", "metrics: [f1]\npositive: z", train: "three.csv")
        let rows: [Float] = [0, 0, 1, 0, 1, 0, 0, 0, 1]
        XCTAssertEqual(try XCTUnwrap(three.scores(logits: rows, labels: [2, 2, 0])[.f1]), 0.5)
    }

    // MARK: Regression

    func testStandardizedPredictionsAndMetricsAreInTheLabelsUnit() throws {
        try write("text,label\na,90\nb,110\n", to: "numbers.csv")
        var own = try task("regression", "standardize: true\nmetrics: [mae, r2]", train: "numbers.csv")
        own.kind = try own.kind.fitted(toTraining: [[90], [110]])
        let (json, head) = try recorded(own)
        XCTAssertEqual(json["standardize"] as? [String: Double], ["mean": 100, "deviation": 10])
        XCTAssertEqual(head.kind.answer([0.5]).value, 105)
        XCTAssertEqual(own.kind.loss([0.5], target: [110]), 0.25)
        XCTAssertEqual(try own.scores(logits: [-1, 0.5], labels: [90, 110])[.meanAbsoluteError], 2.5)
        // A model keeps its unit, and another one is refused.
        let again = try task("regression", "standardize: true", train: "numbers.csv", in: head)
        XCTAssertEqual(again.kind.answer([0.5]).value, 105)
        XCTAssertEqual(try again.kind.fitted(toTraining: [[0], [1]]).answer([0.5]).value, 105)
        XCTAssertEqual(
            message { try task("regression", "", train: "numbers.csv", in: head) },
            "<data>/tasks.yaml:2: the model's labels are standardized, and here \"standardize\" is false: give what it was "
                + "trained with, or train another")
        let equal = try own.kind.with(["standardize": .bool(true)]).fitted(toTraining: [[7], [7]])
        XCTAssertEqual(equal.answer([0]).value, 7)
    }

    func testAPredictedNumberIsWrittenWithAllItsDigits() throws {
        XCTAssertEqual(Regression().answer([0.12345678]).text, "0.12345678")
        XCTAssertEqual(Regression().answer([-3e-20]).text, "-3e-20")
        for _ in 0..<100 {
            let value = Float.random(in: -1e6...1e6)
            XCTAssertEqual(Float(Regression().answer([value]).text), value)
        }
        // GLUE's server has three decimals.
        XCTAssertEqual(try GLUE.task(named: "sts-b").kind.answer([5.2]).text, "5.000")
    }

    // MARK: Multilabel

    func testThresholdsAreTheModels() throws {
        let rows = [#"{"text": "a", "label": ["x"]}"#, #"{"text": "b", "label": ["y"]}"#]
        try write(rows.joined(separator: "\n"), to: "own.jsonl")
        func own(_ more: String, in head: TaskHead? = nil) throws -> TaskDefinition {
            try task("multilabel", more, train: "own.jsonl", in: head)
        }
        let fixed = try own("threshold: 0.8")
        XCTAssertEqual(fixed.kind.answer([1, 2]).labels, ["y"])
        XCTAssertEqual(try recorded(fixed).head.kind.answer([1, 2]).labels, ["y"])
        XCTAssertEqual(try own("threshold: {x: 0.7, y: 0.9}").kind.answer([1, 2]).labels, ["x"])
        XCTAssertTrue(message { try own("threshold: {x: 0.7}") }.contains("has no number for the label \"y\""))
        var best = try own("threshold: best\ndev: 50%")
        XCTAssertTrue(best.kind.fitsDevSet)
        // Of x the two highest, of y the highest alone are true.
        best.kind = best.kind.fitted(toDevLogits: [-1, 2, -2, 1, -3, 0], targets: [1, 1, 1, 0, 0, 0])
        XCTAssertEqual(best.kind.answer([-2, 1]).labels, ["x"])
        let (json, head) = try recorded(best)
        XCTAssertEqual((json["threshold"] as? [String: Double])?.keys.sorted(), ["x", "y"])
        XCTAssertEqual(try own("threshold: best\ndev: 50%", in: head).kind.answer([-2, 1]).labels, ["x"])
        // A label without an example keeps one half.
        let none = best.kind.fitted(toDevLogits: [-1, 2], targets: [1, 0])
        XCTAssertEqual((none as? MultiLabel)?.thresholds?[1], 0.5)
    }

    func testARecordThatCanNotBeIsRefused() {
        for (type, option) in [
            ("\"regression\"", "\"standardize\": {\"mean\": 1, \"deviation\": 0}"),
            ("\"multilabel\", \"labels\": [\"a\"]", "\"threshold\": {\"a\": 2}"),
            ("\"multilabel\", \"labels\": [\"a\"]", "\"threshold\": {\"b\": 0.5}"),
            ("\"classification\", \"labels\": [\"a\", \"b\"]", "\"label_smoothing\": \"much\""),
        ] {
            let json = "{\"name\": \"own\", \"type\": \(type), \(option)}"
            XCTAssertThrowsError(try JSONDecoder().decode(TaskHead.self, from: Data(json.utf8)), json) {
                XCTAssertTrue("\($0)".hasPrefix("the model's entry for task \"own\" is malformed"), "\($0)")
            }
        }
    }

    func testTheExampleOfTheDocumentationIsAFileThatIsRead() throws {
        let examples = TestData.packageRoot.appendingPathComponent("Examples/tickets/options.yaml")
        let page = try String(
            contentsOf: TestData.packageRoot.appendingPathComponent("Documentation/Tasks.md"), encoding: .utf8)
        let file = try String(contentsOf: examples, encoding: .utf8)
        XCTAssertTrue(page.contains(file.split(separator: "\n").dropFirst().joined(separator: "\n")))
        let (catalogue, names) = try TaskCatalogue.reading([examples.path])
        XCTAssertEqual(try names.map { try catalogue.task(named: $0).kind.unfoundOption }, [
            "class_weights: balanced", "threshold: best",
        ])
    }

    // MARK: Rows of JSON

    private func jsonTask(_ rows: [String], text: String = "text", _ more: String = "") throws -> TaskDefinition {
        try write(rows.joined(separator: "\n"), to: "own.jsonl")
        return try task("classification", more, train: "own.jsonl", text: text)
    }

    func testNumbersThatAreEqualAreOneLabelHoweverTheyAreSpelt() throws {
        let rows = ["1", "1.0", "10e-1", "2", "0.5", "5E-1"].map { "{\"text\": \"a\", \"label\": \($0)}" }
        let found = try jsonTask(rows)
        XCTAssertEqual(found.kind.labels, ["0.5", "1", "2"])
        XCTAssertEqual(
            try found.examples(in: found.train, dataDirectory: nil).examples.map(\.target), [[1], [1], [1], [2], [0], [0]])
        // Labels that are listed keep their spelling.
        let listed = try jsonTask(rows, "labels: [2.0, 1.0, 0.50]")
        XCTAssertEqual(
            try listed.examples(in: listed.train, dataDirectory: nil).examples.map(\.target),
            [[1], [1], [1], [0], [2], [2]])
        for (spelt, plain) in [
            ("-0", "0"), ("-0.0e5", "0"), ("1e3", "1000"), ("-12.50", "-12.5"), ("1e30", "1e30"), ("123e-9", "1.23e-7"),
            ("12345678901234567890", "12345678901234567890"), ("0.00012", "0.00012"), ("1e999999999999", "1e999999999999"),
            ("Infinity", "Infinity"), ("high", "high"),
        ] { XCTAssertEqual(plainNumber(spelt), plain) }
    }

    func testAListIsNoTextAndNoSingleLabel() throws {
        let good = #"{"text": "a", "label": "x"}"#
        let texts = try jsonTask([good, #"{"text": ["a", "b"], "label": "y"}"#])
        XCTAssertEqual(
            message { try texts.examples(in: texts.train, dataDirectory: nil) },
            "<data>/own.jsonl:2: \"text\" is a list, and one text or number is wanted: join its parts in the file.")
        let labels = try jsonTask([good, #"{"text": "b", "label": ["y"]}"#])
        XCTAssertEqual(
            message { try labels.examples(in: labels.train, dataDirectory: nil) },
            "<data>/own.jsonl:2: \"label\" is a list, and one text or number is wanted: join its parts in the file.")
    }

    func testAKeyMayHaveADotOfItsOwn() throws {
        let rows = ["x", "y"].map {
            #"{"a.b": "dot \#($0)", "a": {"b": "nested \#($0)", "c.d\\": {"e": "both \#($0)"}}, "label": "\#($0)"}"#
        }
        func texts(_ text: String) throws -> (fields: [String]?, first: String) {
            let own = try jsonTask(rows, text: text)
            return (own.textFields, try own.examples(in: own.train, dataDirectory: nil).examples[0].first)
        }
        XCTAssertEqual(try texts("a.b").first, "nested x")
        XCTAssertEqual(try texts(#"a\.b"#).first, "dot x")
        XCTAssertEqual(try texts(#""a\\.b""#).first, "dot x")
        XCTAssertEqual(try texts(#"a.c\.d\\.e"#).first, "both x")
        // A row to predict has the name without what only tells the keys apart.
        XCTAssertEqual(try texts(#"a\.b"#).fields, ["a.b"])
        XCTAssertEqual(
            message { try jsonTask(rows, text: #"[a.b, a\.b]"#) },
            "<data>/tasks.yaml:5: the two texts would both be named \"a.b\" in rows to predict")
    }
}

extension TaskKind {
    /// What is said of an example with one row of logits.
    fileprivate func answer(_ logits: [Float]) -> Answer {
        answer(to: [DecodedExample(logits: logits[...], marks: ExampleMarks(target: []))])
    }

    fileprivate func loss(_ logits: [Float], target: [Float]) -> Double {
        loss(of: DecodedExample(logits: logits[...], marks: ExampleMarks(target: target)))
    }
}
