import Files
import Foundation
import Tokenization

/// Reads tasks' data as training would, and says what it is like, in memory that doesn't grow with the files: of a row,
/// only a fingerprint of its texts is kept, on disk where there are many.
public struct DataInspection: Sendable {
    /// Parts a training set whose dev set is a share of it: takes the task and the stratum of each example, and says of
    /// each whether it is one to evaluate on.
    public typealias DevPart = @Sendable (_ task: TaskDefinition, _ strata: [Float]) throws -> [Bool]

    private let tokenizer: WordPieceTokenizer?
    private let maxSequenceLength: Int
    private let dataDirectory: URL?
    private let devPart: DevPart

    /// - Parameters:
    ///   - tokenizer: what lengths are measured with; nil leaves them out.
    ///   - maxSequenceLength: where rows are cut, in tokens, special ones included.
    ///   - dataDirectory: the folder with GLUE's data; nil where no task is one of its.
    ///   - devPart: how training parts a set.
    public init(
        tokenizer: WordPieceTokenizer?, maxSequenceLength: Int, dataDirectory: URL?, devPart: @escaping DevPart
    ) {
        self.tokenizer = tokenizer
        self.maxSequenceLength = maxSequenceLength
        self.dataDirectory = dataDirectory
        self.devPart = devPart
    }

    /// Looks at the data of tasks.
    ///
    /// - Throws: `InspectionError.damaged` with all that is wrong with the data of all tasks, `InspectionError.noScratch`.
    public func report(on names: [String], in catalogue: TaskCatalogue) throws -> DataReport {
        var report = DataReport(maxSequenceLength: maxSequenceLength, tasks: [])
        let problems = DataProblems()
        for name in names {
            try problems.catching {
                let task = try catalogue.task(named: name)
                var inspection = TaskInspection(
                    task, lengths: tokenizer == nil ? nil : LengthCounts(limit: maxSequenceLength))
                report.tasks.append(try self.report(on: task, &inspection, problems))
            }
        }
        try problems.throwIfAny()
        return report
    }

    private func report(
        on task: TaskDefinition, _ inspection: inout TaskInspection, _ problems: DataProblems
    ) throws -> TaskReport {
        if let share = task.devShare {
            try readParts(of: task, share: share, &inspection, problems)
        } else {
            try read(task.train, .train, &inspection, problems)
            for file in task.dev { try read(file, .dev, &inspection, problems) }
        }
        for file in task.test {
            // GLUE's test sets are needed to predict them, and not to train.
            if case .official = file.location, (try? file.urls(in: dataDirectory)) == nil {
                inspection.note(missing: file.name)
            } else {
                try read(file, .test, &inspection, problems)
            }
        }
        // Of what is damaged nothing is said but that.
        if !problems.isEmpty { throw AlreadyNoted() }
        return try inspection.report()
    }

    /// Reads a set that has files of its own.
    private func read(
        _ file: DataFile, _ split: Split, _ inspection: inout TaskInspection, _ problems: DataProblems
    ) throws {
        let set = inspection.beginSet(file.name, split)
        try read(file, of: inspection.task, .all(tokenizer), problems) { source, slice in
            inspection.add(skippedRows: slice.skippedRows, to: set)
            for row in slice.rows { try inspection.add(row, to: set, path: source.path) }
        }
    }

    /// Reads a training set of which a share is the dev set, twice: which examples these are depends on all labels.
    private func readParts(
        of task: TaskDefinition, share: Double, _ inspection: inout TaskInspection, _ problems: DataProblems
    ) throws {
        let sets = [
            inspection.beginSet(task.name, .train, share: 1 - share),
            inspection.beginSet(task.name, .dev, share: share),
        ]
        var strata: [Float] = []
        let before = problems.count
        try read(task.train, of: task, .target, problems) { _, slice in
            strata += slice.rows.map { task.stratum(of: $0.target) }
        }
        guard problems.count == before else { return }
        var isDev: [Bool] = []
        try problems.catching { isDev = try devPart(task, strata) }
        guard !isDev.isEmpty else { return }
        strata = []
        var index = 0
        try read(task.train, of: task, .all(tokenizer), problems) { source, slice in
            inspection.add(skippedRows: slice.skippedRows, to: sets[0])
            for row in slice.rows {
                guard index < isDev.count else {
                    throw DataFileError(
                        path: source.path, line: row.line,
                        problem: .unreadable(reason: "rows were added to it while it was read"))
                }
                try inspection.add(row, to: sets[isDev[index] ? 1 : 0], path: source.path)
                index += 1
            }
        }
    }

    /// Reads all of a set's files, on all cores, and hands on what there is to say of their rows, in their order.
    private func read(
        _ file: DataFile, of task: TaskDefinition, _ part: InspectedPart, _ problems: DataProblems,
        take: (ExampleSource, InspectedSlice) throws -> Void
    ) throws {
        try problems.catching {
            let urls = try file.urls(in: dataDirectory)
            let before = problems.count
            var rows = 0
            problems.beginSet()
            for url in urls {
                try problems.catching {
                    let source = try ExampleSource(file, of: task.kind, at: url)
                    try source.forEachSlice { rows, bytes in
                        try InspectedSlice(rows, of: bytes, source, part, task.kind)
                    } take: { slice in
                        rows += slice.rows.count
                        problems.add(slice.problems)
                        try take(source, slice)
                    }
                }
            }
            if rows == 0, problems.count == before {
                throw DataFileError(path: urls[0].path, line: nil, problem: .noRows)
            }
        }
    }
}

extension TaskDefinition {
    /// The group of examples of which each has its share in a dev set that is drawn from the training set: a
    /// classification's classes are one each, all else is one.
    public func stratum(of target: [Float]) -> Float { kind.labels.isEmpty || target.count != 1 ? 0 : target[0] }
}

/// The problem is among those that will be thrown.
private struct AlreadyNoted: Error {}

/// What is wrong with data.
private final class DataProblems {
    /// How many damaged rows of a set are told one by one: with a wrong separator it has as many as rows.
    private static let mostRows = 20

    private var list: [any Error] = []
    private var rowsOfSet = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The rows that follow are those of another set.
    func beginSet() { rowsOfSet = 0 }

    func add(_ rows: [DataFileError]) {
        list += rows.prefix(max(0, Self.mostRows - rowsOfSet)).map { $0 as any Error }
        rowsOfSet += rows.count
        count += rows.count
    }

    /// Notes what is wrong with data, so that what is wrong elsewhere is told with it.
    func catching(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch is AlreadyNoted {
        } catch let error where error is DataFileError || error is TaskFileError || error is TaskError {
            list.append(error)
            count += 1
        }
    }

    func throwIfAny() throws {
        if !isEmpty { throw InspectionError.damaged(list, more: count - list.count) }
    }
}
