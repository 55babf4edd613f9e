import Files
import Foundation
import Tokenization

/// The part of a task's data that is asked for.
public enum Split: String, Sendable, CaseIterable {
    case train, dev, test
}

/// A set of a task: a file or several, UTF-8, with or without a byte order mark, and how they are read.
public struct DataFile: Sendable, Hashable {
    /// Where a set lies.
    public enum Location: Sendable, Hashable {
        /// A file, relative to the data directory; the first of these that exists.
        case official([String])
        /// All of these files, one after the other, by their absolute paths.
        case files([String])
    }

    /// The name its results go by: the task's own, or that of a further evaluation set such as `mnli-mm`.
    public var name: String
    public var location: Location
    public var format: FileFormat
    public var columns: Columns
    /// Whether a row with too few columns is left out and counted, as the original does for QQP. Otherwise such a row
    /// is an error.
    public var skipsDamagedRows: Bool
    /// Whether a row whose label is empty is left out and counted. Otherwise it is an error.
    public var skipsUnlabelledRows = false
    /// The column that counts the rows, from 0, in a file to predict. If the header has it, a number out of turn is an
    /// error: a row that is missing or doubled would shift the predictions of all that follow.
    public var indexColumn: String?

    /// One of GLUE's files.
    public init(
        name: String, paths: [String], columns: Columns, skipsDamagedRows: Bool = false, indexColumn: String? = nil
    ) {
        self.name = name
        location = .official(paths)
        format = FileFormat(.tsv)
        self.columns = columns
        self.skipsDamagedRows = skipsDamagedRows
        self.indexColumn = indexColumn
    }

    /// Files of a user's.
    ///
    /// - Parameters:
    ///   - name: the set's.
    ///   - files: absolute paths, at least one.
    ///   - format: how their rows are written.
    ///   - columns: where texts and labels stand.
    public init(name: String, files: [String], format: FileFormat, columns: Columns) {
        self.name = name
        location = .files(files)
        self.format = format
        self.columns = columns
        skipsDamagedRows = false
    }

    /// The places of the files.
    ///
    /// - Parameter dataDirectory: the folder with GLUE's data; nil where there is none.
    /// - Throws: `DataFileError` naming every place looked at, and the folder if it is the folder that is missing.
    public func urls(in dataDirectory: URL?) throws -> [URL] {
        guard case .official(let paths) = location else { return paths.map { URL(fileURLWithPath: $0) } }
        guard let dataDirectory else {
            throw DataFileError(path: paths[0], line: nil, problem: .noDataDirectory(set: name))
        }
        let candidates = paths.map { dataDirectory.appendingPathComponent($0) }
        if let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) { return [found] }
        let folders = [dataDirectory] + candidates.map { $0.deletingLastPathComponent() }
        let missing = folders.first { !FileManager.default.fileExists(atPath: $0.path) }
        throw DataFileError(
            path: candidates.first?.path ?? dataDirectory.path, line: nil,
            problem: .missing(set: name, folder: missing?.path, alternatives: candidates.dropFirst().map(\.path)))
    }

    /// Where the files may lie, or lie.
    public var paths: [String] {
        switch location {
        case .official(let paths), .files(let paths): paths
        }
    }
}

/// A task: what is predicted, how it is measured, and where its examples lie.
public struct TaskDefinition: Sendable, Hashable {
    /// The name on the command line and in reports, such as `rte`.
    public var name: String
    public var kind: any TaskKind
    /// What is measured, of the kind's metrics.
    public var measured: [Metric]
    /// The name under which the mean of these is reported, too.
    public var meanMetric: Metric?
    /// The names of a row's texts, one or two, where they are not those of GLUE.
    public var textFields: [String]?
    /// The names of the texts to choose from, a column each or one with a list; nil where there are none.
    public var choiceFields: [String]?
    /// The end of a text that is cut where it is too long.
    public var truncationSide = TruncationSide.end
    /// What its loss weighs beside those of other tasks in a batch.
    public var weight = 1.0
    /// The options of its kind, as its file gives them.
    public var options: [String: JSONValue] = [:]
    public var train: DataFile
    /// The labelled sets it is evaluated on. MNLI has two.
    public var dev: [DataFile]
    /// The share of the training set that is its dev set; nil where `dev` is.
    public var devShare: Double?
    /// The sets without labels it predicts. MNLI has three.
    public var test: [DataFile]

    public init(
        name: String, kind: some TaskKind, measured: [Metric]? = nil, meanMetric: Metric? = nil, train: DataFile,
        dev: [DataFile], test: [DataFile]
    ) {
        self.name = name
        self.kind = kind
        self.measured = measured ?? type(of: kind).defaultMetrics
        self.meanMetric = meanMetric
        self.train = train
        self.dev = dev
        self.test = test
    }

    /// Whether its examples are pairs of texts.
    public var isPair: Bool { train.columns.hasSecond || !train.columns.choices.isEmpty }

    /// The sets that it is evaluated on, by their names.
    public var devNames: [String] { devShare == nil ? dev.map(\.name) : [name] }

    /// The task as a model records it.
    public var head: TaskHead {
        TaskHead(
            name: name, kind: kind.recorded, textFields: textFields, choiceFields: choiceFields, truncationSide: truncationSide)
    }

    /// The files of a split: one for training, one or more to evaluate and to predict.
    public func files(for split: Split) -> [DataFile] {
        switch split {
        case .train: [train]
        case .dev: dev
        case .test: test
        }
    }

    public static func == (a: TaskDefinition, b: TaskDefinition) -> Bool {
        a.head == b.head && a.measured == b.measured && a.meanMetric == b.meanMetric && a.weight == b.weight
            && a.train == b.train && a.dev == b.dev && a.devShare == b.devShare && a.test == b.test
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(head)
        hasher.combine(train)
    }
}
