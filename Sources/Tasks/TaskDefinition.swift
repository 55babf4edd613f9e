import Foundation

/// What a task's decoder puts out.
public enum TaskOutput: Sendable, Hashable {
    /// One of `labels`: a label's index in this list is its class and its row in the decoder.
    case classification(labels: [String])
    /// One number.
    case regression

    /// Whether a number can be an example's label: a class, or any finite score.
    func isLabel(_ number: Float) -> Bool {
        switch self {
        case .classification(let labels): Int(exactly: number).map(labels.indices.contains) ?? false
        case .regression: number.isFinite
        }
    }

    /// The decoder's width: the number of labels, or 1 for a regression.
    public var numberOfLabels: Int {
        switch self {
        case .classification(let labels): labels.count
        case .regression: 1
        }
    }
}

/// A task as a model knows it: its name and what its decoder puts out. In JSON
/// `{"name": "rte", "type": "classification", "labels": ["entailment", "not_entailment"]}` or
/// `{"name": "sts-b", "type": "regression"}`.
public struct TaskHead: Sendable, Hashable {
    public var name: String
    public var output: TaskOutput

    public init(name: String, output: TaskOutput) {
        self.name = name
        self.output = output
    }

    /// The decoder's width: the number of labels, or 1 for a regression.
    public var numberOfLabels: Int { output.numberOfLabels }
}

extension TaskHead: Codable {
    private enum CodingKeys: String, CodingKey { case name, type, labels }

    /// - Throws: `TaskError.badName` for a name that ``TaskName`` doesn't allow; `TaskError.malformedHead` for an
    ///   unknown type, for a classification with fewer than two labels or with a label twice, and for a regression
    ///   with labels; `DecodingError` for a missing key or a wrong JSON type.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        if let problem = TaskName.problem(with: name) { throw TaskError.badName(problem) }
        let type = try container.decode(String.self, forKey: .type)
        let labels = try container.decodeIfPresent([String].self, forKey: .labels) ?? []
        switch type {
        case "classification":
            guard labels.count >= 2, Set(labels).count == labels.count else {
                throw TaskError.malformedHead(
                    task: name, reason: "a classification wants two or more different labels, found \(labels)")
            }
            output = .classification(labels: labels)
        case "regression":
            guard labels.isEmpty else {
                throw TaskError.malformedHead(task: name, reason: "a regression has no labels, found \(labels)")
            }
            output = .regression
        default:
            throw TaskError.malformedHead(
                task: name, reason: "type \"\(type)\" is neither classification nor regression")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        switch output {
        case .classification(let labels):
            try container.encode("classification", forKey: .type)
            try container.encode(labels, forKey: .labels)
        case .regression:
            try container.encode("regression", forKey: .type)
        }
    }
}

/// The part of a task's data that is asked for.
public enum Split: String, Sendable, CaseIterable {
    case train, dev, test
}

/// Where a file's texts and labels stand. A file whose label column is nil is read without labels.
public enum Columns: Sendable, Hashable {
    /// By the names in the file's first line.
    case named(first: String, second: String? = nil, label: String? = nil)
    /// By position, counted from 0, in a file without a header.
    case numbered(first: Int, second: Int? = nil, label: Int? = nil)

    /// Whether an example is a pair of texts.
    public var hasSecond: Bool {
        switch self {
        case .named(_, let second, _): second != nil
        case .numbered(_, let second, _): second != nil
        }
    }

    /// Whether the file gives labels.
    public var hasLabel: Bool {
        switch self {
        case .named(_, _, let label): label != nil
        case .numbered(_, _, let label): label != nil
        }
    }
}

/// One tab-separated file of a task: UTF-8, with or without a byte order mark, one example a line, quotes literal.
public struct DataFile: Sendable, Hashable {
    /// The name its results go by: the task's own, or that of a further evaluation set such as `mnli-mm`.
    public var name: String
    /// Where the file may lie, relative to the data directory; the first that exists is read.
    public var paths: [String]
    public var columns: Columns
    /// Whether a row with too few columns is left out and counted, as the original does for QQP. Otherwise such a row
    /// is an error.
    public var skipsDamagedRows: Bool
    /// The column that counts the rows, from 0, in a file to predict. If the header has it, a number out of turn is an
    /// error: a row that is missing or doubled would shift the predictions of all that follow.
    public var indexColumn: String?

    public init(
        name: String, paths: [String], columns: Columns, skipsDamagedRows: Bool = false, indexColumn: String? = nil
    ) {
        self.name = name
        self.paths = paths
        self.columns = columns
        self.skipsDamagedRows = skipsDamagedRows
        self.indexColumn = indexColumn
    }

    /// The place of the file under `dataDirectory`.
    ///
    /// - Throws: `DataFileError` naming every place looked at, and the folder if it is the folder that is missing.
    public func url(in dataDirectory: URL) throws -> URL {
        let candidates = paths.map { dataDirectory.appendingPathComponent($0) }
        if let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) { return found }
        let folders = [dataDirectory] + candidates.map { $0.deletingLastPathComponent() }
        let missing = folders.first { !FileManager.default.fileExists(atPath: $0.path) }
        throw DataFileError(
            path: candidates.first?.path ?? dataDirectory.path, line: nil,
            problem: .missing(set: name, folder: missing?.path, alternatives: candidates.dropFirst().map(\.path)))
    }
}

/// A task: what is predicted, how it is measured, and where its examples lie.
public struct TaskDefinition: Sendable, Hashable {
    /// What is predicted, with what only that kind of task has.
    public enum Kind: Sendable, Hashable {
        /// One of `labels`, in the order of the classes.
        case classification(labels: [String], metrics: ClassificationMetrics)
        /// A number, measured by its correlation with the true one. A score outside `range` is an error in the data;
        /// without a range any finite number will do.
        case regression(range: ClosedRange<Float>?)
    }

    /// The name on the command line and in reports, such as `rte`.
    public var name: String
    public var kind: Kind
    public var train: DataFile
    /// The labelled sets it is evaluated on. MNLI has two.
    public var dev: [DataFile]
    /// The sets without labels it predicts. MNLI has three.
    public var test: [DataFile]

    public init(name: String, kind: Kind, train: DataFile, dev: [DataFile], test: [DataFile]) {
        self.name = name
        self.kind = kind
        self.train = train
        self.dev = dev
        self.test = test
    }

    /// What its decoder puts out.
    public var output: TaskOutput {
        switch kind {
        case .classification(let labels, _): .classification(labels: labels)
        case .regression: .regression
        }
    }

    /// The decoder's width: the number of labels, or 1 for a regression.
    public var numberOfLabels: Int { output.numberOfLabels }

    /// Whether its examples are pairs of texts.
    public var isPair: Bool { train.columns.hasSecond }

    /// The task as a model records it.
    public var head: TaskHead { TaskHead(name: name, output: output) }

    /// The files of a split: one for training, one or more to evaluate and to predict.
    public func files(for split: Split) -> [DataFile] {
        switch split {
        case .train: [train]
        case .dev: dev
        case .test: test
        }
    }
}
