import Files
import Foundation

/// What there is to know of tasks' data before anything is trained on it.
public struct DataReport: Sendable {
    /// Where rows are cut, in tokens.
    public var maxSequenceLength: Int
    /// In the order in which they were asked for.
    public var tasks: [TaskReport]
}

/// What there is to know of a task's data.
public struct TaskReport: Sendable {
    public var task: TaskDefinition
    /// The training set first, then those to evaluate on and those to predict.
    public var sets: [SetReport]
    /// The sets to predict that GLUE's folder lacks, by their names.
    public var missing: [String]
    /// What a prediction that looks at no text scores on the sets to evaluate on; none where the task's kind has no such
    /// prediction.
    public var baselines: [BaselineScore]

    public struct BaselineScore: Sendable {
        /// The set's name.
        public var set: String
        /// What is predicted, made from the training set's labels.
        public var baseline: Baseline
        public var scores: Scores
    }
}

/// What there is to know of one set.
public struct SetReport: Sendable {
    /// The name its results go by.
    public var name: String
    public var split: Split
    /// The set's share of the training file; nil where it has files of its own.
    public var share: Double?
    /// Examples, without the rows that were left out.
    public var rows: Int
    /// Rows that were left out: damaged ones, and those without a label.
    public var skippedRows: Int
    /// What the labels are like; empty in a set without labels.
    public var targets: [TargetFigure]
    /// Lengths in tokens, nil without a tokenizer.
    public var lengths: LengthCounts?
    public var duplicates: Duplicates
    /// Rows that the training set has, too; nil of the training set itself.
    public var shared: Shared?

    /// Rows whose texts stand in the same set more than once, equal byte for byte.
    public struct Duplicates: Sendable, Equatable {
        /// Rows that repeat an earlier one: so many fewer there would be without them.
        public var rows: Int
        /// Different texts that stand in several rows.
        public var texts: Int
        /// Of these texts, those that have different labels, and the rows of all of these.
        public var conflictingTexts: Int
        public var conflictingRows: Int
        /// The first repeated rows, each with the first row that repeats it, as `FILE:LINE`.
        public var examples: [[String]]
        /// The first rows that another with the same texts has another label than, each with that one.
        public var conflictExamples: [[String]]
    }

    /// Rows whose texts stand in the training set, equal byte for byte.
    public struct Shared: Sendable, Equatable {
        /// Rows of this set.
        public var rows: Int
        /// Rows of the training set.
        public var trainRows: Int
        /// The first of this set's, each with the first such row of the training set, as `FILE:LINE`.
        public var examples: [[String]]
    }
}

extension DataReport {
    /// The report as JSON. `Documentation/Tasks.md` says what the keys are.
    public var json: JSONValue {
        .object(["max_seq_length": .integer(maxSequenceLength), "tasks": .array(tasks.map(\.json))])
    }
}

extension TaskReport {
    fileprivate var json: JSONValue {
        .object([
            "name": .string(task.name), "type": .string(task.kind.name),
            "sets": .array(sets.map(\.json)), "missing_sets": .array(missing.map { .string($0) }),
            "baselines": .array(baselines.map(\.json)),
        ])
    }
}

extension TaskReport.BaselineScore {
    fileprivate var json: JSONValue {
        let metrics = scores.entries.map { ($0.metric.rawValue, JSONValue.number($0.value)) }
        return .object([
            "set": .string(set), "kind": .string(baseline.name), "prediction": .string(baseline.prediction),
            "metrics": .object(Dictionary(metrics) { first, _ in first }), "score": .number(scores.taskScore),
        ])
    }
}

extension SetReport {
    fileprivate var json: JSONValue {
        .object([
            "name": .string(name), "split": .string(split.rawValue), "share": share.map { .number($0) } ?? .null,
            "rows": .integer(rows), "skipped_rows": .integer(skippedRows),
            "targets": .object(Dictionary(targets.map { ($0.name, json(of: $0.value)) }) { first, _ in first }),
            "tokens": lengths.map(\.json) ?? .null, "duplicates": duplicates.json,
            "shared_with_train": shared.map(\.json) ?? .null,
        ])
    }

    private func json(of value: TargetFigure.Value) -> JSONValue {
        switch value {
        case .count(let count): .integer(count)
        case .number(let number): .number(number)
        case .labels(let labels):
            .array(
                labels.map { label, count in
                    .object([
                        "label": .string(label), "rows": .integer(count),
                        "share": .number(Double(count) / Double(rows)),
                    ])
                })
        }
    }
}

extension LengthCounts {
    fileprivate var json: JSONValue {
        .object([
            "median": .integer(percentile(50)), "percentile_95": .integer(percentile(95)),
            "longest": .integer(percentile(100)), "cut_rows": .integer(cutRows), "cut_share": .number(cutShare),
        ])
    }
}

extension SetReport.Duplicates {
    fileprivate var json: JSONValue {
        .object([
            "rows": .integer(rows), "texts": .integer(texts), "conflicting_texts": .integer(conflictingTexts),
            "conflicting_rows": .integer(conflictingRows), "examples": places(examples),
            "conflict_examples": places(conflictExamples),
        ])
    }
}

extension SetReport.Shared {
    fileprivate var json: JSONValue {
        .object(["rows": .integer(rows), "train_rows": .integer(trainRows), "examples": places(examples)])
    }
}

private func places(_ examples: [[String]]) -> JSONValue {
    .array(examples.map { .array($0.map { .string($0) }) })
}
