import CAMTL
import Foundation
import Tasks

/// What a model says of the rows of a test set, in the order of its file.
public struct TestPredictions: Sendable, Equatable {
    /// The test set's name: the task's, or such as `mnli-mm`.
    public let set: String
    /// The task's, with its labels in the order of the logits.
    public let kind: any TaskKind
    /// Of each row the examples that it became, with what the model says of them; all finite.
    private let rows: [[DecodedExample]]

    /// - Throws: `PredictionError.notFinite` if a logit is infinite or not a number.
    public init(set: String, kind: any TaskKind, examples: [DecodedExample]) throws {
        rows = Tasks.rows(of: examples)
        if let row = rows.firstIndex(where: { $0.contains { !$0.logits.allSatisfy(\.isFinite) } }) {
            throw PredictionError.notFinite(set: set, row: row)
        }
        self.set = set
        self.kind = kind
    }

    /// Of a task whose rows are sequences with a label.
    ///
    /// - Parameter logits: `[count, labels]` row-major, or `[count, 1]` in a regression.
    public init(set: String, kind: any TaskKind, count: Int, logits: [Float]) throws {
        precondition(count > 0 && logits.count % count == 0, "\(logits.count) logits of \(count) rows")
        let width = logits.count / count
        try self.init(
            set: set, kind: kind,
            examples: (0..<count).map { row in
                DecodedExample(logits: logits[row * width..<(row + 1) * width], marks: ExampleMarks(target: []))
            })
    }

    public static func == (a: TestPredictions, b: TestPredictions) -> Bool {
        a.set == b.set && a.rows == b.rows && AnyHashable(a.kind) == AnyHashable(b.kind)
    }

    /// The test set's rows.
    public var count: Int { rows.count }

    /// The logits of a row, counted from 0: of all its examples, one after the other.
    public func logits(ofRow row: Int) -> [Float] { rows[row].flatMap(\.logits) }

    /// What is predicted of a row.
    public func answer(toRow row: Int) -> Answer { kind.answer(to: rows[row]) }

    /// What is predicted of a row, as a submission has it: the label's name, or the score with three decimals, no
    /// lower and no higher than the task's scores are.
    public func text(ofRow row: Int) -> String { answer(toRow: row).text }
}

extension Evaluator {
    /// Predicts the tasks' test sets.
    ///
    /// - Throws: `PredictionError.notFinite`; the model's errors.
    public func predict(_ tasks: [TaskData]) throws -> [TestPredictions] {
        try tasks.flatMap { task in
            try task.test.map { name, features in
                try TestPredictions(set: name, kind: task.definition.kind, examples: decoded(features, of: task))
            }
        }
    }
}
