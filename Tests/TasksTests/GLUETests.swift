import Foundation
import XCTest

@testable import Tasks

final class GLUETests: XCTestCase {
    func testTheTasksStandInTheOriginalsOrder() {
        XCTAssertEqual(
            GLUE.tasks.map(\.name), ["cola", "mnli", "rte", "wnli", "qqp", "sts-b", "sst-2", "qnli", "mrpc"])
        XCTAssertEqual(GLUE.tasks.map(\.kind.width), [2, 3, 2, 2, 2, 1, 2, 2, 2])
    }

    func testEveryTaskIsFoundByItsName() throws {
        for task in GLUE.tasks { XCTAssertEqual(try GLUE.task(named: task.name), task) }
    }

    func testTheLabelsStandInTheOriginalsOrder() throws {
        XCTAssertEqual(
            try GLUE.task(named: "mnli").kind.labels, ["contradiction", "entailment", "neutral"])
        XCTAssertEqual(
            try GLUE.task(named: "qnli").kind.labels, ["entailment", "not_entailment"])
        XCTAssertEqual(try GLUE.task(named: "sts-b").kind as? Regression, Regression(range: 0...5))
    }

    func testMNLIIsEvaluatedOnTwoSetsAndPredictsThree() throws {
        let mnli = try GLUE.task(named: "mnli")
        XCTAssertEqual(mnli.files(for: .train).map(\.name), ["mnli"])
        XCTAssertEqual(mnli.files(for: .dev).map(\.name), ["mnli", "mnli-mm"])
        XCTAssertEqual(mnli.files(for: .dev).map(\.paths), [["MNLI/dev_matched.tsv"], ["MNLI/dev_mismatched.tsv"]])
        XCTAssertEqual(mnli.files(for: .test).map(\.name), ["mnli", "mnli-mm", "ax"])
        XCTAssertEqual(mnli.files(for: .test)[2].paths.first, "AX/diagnostic.tsv")
    }

    func testOnlyTestFilesAreReadWithoutLabels() {
        for task in GLUE.tasks {
            XCTAssertTrue((task.files(for: .train) + task.files(for: .dev)).allSatisfy(\.columns.hasLabel), task.name)
            XCTAssertFalse(task.files(for: .test).contains(where: \.columns.hasLabel), task.name)
        }
    }

    func testAnUnknownTaskIsAnErrorWithTheNearestName() {
        func message(_ name: String) -> String {
            do {
                return try GLUE.task(named: name).name
            } catch {
                return "\(error)"
            }
        }
        let list = "The tasks are cola, mnli, rte, wnli, qqp, sts-b, sst-2, qnli, mrpc."
        XCTAssertEqual(message("stsb"), "unknown task \"stsb\": did you mean \"sts-b\"? \(list)")
        XCTAssertEqual(message("SST2"), "unknown task \"SST2\": did you mean \"sst-2\"? \(list)")
        XCTAssertEqual(message("CoLA"), "unknown task \"CoLA\": did you mean \"cola\"? \(list)")
        XCTAssertEqual(message("mrcp"), "unknown task \"mrcp\": did you mean \"mrpc\"? \(list)")
        XCTAssertEqual(message("imdb-reviews"), "unknown task \"imdb-reviews\". \(list)")
        XCTAssertEqual(message(""), "unknown task \"\". \(list)")
        XCTAssertEqual(
            message("mnli-mm"),
            "\"mnli-mm\" is an evaluation set of mnli, not a task to train: name mnli, whose decoder serves mnli-mm "
                + "too.")
        XCTAssertTrue(message("ax").hasPrefix("\"ax\" is an evaluation set of mnli"))
    }

    func testAHeadIsWrittenAndReadAsAConfigurationHasIt() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let rte = try GLUE.task(named: "rte").head, similarity = try GLUE.task(named: "sts-b").head
        XCTAssertEqual(
            String(decoding: try encoder.encode(rte), as: UTF8.self),
            #"{"labels":["entailment","not_entailment"],"name":"rte","type":"classification"}"#)
        XCTAssertEqual(
            String(decoding: try encoder.encode(similarity), as: UTF8.self), #"{"name":"sts-b","type":"regression"}"#)
        for task in GLUE.tasks {
            XCTAssertEqual(try JSONDecoder().decode(TaskHead.self, from: encoder.encode(task.head)), task.head)
        }
    }

    func testAMalformedHeadIsAnError() {
        func message(_ json: String) -> String {
            do {
                return try JSONDecoder().decode(TaskHead.self, from: Data(json.utf8)).name
            } catch {
                return "\(error)"
            }
        }
        let start = "the model's entry for task \"x\" is malformed: "
        XCTAssertEqual(
            message(#"{"name": "x", "type": "ranking"}"#),
            start
                + "type \"ranking\" is none of classification, regression, multilabel, tagging, span, choice.")
        XCTAssertEqual(
            message(#"{"name": "x", "type": "classification"}"#),
            start + "a classification wants two or more different labels, found [].")
        XCTAssertEqual(
            message(#"{"name": "x", "type": "classification", "labels": ["a", "a"]}"#),
            start + "a classification wants two or more different labels, found [\"a\", \"a\"].")
        XCTAssertEqual(
            message(#"{"name": "x", "type": "regression", "labels": ["a"]}"#),
            start + "a regression has no labels, found [\"a\"].")
    }

    func testAHeadsLabelOrderBecomesTheTasks() throws {
        let order = ["entailment", "neutral", "contradiction"]
        let head = try TaskHead(name: "mnli", kind: Classification(labels: order))
        let task = try GLUE.task(for: head)
        XCTAssertEqual(task.kind.labels, order)
        XCTAssertEqual(task.head, head)
        XCTAssertEqual(task.dev, try GLUE.task(named: "mnli").dev)
        let rating = try GLUE.task(for: TaskHead(name: "sts-b", kind: Regression()))
        XCTAssertEqual(rating.kind as? Regression, Regression(range: 0...5))
    }

    func testAHeadOfOtherDataIsAnError() {
        func message(_ head: @autoclosure () throws -> TaskHead) -> String {
            do {
                return try GLUE.task(for: head()).name
            } catch {
                return "\(error)"
            }
        }
        XCTAssertEqual(
            message(try TaskHead(name: "rte", kind: Classification(labels: ["yes", "no"]))),
            "the model's task \"rte\" is a classification with the labels yes, no, but GLUE's is a classification "
                + "with the labels entailment, not_entailment: the model was made for other data of that name.")
        XCTAssertEqual(
            message(try TaskHead(name: "sts-b", kind: Classification(labels: ["0", "1"]))),
            "the model's task \"sts-b\" is a classification with the labels 0, 1, but GLUE's is a regression: "
                + "the model was made for other data of that name.")
        XCTAssertTrue(
            message(try TaskHead(name: "cola", kind: Classification(labels: ["0", "1", "2"]))).contains("other data"))
        XCTAssertTrue(message(TaskHead(name: "mnli-mm", kind: Regression())).contains("evaluation set"))
    }
}
