import Tasks
import XCTest

@testable import Training

final class BestFigureTests: XCTestCase {
    private func report(loss: Double, right: Int) throws -> EvaluationReport {
        let task = try GLUE.task(named: "rte")
        let logits: [Float] = (0..<4).flatMap { $0 < right ? [1, 0] : [0, 1] }
        return EvaluationReport(results: [
            EvaluationResult(
                name: "rte", task: "rte", count: 4, loss: loss,
                scores: try task.scores(logits: logits, labels: [0, 0, 0, 0]))
        ])
    }

    func testALossIsBetterWhereItIsLowerAndAMetricWhereItIsHigher() throws {
        let tasks = [try GLUE.task(named: "rte")]
        let (one, other) = (try report(loss: 0.5, right: 1), try report(loss: 0.75, right: 3))
        for (name, key, isOneBetter) in [
            ("rte_loss", "eval_rte_loss", true), ("rte_accuracy", "eval_rte_acc", false),
            ("eval_average", "eval_average", false),
        ] {
            let figure = try BestFigure(name, tasks: tasks)
            XCTAssertEqual(figure.key, key)
            XCTAssertEqual(figure.value(in: one), key.hasSuffix("loss") ? 0.5 : 0.25)
            XCTAssertEqual(figure.value(in: other), 0.75)
            let (a, b) = (figure.value(in: one), figure.value(in: other))
            XCTAssertEqual(figure.isBetter(a, than: b), isOneBetter, name)
            XCTAssertEqual(figure.isBetter(b, than: a), !isOneBetter, name)
            XCTAssertFalse(figure.isBetter(a, than: a), "\(name): an equal one is no better")
            XCTAssertTrue(figure.isBetter(a, than: .nan))
            XCTAssertFalse(figure.isBetter(.nan, than: a))
        }
    }
}
