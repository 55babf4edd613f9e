import Files
import Foundation
import Tokenization

/// A task as a task file has it; its labels may still have to be found.
struct TaskDescription: Sendable {
    /// Where it stands.
    let path: String
    let line: Int
    let name: String
    let kindType: any TaskKind.Type
    let train: [String]
    /// What the file lists of labels.
    var kind: (any TaskKind)?
    var dev: [String]?
    var devShare: Double?
    var test: [String]?
    var format: FileFormat?
    var separator: UInt8?
    var header: Bool?
    var texts: [ColumnReference] = []
    var choices: [ColumnReference] = []
    var label: [ColumnReference] = []
    var labelSeparator: UInt8?
    var metrics: [Metric]?
    /// The options of the kind, by their names.
    var options: [String: JSONValue] = [:]
    var optionLines: [String: Int] = [:]
    var skipsUnlabelled = false
    var truncationSide = TruncationSide.end
    var weight = 1.0

    init(path: String, line: Int, name: String, kindType: any TaskKind.Type, train: [String]) {
        self.path = path
        self.line = line
        self.name = name
        self.kindType = kindType
        self.train = train
    }

    /// The names of the figures of its evaluation, such as `NAME_acc`.
    var figureNames: [String] {
        TaskDescription.figureNames(of: name, metrics ?? kindType.defaultMetrics)
    }

    /// The names of the figures that an evaluation of a set has.
    static func figureNames(of set: String, _ metrics: [Metric]) -> [String] {
        (metrics.map(\.rawValue) + ["loss", "samples"]).map { "\(set)_\($0)" }
    }

    /// Labels beyond this number are no labels.
    private static let mostLabels = 10_000

    /// The task, with the labels of a model's head, of the file, or of the training set.
    func definition(in head: TaskHead?) throws -> TaskDefinition {
        let kind = try kind ?? head.flatMap(kind(of:)) ?? foundKind()
        if kindType == Classification.self, metrics?.contains(.f1) == true, kind.labels.count != 2,
            options["positive"] == nil
        {
            throw fail(
                "\"f1\" is that of one of two labels, and \(name) has \(kind.labels.count); name one with \"positive\", or "
                    + "\"metrics\" may have macro_f1, micro_f1 or weighted_f1")
        }
        if let problem = kind.problem(with: metrics ?? kindType.defaultMetrics) { throw fail("\(name): \(problem)") }
        var task = definition(kind)
        if let head { task = try task.fitted(to: head, owner: "\(path)'s") }
        do {
            task.kind = try task.kind.with(options, of: head?.kind)
        } catch {
            let line = optionLines[error.option] ?? line
            throw TaskFileError(problems: [.init(path: path, line: line, text: error.description)])
        }
        return task
    }

    /// The head's kind, where labels are found and any may be.
    private func kind(of head: TaskHead) -> (any TaskKind)? {
        type(of: head.kind) == kindType && label.count == 1 ? head.kind : nil
    }

    private func definition(_ kind: some TaskKind) -> TaskDefinition {
        var task = TaskDefinition(
            name: name, kind: kind, measured: metrics, train: set(train, hasLabels: true),
            dev: dev.map { [set($0, hasLabels: true)] } ?? [],
            test: test.map { [set($0, hasLabels: false)] } ?? [])
        task.devShare = devShare
        task.weight = weight
        task.options = options
        task.truncationSide = truncationSide
        func names(_ columns: [ColumnReference]) -> [String]? {
            let names = columns.compactMap { if case .named = $0 { fieldName($0) } else { nil } }
            return names.isEmpty || names.count < columns.count ? nil : names
        }
        task.textFields = names(texts)
        task.choiceFields = names(choices)
        return task
    }

    /// A column's name as a row to predict has it.
    func fieldName(_ column: ColumnReference) -> String {
        let format = format ?? train.first.flatMap(FileFormat.init(path:))
        return format?.name == .jsonl ? column.keys.joined(separator: ".") : column.description
    }

    private func set(_ files: [String], hasLabels: Bool) -> DataFile {
        var format = format ?? files.first.flatMap(FileFormat.init(path:)) ?? FileFormat(.tsv)
        // Tabs between fields in quotes are a CSV's.
        if let separator, !format.name.namesColumnsInRows {
            format = FileFormat(format.name == .tsv ? .csv : format.name, separator: separator)
        }
        let isNumbered = if case .numbered = texts[0] { true } else { false }
        let label = hasLabels ? kindType.label(label, separator: labelSeparator) : nil
        var columns = Columns(
            first: texts[0], second: texts.count > 1 ? texts[1] : nil, label: label, hasHeader: header ?? !isNumbered)
        columns.choices = choices
        var set = DataFile(name: name, files: files, format: format, columns: columns)
        set.skipsUnlabelledRows = skipsUnlabelled
        return set
    }

    private func fail(_ text: String) -> TaskFileError {
        TaskFileError(problems: [.init(path: path, line: line, text: text)])
    }

    /// The kind with the labels that the training set has: numbers in their order, else by their letters.
    private func foundKind() throws -> any TaskKind {
        if label.count > 1, kindType is any SequenceKind.Type {
            return try kindType.init(labels: label.map(\.description))
        }
        if let kind = try? kindType.init(labels: []) { return kind }
        var labels: Set<String> = []
        // What the labels are, is what is looked for.
        for source in try set(train, hasLabels: true).sources(of: Regression(), in: nil) {
            try source.forEachSlice { rows, bytes in
                try rows.reduce(into: Set<String>()) { found, span in
                    found.formUnion(try source.parser.labelValues(of: span, in: bytes) ?? [])
                }
            } take: { found in
                labels.formUnion(found)
                labels.remove("")
                guard labels.count <= TaskDescription.mostLabels else {
                    throw fail(
                        "\(name) has more than \(TaskDescription.mostLabels) labels in its training set: is "
                            + "\"\(self.label[0])\" the right column, or the task a regression?")
                }
            }
        }
        let ordered =
            labels.allSatisfy { Int($0) != nil }
            ? labels.sorted { (Int($0) ?? 0, $0) < (Int($1) ?? 0, $1) }
            : labels.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
        do {
            return try kindType.init(labels: ordered)
        } catch {
            throw fail("the training set of \(name) has too few labels: \(error)")
        }
    }
}
