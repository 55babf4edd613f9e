import Foundation

/// The tasks that a run may have: GLUE's, and those of a user's task files.
public struct TaskCatalogue: Sendable {
    private let described: [TaskDescription]

    /// GLUE's tasks alone.
    public static let builtIn = TaskCatalogue(described: [])

    private init(described: [TaskDescription]) { self.described = described }

    /// Reads what `--tasks` has: names of tasks, and paths of task files, which end in `.yaml`, `.yml` or `.json`.
    ///
    /// - Returns: the catalogue, and the names of the tasks that are wanted: those of a file in its order.
    /// - Throws: `TaskFileError` with everything that is wrong with the files; `TaskError` for other names.
    public static func reading(_ words: [String]) throws -> (catalogue: TaskCatalogue, names: [String]) {
        var described: [TaskDescription] = []
        var names: [String] = []
        var problems: [TaskFileError.Problem] = []
        for word in words {
            guard isTaskFile(word) else {
                names.append(word)
                continue
            }
            do {
                let tasks = try TaskFile.read(URL(fileURLWithPath: word))
                described += tasks
                names += tasks.map(\.name)
            } catch let error as TaskFileError {
                problems += error.problems
            }
        }
        if !problems.isEmpty { throw TaskFileError(problems: problems) }
        let catalogue = TaskCatalogue(described: described)
        try catalogue.checkNames(names)
        return (catalogue, names)
    }

    /// Whether a word of `--tasks` is the path of a task file.
    public static func isTaskFile(_ word: String) -> Bool {
        [".yaml", ".yml", ".json"].contains { word.lowercased().hasSuffix($0) }
    }

    private func checkNames(_ names: [String]) throws {
        for task in described where names.count(where: { $0 == task.name }) > 1 {
            throw TaskFileError(problems: [
                .init(path: task.path, line: task.line, text: "two tasks of this run are named \"\(task.name)\"")
            ])
        }
        for name in names where !described.contains(where: { $0.name == name }) { _ = try GLUE.task(named: name) }
        try checkFigures(names)
    }

    /// Refuses tasks whose figures have the same name, as one would stand in the results in place of the other:
    /// `a`, of which `macro_f1` is measured, and `a_macro`, of which `f1` is.
    private func checkFigures(_ names: [String]) throws {
        var owners: [String: String] = [:]
        for task in try names.compactMap({ name in try isBuiltIn(name) ? GLUE.task(named: name) : nil }) {
            for set in task.devNames {
                let metrics = task.measured + [task.meanMetric].compactMap { $0 }
                for figure in TaskDescription.figureNames(of: set, metrics) { owners[figure] = task.name }
            }
        }
        for task in described {
            for figure in task.figureNames {
                guard let other = owners.updateValue(task.name, forKey: figure) else { continue }
                let text = "tasks \"\(other)\" and \"\(task.name)\" both have a figure \(figure); rename one"
                throw TaskFileError(problems: [.init(path: task.path, line: task.line, text: text)])
            }
        }
    }

    /// Whether a name is that of a task of GLUE, whose data lies in the data directory.
    public func isBuiltIn(_ name: String) -> Bool { !described.contains { $0.name == name } }

    /// The task of a name.
    ///
    /// - Parameters:
    ///   - name: the task's.
    ///   - head: what a trained model has of it; nil for a new one, whose labels are found in the training set where
    ///     the task file doesn't list them.
    /// - Throws: `TaskError` for an unknown name and a model that was made for other labels; `DataFileError` for a
    ///   training set whose labels can't be found.
    public func task(named name: String, in head: TaskHead? = nil) throws -> TaskDefinition {
        if let description = described.first(where: { $0.name == name }) {
            return try description.definition(in: head)
        }
        do {
            let task = try GLUE.task(named: name)
            return try head.map { try task.fitted(to: $0, owner: "GLUE's") } ?? task
        } catch TaskError.unknownTask where head != nil {
            throw TaskError.notInCatalogue(name: name)
        }
    }
}

extension TaskDefinition {
    /// The task with its labels in the order of a model's decoder.
    ///
    /// - Throws: `TaskError.headMismatch` if the decoder is of another kind or has other labels.
    func fitted(to head: TaskHead, owner: String) throws -> TaskDefinition {
        var task = self
        guard type(of: head.kind) == type(of: kind), head.kind.labels.count == kind.labels.count,
            Set(head.kind.labels) == Set(kind.labels)
        else { throw TaskError.headMismatch(found: head, expected: self.head, owner: owner) }
        if head.kind.labels != kind.labels { task.kind = head.kind }
        return task
    }
}

extension GLUE {
    /// GLUE's task of a model's head, with its labels in the head's order.
    ///
    /// - Throws: what `task(named:)` throws, and `TaskError.headMismatch` if the head is of another type or has other
    ///   labels than GLUE's task.
    public static func task(for head: TaskHead) throws -> TaskDefinition {
        try task(named: head.name).fitted(to: head, owner: "GLUE's")
    }
}
