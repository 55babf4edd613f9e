import Foundation
import Yams

/// Everything that is wrong with task files.
public struct TaskFileError: Error, Equatable, CustomStringConvertible {
    public struct Problem: Sendable, Equatable {
        public var path: String
        /// Counted from 1; nil where it is the whole file.
        public var line: Int?
        public var text: String
    }

    public var problems: [Problem]

    public var description: String {
        problems.map { problem in
            let place = problem.line.map { "\(problem.path):\($0)" } ?? problem.path
            return "\(place): \(problem.text)"
        }.joined(separator: "\n")
    }
}

/// A file that describes tasks, in YAML or JSON: an object whose `tasks` are a list of them. Documentation/Tasks.md has
/// all that may be in it.
struct TaskFile {
    private let url: URL
    private var problems: [TaskFileError.Problem] = []

    private init(_ url: URL) { self.url = url }

    /// - Throws: `TaskFileError` with everything that is wrong with the file.
    static func read(_ url: URL) throws -> [TaskDescription] {
        var file = TaskFile(url)
        let tasks = try file.tasks()
        if !file.problems.isEmpty { throw TaskFileError(problems: file.problems) }
        return tasks
    }

    private mutating func add(_ text: String, at node: Node?) {
        problems.append(.init(path: url.path, line: node?.mark?.line, text: text))
    }

    private func fail(_ text: String, line: Int? = nil) -> TaskFileError {
        TaskFileError(problems: [.init(path: url.path, line: line, text: text)])
    }

    /// Far beyond what anybody writes by hand.
    private static let largestSize = 1 << 20

    private mutating func tasks() throws -> [TaskDescription] {
        guard let data = try? Data(contentsOf: url) else {
            let isThere = FileManager.default.fileExists(atPath: url.path)
            throw fail(isThere ? "this task file can't be read" : "there is no such task file")
        }
        guard data.count <= TaskFile.largestSize else {
            throw fail("this is no task file: it has \(data.count) bytes, and a task takes a few lines")
        }
        guard let text = String(data: data, encoding: .utf8) else { throw fail("this task file is not valid UTF-8") }
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch let error as YamlError {
            throw TaskFile.error(error, path: url.path)
        }
        guard let root, case .mapping(let fields) = root else {
            throw fail("a task file is an object with the list \"tasks\"", line: 1)
        }
        for (key, _) in fields where key.string != "tasks" {
            add("\"\(key.string ?? "?")\" is no field of a task file; it has \"tasks\" alone", at: key)
        }
        guard let list = fields["tasks"], case .sequence(let entries) = list, !entries.isEmpty else {
            throw fail("a task file has the list \"tasks\", of one task or more", line: root.mark?.line)
        }
        var tasks: [TaskDescription] = []
        for entry in entries {
            guard let task = task(entry) else { continue }
            if tasks.contains(where: { $0.name.lowercased() == task.name.lowercased() }) {
                add("two tasks are named \"\(task.name)\"", at: entry)
            }
            tasks.append(task)
        }
        return tasks
    }

    private static func error(_ error: YamlError, path: String) -> TaskFileError {
        func problem(_ text: String, _ mark: Mark?) -> TaskFileError {
            TaskFileError(problems: [.init(path: path, line: mark?.line, text: text)])
        }
        switch error {
        case .scanner(_, let text, let mark, _), .parser(_, let text, let mark, _), .composer(_, let text, let mark, _):
            return problem("this is not YAML: \(text)", mark)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            return problem("an object has the same field twice: \(names)", context.mark)
        default:
            return problem("this is not YAML", nil)
        }
    }

    // MARK: - One task

    private static let keys = [
        "name", "type", "train", "dev", "test", "format", "separator", "header", "text", "label", "labels",
        "label_separator", "metrics", "missing", "weight",
    ]

