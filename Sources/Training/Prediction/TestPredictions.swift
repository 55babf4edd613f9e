import CAMTL
import Foundation
import Tasks

/// What a model says of the rows of a test set, in the order of its file.
public struct TestPredictions: Sendable, Equatable {
    /// The test set's name: the task's, or such as `mnli-mm`.
    public let set: String
    /// The task's, with its labels in the order of the logits.
    public let kind: any TaskKind
    /// The test set's rows.
    public let count: Int
    /// [count, labels] row-major, or [count, 1] in a regression; all finite.
    public let logits: [Float]

    /// - Throws: `PredictionError.notFinite` if a logit is infinite or not a number.
    public init(set: String, kind: any TaskKind, count: Int, logits: [Float]) throws {
        precondition(count > 0 && logits.count % count == 0, "\(logits.count) logits of \(count) rows")
        if let place = logits.firstIndex(where: { !$0.isFinite }) {
            throw PredictionError.notFinite(set: set, row: place / (logits.count / count))
        }
        self.set = set
        self.kind = kind
        self.count = count
        self.logits = logits
    }

    public static func == (a: TestPredictions, b: TestPredictions) -> Bool {
        a.set == b.set && a.count == b.count && a.logits == b.logits && AnyHashable(a.kind) == AnyHashable(b.kind)
    }

    /// The logits of a row, counted from 0.
    public func logits(ofRow row: Int) -> ArraySlice<Float> {
        let width = logits.count / count
        return logits[row * width..<(row + 1) * width]
    }

    /// What is predicted of a row, as a submission has it: the label's name, or the score with three decimals, no
    /// lower and no higher than the task's scores are.
    public func text(ofRow row: Int) -> String { kind.answer(logits(ofRow: row)).text }
}

extension Evaluator {
    /// Predicts the tasks' test sets.
    ///
    /// - Throws: `PredictionError.notFinite`; the model's errors.
    public func predict(_ tasks: [TaskData]) throws -> [TestPredictions] {
        try tasks.flatMap { task in
            try task.test.map { name, features in
                let logits = try logits(task: task.id, lengths: (0..<features.count).map(features.length)) {
                    $1.append(features, at: $0, taskID: task.id)
                }
                return try TestPredictions(
                    set: name, kind: task.definition.kind, count: features.count, logits: logits)
            }
        }
    }
}
