import XCTest

@testable import Tasks

final class OutputNamesTests: XCTestCase {
    private func labels(_ task: String, _ names: [String]) throws -> [String]? {
        guard let head = try GLUE.task(named: task).head.ordered(byOutputs: names) else { return nil }
        XCTAssertEqual(head.name, task)
        return head.kind.labels
    }

    func testTheTasksOwnLabelsMayComeInAnyOrderAndCase() throws {
        XCTAssertEqual(
            try labels("mnli", ["Entailment", "NEUTRAL", "contradiction"]), ["entailment", "neutral", "contradiction"])
        XCTAssertEqual(try labels("qnli", ["not entailment", "entailment"]), ["not_entailment", "entailment"])
        XCTAssertEqual(try labels("mrpc", ["1", "0"]), ["1", "0"])
    }

    func testNamesOfTheHubStandForNumbers() throws {
        XCTAssertEqual(try labels("cola", ["acceptable", "unacceptable"]), ["1", "0"])
        XCTAssertEqual(try labels("sst-2", ["NEGATIVE", "POSITIVE"]), ["0", "1"])
        XCTAssertEqual(try labels("mrpc", ["not_equivalent", "equivalent"]), ["0", "1"])
        XCTAssertEqual(try labels("qqp", ["duplicate", "not_duplicate"]), ["1", "0"])
        XCTAssertEqual(try labels("wnli", ["not_entailment", "entailment"]), ["0", "1"])
    }

    func testLabelsMayDifferInTheirCaseAlone() throws {
        let head = TaskHead(name: "where", kind: try Classification(labels: ["us", "US", "uk"]))
        XCTAssertEqual(head.ordered(byOutputs: ["uk", "US", "us"])?.kind.labels, ["uk", "US", "us"])
        XCTAssertNil(head.ordered(byOutputs: ["Uk", "US", "us"]))
    }

    func testOptionsGoWithTheirLabels() throws {
        let kind = try MultiLabel(labels: ["a", "b"]).with(["threshold": .object(["a": .number(0.2), "b": .number(0.7)])])
        let head = TaskHead(name: "topics", kind: kind, textFields: ["title", "body"])
        let ordered = try XCTUnwrap(head.ordered(byOutputs: ["b", "a"]))
        XCTAssertEqual((ordered.kind as? MultiLabel)?.thresholds, [0.7, 0.2])
        XCTAssertEqual(ordered.textFields, head.textFields)
    }

    func testNumberedLabelsMeanTheTasksOrder() throws {
        XCTAssertEqual(
            try labels("mnli", ["LABEL_0", "LABEL_1", "LABEL_2"]), ["contradiction", "entailment", "neutral"])
        XCTAssertNil(try labels("rte", ["LABEL_1", "LABEL_0"]))
    }

    func testARegressionHasOneOutputOfAnyName() throws {
        XCTAssertEqual(try labels("sts-b", ["similarity"]), [])
        XCTAssertNil(try labels("sts-b", ["0", "1"]))
    }

    func testOtherLabelsAreNoneOfTheTask() throws {
        for names in [["entailment", "neutral", "contradiction"], ["yes", "no"], ["entailment", "entailment"], []] {
            XCTAssertNil(try labels("rte", names), "\(names)")
        }
        XCTAssertNil(try labels("cola", ["equivalent", "not_equivalent"]))
    }
}