    /// The task of an entry; nil, with problems noted, if it is none.
    private mutating func task(_ node: Node) -> TaskDescription? {
        let before = problems.count
        guard case .mapping(let fields) = node else {
            add("a task is an object with name, type, train, text and label", at: node)
            return nil
        }
        for (key, _) in fields where !TaskFile.keys.contains(key.string ?? "") {
            let name = key.string ?? "?"
            let hint =
                nearestName(to: name, among: TaskFile.keys).map { "did you mean \"\($0)\"?" }
                ?? "it may have \(TaskFile.keys.joined(separator: ", "))"
            add("\"\(name)\" is no field of a task; \(hint)", at: key)
        }
        for name in ["name", "type", "train", "text", "label"] where fields[name] == nil {
            add("the task has no \"\(name)\"", at: node)
        }
        let name = self.name(fields["name"])
        let kind = self.kind(fields["type"])
        let train = paths(fields["train"], "train")
        guard let name, let kind, let train, let textNode = fields["text"], let labelNode = fields["label"] else {
            return nil
        }
        var task = TaskDescription(path: url.path, line: node.mark?.line ?? 1, name: name, kindType: kind, train: train)
        if let dev = fields["dev"] {
            task.devShare = dev.string.flatMap(TaskFile.share)
            if task.devShare == nil { task.dev = paths(dev, "dev") }
        }
        if let share = task.devShare, !(share > 0 && share < 1) {
            add("\"dev\" is a share of the training set between 0% and 100%", at: fields["dev"])
        }
        if let test = fields["test"] { task.test = paths(test, "test") }
        format(fields, of: &task)
        task.texts = columns(textNode, "text", 1...2)
        label(labelNode, fields, of: &task)
        labels(fields["labels"], of: &task)
        metrics(fields["metrics"], of: &task)
        if let node = fields["missing"] {
            task.skipsUnlabelled = node.string == "skip"
            if !["skip", "error"].contains(node.string) { add("\"missing\" is skip or error", at: node) }
        }
        if let node = fields["weight"] {
            task.weight = node.float ?? .nan
            if !(task.weight > 0 && task.weight.isFinite) { add("\"weight\" is a number above 0", at: node) }
        }
        return problems.count == before ? task : nil
    }

    private mutating func name(_ node: Node?) -> String? {
        guard let node else { return nil }
        guard let name = node.string else {
            add("\"name\" is a text", at: node)
            return nil
        }
        if let problem = TaskName.problem(with: name) {
            add(problem, at: node)
            return nil
        }
        let taken = GLUE.tasks.flatMap { ($0.dev + $0.test).map(\.name) } + GLUE.submissionFiles.map(\.stem)
        if taken.contains(where: { $0.lowercased() == name.lowercased() }) {
            add("\"\(name)\" is a name of GLUE's; give the task another", at: node)
            return nil
        }
        if name.lowercased().hasSuffix(".probabilities") {
            add("\"\(name)\" ends as the files of probabilities do; give the task another name", at: node)
            return nil
        }
        return name
    }

    private mutating func kind(_ node: Node?) -> (any TaskKind.Type)? {
        guard let node else { return nil }
        if let kind = node.string.flatMap(TaskKinds.named) { return kind }
        let known = TaskKinds.all.map { $0.name }
        let nearest = node.string.flatMap { nearestName(to: $0, among: known) }.map { "; did you mean \($0)?" } ?? ""
        add("\"type\" is one of \(known.joined(separator: ", "))\(nearest)", at: node)
        return nil
    }

    /// 10% or 0.1.
    private static func share(_ text: String) -> Double? {
        if text.hasSuffix("%") { return Double(text.dropLast()).map { $0 / 100 } }
        return Double(text)
    }

    /// The files that paths and patterns name, relative to this file.
    private mutating func paths(_ node: Node?, _ field: String) -> [String]? {
        guard let node else { return nil }
        guard let patterns = strings(node), !patterns.isEmpty else {
            add("\"\(field)\" is a path or a list of paths", at: node)
            return nil
        }
        var found: [String] = []
        for pattern in patterns {
            let path = URL(fileURLWithPath: pattern, relativeTo: url.deletingLastPathComponent()).standardizedFileURL.path
            let matches = FileManager.default.fileExists(atPath: path) ? [path] : filesMatching(path)
            if matches.isEmpty {
                let isPattern = pattern.contains { "*?[".contains($0) }
                add("\"\(field)\": \(isPattern ? "no file matches" : "there is no file") \(path)", at: node)
            }
            found += matches
        }
        return found.isEmpty ? nil : found
    }

    private func strings(_ node: Node) -> [String]? {
        if case .sequence(let list) = node {
            let texts = list.compactMap(\.string)
            return texts.count == list.count ? texts : nil
        }
        return node.string.map { [$0] }
    }

    private mutating func format(_ fields: Node.Mapping, of task: inout TaskDescription) {
        if let node = fields["format"] {
            task.format = node.string.flatMap(FileFormat.Name.init).map { FileFormat($0) }
            if task.format == nil {
                add("\"format\" is one of \(FileFormat.Name.allCases.map(\.rawValue).joined(separator: ", "))", at: node)
            }
        } else {
            for path in task.train + (task.dev ?? []) + (task.test ?? []) where FileFormat(path: path) == nil {
                add(
                    "\(path): the ending says no format; give \"format\": "
                        + FileFormat.Name.allCases.map(\.rawValue).joined(separator: ", "), at: fields["train"])
            }
        }
        if let node = fields["separator"] {
            let text = node.string == "\\t" ? "\t" : node.string
            if let text, text.utf8.count == 1, let byte = text.utf8.first, !"\"\r\n".utf8.contains(byte) {
                task.separator = byte
            } else {
                add("\"separator\" is one ASCII character, such as \";\"", at: node)
            }
        }
        if let node = fields["header"] {
            task.header = node.bool
            if task.header == nil { add("\"header\" is true or false", at: node) }
        }
    }

    private mutating func columns(_ node: Node, _ field: String, _ counts: ClosedRange<Int>) -> [ColumnReference] {
        let nodes = if case .sequence(let list) = node { Array(list) } else { [node] }
        let columns = nodes.compactMap { node -> ColumnReference? in
            guard case .scalar(let scalar) = node else { return nil }
            // A name in quotes stays a name.
            if scalar.style == .any || scalar.style == .plain, let position = Int(scalar.string) {
                return position >= 0 && position < 1_000_000 ? .numbered(position) : nil
            }
            return scalar.string.isEmpty ? nil : .named(scalar.string)
        }
        if columns.count != nodes.count || !counts.contains(columns.count) || Set(columns).count != columns.count {
            let several = counts.upperBound == 2 ? ", or a list of two" : ", or a list of columns"
            add("\"\(field)\" is a column's name or its number from 0\(counts.upperBound == 1 ? "" : several)", at: node)
        }
        return columns
    }

    private mutating func label(_ node: Node, _ fields: Node.Mapping, of task: inout TaskDescription) {
        let takesSeveral = task.kindType.takesSeveralLabels
        task.label = columns(node, "label", takesSeveral ? 1...100_000 : 1...1)
        if let node = fields["label_separator"] {
            if !takesSeveral { add("\"label_separator\" is for multilabel tasks", at: node) }
            if task.label.count > 1 { add("\"label_separator\" is for labels in one column", at: node) }
            if let text = node.string, text.utf8.count == 1, let byte = text.utf8.first {
                task.labelSeparator = byte
            } else {
                add("\"label_separator\" is one ASCII character, such as \"|\"", at: node)
            }
        }
        if let both = task.label.first(where: task.texts.contains) {
            add("\"label\" and \"text\" are the same column, \(both)", at: node)
        }
        let isNumbered = (task.texts + task.label).map { if case .numbered = $0 { true } else { false } }
        if Set(isNumbered).count > 1 {
            add("columns are named by their names or by their numbers, not by both", at: node)
        }
        if task.label.count > 1, isNumbered.contains(true) {
            add("columns that are labels have names", at: node)
        }
    }

    private mutating func labels(_ node: Node?, of task: inout TaskDescription) {
        guard let node else { return }
        guard let labels = strings(node) else {
            return add("\"labels\" is a list of texts", at: node)
        }
        if task.label.count > 1 { return add("\"labels\" are the columns that \"label\" names", at: node) }
        do {
            task.kind = try task.kindType.init(labels: labels)
        } catch {
            add("\(error)", at: node)
        }
    }

    private mutating func metrics(_ node: Node?, of task: inout TaskDescription) {
        guard let node else { return }
        let allowed = task.kindType.allowedMetrics
        let names = strings(node) ?? []
        let metrics = names.compactMap { name in Metric(named: name).flatMap { allowed.contains($0) ? $0 : nil } }
        if metrics.count != names.count || names.isEmpty || Set(metrics).count != metrics.count {
            add(
                "\"metrics\" of a \(task.kindType.name) are some of \(allowed.map(\.rawValue).joined(separator: ", "))",
                at: node)
        } else if metrics.allSatisfy(\.isLowerBetter) {
            add("\"metrics\" needs one of which higher is better, which is the task's score", at: node)
        }
        task.metrics = metrics
    }
}

/// The plain files that a shell's pattern matches, in order.
private func filesMatching(_ pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern, 0, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
}
