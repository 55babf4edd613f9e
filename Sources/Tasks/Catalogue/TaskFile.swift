import Files
import Foundation
import Tokenization
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
        if !file.problems.isEmpty {
            let ordered = file.problems.enumerated().sorted { ($0.1.line ?? 0, $0.0) < ($1.1.line ?? 0, $1.0) }
            throw TaskFileError(problems: ordered.map(\.element))
        }
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
        guard TaskFile.isExpandable(text) else {
            throw fail("this is no task file: its anchors stand for more than a file can hold")
        }
        let root: Node?
        do {
            root = try compose(yaml: url.pathExtension.lowercased() == "json" ? TaskFile.yaml(ofJSON: data) : text)
        } catch let error as YamlError {
            throw TaskFile.error(error, path: url.path)
        } catch let fault as JSONText.Fault {
            throw fail("this is not JSON: \(fault.reason)", line: fault.line)
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
        var names: Set<String> = []
        return entries.compactMap { entry in
            if let name = entry.mapping?["name"]?.string, !names.insert(name.lowercased()).inserted {
                add("two tasks are named \"\(name)\"", at: entry)
            }
            return task(entry)
        }
    }

    /// Whether the text stays small once its aliases are replaced by what they stand for.
    ///
    /// With n anchors and k aliases no node is more than (1 + k / n)ⁿ times as large as what is written: an anchor with
    /// m aliases in it is at most 1 + m times as large as the largest of those before it. The composer compares keys
    /// by all that they hold, so that a key must not be larger than can be walked through.
    private static func isExpandable(_ text: String) -> Bool {
        var (anchors, aliases, before) = (0.0, 0.0, UInt8(0))
        for byte in text.utf8 {
            // A name begins right behind the sign, which tells aliases from most patterns of files.
            if ![0x09, 0x0A, 0x0D, 0x20, UInt8(ascii: ".")].contains(byte) {
                if before == UInt8(ascii: "&") { anchors += 1 }
                if before == UInt8(ascii: "*") { aliases += 1 }
            }
            before = byte
        }
        return anchors == 0 || anchors * log1p(aliases / anchors) < log(1e5)
    }

    /// A text of JSON as YAML has it, which knows no letter that is escaped as two halves.
    ///
    /// - Throws: `JSONText.Fault`.
    private static func yaml(ofJSON data: Data) throws -> String {
        _ = try JSONText(data)
        let escape = /\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\[^u]/
        return String(decoding: data, as: UTF8.self).replacing(escape) { match in
            guard let high = match.1.flatMap({ UInt16($0, radix: 16) }),
                let low = match.2.flatMap({ UInt16($0, radix: 16) })
            else { return String(match.0) }
            return String(decoding: [high, low], as: UTF16.self)
        }
    }

    private static func error(_ error: YamlError, path: String) -> TaskFileError {
        func problem(_ text: String, _ mark: Mark?) -> TaskFileError {
            TaskFileError(problems: [.init(path: path, line: mark?.line, text: text)])
        }
        switch error {
        case .scanner(_, let text, let mark, _), .parser(_, let text, let mark, _), .composer(_, let text, let mark, _):
            return problem("this is not YAML: \(text)", mark)
        case .duplicatedKeysInMapping(let keys, let context):
            return problem("\"\(keys.joined(separator: "\", \""))\" stands here twice", context.mark)
        default:
            return problem("this is not YAML", nil)
        }
    }

    // MARK: - One task

    private static let keys = [
        "name", "type", "train", "dev", "test", "format", "separator", "header", "text", "choices", "label", "labels",
        "label_separator", "metrics", "missing", "truncation", "weight",
    ]

    /// The task of an entry; nil, with problems noted, if it is none.
    private mutating func task(_ node: Node) -> TaskDescription? {
        let before = problems.count
        guard case .mapping(let fields) = node else {
            add("a task is an object with name, type, train, text and label", at: node)
            return nil
        }
        let keys = TaskFile.keys + TaskKinds.optionNames
        for (key, _) in fields where !keys.contains(key.string ?? "") {
            let name = key.string ?? "?"
            let hint =
                nearestName(to: name, among: keys).map { "did you mean \"\($0)\"?" }
                ?? "it may have \(keys.joined(separator: ", "))"
            add("\"\(name)\" is no field of a task; \(hint)", at: key)
        }
        // What is not there is noted; the rest is looked at all the same.
        let kind = self.kind(fields["type"])
        let kindFields = kind?.fields ?? KindFields()
        let required =
            ["name", "type", "train"] + (kindFields.defaultTexts.isEmpty ? ["text"] : [])
            + (kindFields.hasChoices ? ["choices"] : []) + (kindFields.defaultLabel == nil ? ["label"] : [])
        for name in required where fields[name] == nil { add("the task has no \"\(name)\"", at: node) }
        var task = TaskDescription(
            path: url.path, line: node.mark?.line ?? 1, name: name(fields["name"]) ?? "",
            kindType: kind ?? Classification.self, train: paths(fields["train"], "train") ?? [])
        if let dev = fields["dev"] {
            task.devShare = dev.string.flatMap(TaskFile.share)
            if task.devShare == nil { task.dev = paths(dev, "dev") }
        }
        if let share = task.devShare, !(share > 0 && share < 1) {
            add("\"dev\" is a share of the training set between 0% and 100%", at: fields["dev"])
        }
        if let test = fields["test"] { task.test = paths(test, "test") }
        format(fields, of: &task)
        task.texts = kindFields.defaultTexts.map { .named($0) }
        if let node = fields["text"] { task.texts = columns(node, "text", kindFields.texts) }
        if let node = fields["choices"] {
            if kind != nil, !kindFields.hasChoices { add("\"choices\" is for choice tasks", at: node) }
            task.choices = columns(node, "choices", 1...1000)
        }
        label(fields, kind, of: &task)
        if kind != nil {
            labels(fields["labels"], of: &task)
            metrics(fields["metrics"], of: &task)
            options(fields, of: &task)
        }
        agreement(fields, of: task)
        if let node = fields["missing"] {
            task.skipsUnlabelled = node.string == "skip"
            if !["skip", "error"].contains(node.string) { add("\"missing\" is skip or error", at: node) }
        }
        if let node = fields["truncation"] {
            if kind?.fields.cutsTexts == false {
                add("\"truncation\" is for types that cut texts; a \(task.kindType.name) reads long ones in windows", at: node)
            }
            if let side = node.string.flatMap(TruncationSide.init) {
                task.truncationSide = side
            } else {
                add("\"truncation\" is start or end, whichever is cut", at: node)
            }
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
        if ["average", "all"].contains(name.lowercased()) {
            add("\"\(name)\" is the name of a row of the tables; give the task another", at: node)
            return nil
        }
        if name.lowercased().hasSuffix(".probabilities") {
            add("\"\(name)\" ends as the files of probabilities do; give the task another name", at: node)
            return nil
        }
        let taken = GLUE.tasks.flatMap { ($0.dev + $0.test).map(\.name) } + GLUE.submissionFiles.map(\.stem)
        if taken.contains(where: { $0.lowercased() == name.lowercased() }) {
            add("\"\(name)\" is a name of GLUE's; give the task another", at: node)
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
        let folder = url.deletingLastPathComponent()
        var found: [String] = []
        for pattern in patterns {
            let path = URL(fileURLWithPath: pattern, relativeTo: folder).standardizedFileURL.path
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
                if isFolder.boolValue { add("\"\(field)\": \(path) is a directory", at: node) } else { found.append(path) }
                continue
            }
            let matches = filesMatching(pattern, in: folder)
            if matches.isEmpty {
                let isPattern = pattern.contains { "*?[".contains($0) }
                add("\"\(field)\": \(isPattern ? "no file matches" : "there is no file") \(path)", at: node)
            }
            found += matches
        }
        for path in Set(found).sorted() where found.count(where: { $0 == path }) > 1 {
            add("\"\(field)\" has \(path) twice", at: node)
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
            for (field, paths) in [("train", task.train), ("dev", task.dev ?? []), ("test", task.test ?? [])] {
                let names = Set(paths.compactMap { FileFormat(path: $0)?.name.rawValue }).sorted()
                guard names.count > 1 else { continue }
                add("the files of \"\(field)\" are of several formats: \(names.joined(separator: ", "))", at: fields[field])
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
                return position > -1_000_000 && position < 1_000_000 ? .numbered(position) : nil
            }
            return scalar.string.isEmpty ? nil : .named(scalar.string)
        }
        if columns.count != nodes.count || !counts.contains(columns.count) || Set(columns).count != columns.count {
            let several = counts.upperBound == 2 ? ", or a list of two" : ", or a list of columns"
            add("\"\(field)\" is a column's name or its number from 0\(counts.upperBound == 1 ? "" : several)", at: node)
        }
        return columns
    }

    private mutating func label(
        _ fields: Node.Mapping, _ kind: (any TaskKind.Type)?, of task: inout TaskDescription
    ) {
        let takesSeveral = kind.map { ($0 as? any SequenceKind.Type)?.takesSeveralLabels ?? false } ?? true
        task.label = kind?.fields.defaultLabel.map { [.named($0)] } ?? []
        if let node = fields["label"] { task.label = columns(node, "label", kind?.fields.labels ?? 1...100_000) }
        if let node = fields["label_separator"] {
            if !takesSeveral { add("\"label_separator\" is for multilabel tasks", at: node) }
            if task.label.count > 1 { add("\"label_separator\" is for labels in one column", at: node) }
            if let text = node.string, text.utf8.count == 1, let byte = text.utf8.first {
                task.labelSeparator = byte
            } else {
                add("\"label_separator\" is one ASCII character, such as \"|\"", at: node)
            }
        }
    }

    /// What the columns say together, and beside the files' format.
    private mutating func agreement(_ fields: Node.Mapping, of task: TaskDescription) {
        let isNumbered = Set((task.texts + task.choices + task.label).map { if case .numbered = $0 { true } else { false } })
        if isNumbered.count > 1 {
            add("columns are named by their names or by their numbers, not by both", at: fields["label"])
        }
        if task.label.count > 1, isNumbered.contains(true), task.kindType is any SequenceKind.Type {
            add("columns that are labels have names", at: fields["label"])
        }
        let read = task.texts + task.choices
        let names = read.map(task.fieldName)
        if let name = names.first(where: { name in names.count { $0 == name } > 1 }), Set(read).count == read.count {
            let what = task.choices.isEmpty ? "the two texts" : "two texts"
            add("\(what) would both be named \"\(name)\" in rows to predict", at: fields["text"])
        }
        for column in read where task.label.contains(column) {
            add("the column \"\(column)\" is a text and the label, too", at: fields["label"])
        }
        for column in task.texts where task.choices.contains(column) {
            add("the column \"\(column)\" is a text and a choice, too", at: fields["choices"])
        }
        let formats = (task.train + (task.dev ?? []) + (task.test ?? [])).map {
            (task.format ?? FileFormat(path: $0))?.name
        }
        for format in Set(formats.compactMap { $0 }).sorted(by: { $0.rawValue < $1.rawValue }) {
            if format.namesColumnsInRows, isNumbered.contains(true) {
                add("columns of \(format.rawValue) are named by their names", at: fields["label"])
            }
            if format == .conll, isNumbered.contains(false) {
                add("columns of conll are named by their numbers", at: fields["label"])
            }
            if format != .conll, (task.texts + task.label).contains(where: \.isFromEnd) {
                add("columns are counted from the end, from -1, in conll alone", at: fields["label"])
            }
        }
        if let node = fields["separator"], !formats.isEmpty, formats.allSatisfy({ $0?.namesColumnsInRows == true }) {
            add("\"separator\" is for csv, tsv and conll", at: node)
        }
        if !formats.isEmpty, !formats.contains(where: { $0 == nil || $0 == .csv || $0 == .tsv }) {
            if let node = fields["header"] { add("\"header\" is for csv and tsv", at: node) }
        } else if task.header == false, isNumbered.contains(false) {
            add("without a header, columns are named by their numbers", at: fields["header"])
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

    /// The options of the task's kind.
    private mutating func options(_ fields: Node.Mapping, of task: inout TaskDescription) {
        let known = task.kindType.options
        for name in TaskKinds.optionNames {
            guard let node = fields[name] else { continue }
            guard let option = known.first(where: { $0.name == name }) else {
                let kinds = TaskKinds.names(having: name).joined(separator: " and ")
                add("\"\(name)\" is for \(kinds) tasks", at: node)
                continue
            }
            let value = option.isText ? node.string.map(JSONValue.string) : TaskFile.value(node)
            guard let value, option.accepts(value) else {
                add("\"\(name)\" \(option.rule)", at: node)
                continue
            }
            task.options[name] = value
            task.optionLines[name] = node.mark?.line
            if option.needsDevSet(value), fields["dev"] == nil {
                add("\"\(name)\" is found on a dev set, and the task has no \"dev\"", at: node)
            }
            let metrics = task.metrics ?? task.kindType.defaultMetrics
            if !option.metrics.isEmpty, !option.metrics.contains(where: metrics.contains) {
                let wanted = option.metrics.map(\.rawValue).joined(separator: " or ")
                add("\"\(name)\" is for the metric \(wanted), which the task does not have", at: node)
            }
            do {
                _ = try task.kind?.with([name: value])
            } catch {
                add(error.description, at: node)
            }
        }
    }

    /// A value as JSON has it; nil for what is none of JSON's.
    private static func value(_ node: Node) -> JSONValue? {
        switch node {
        case .scalar(let scalar):
            if scalar.style != .any, scalar.style != .plain { return .string(scalar.string) }
            if let value = node.bool { return .bool(value) }
            return node.int.map(JSONValue.integer) ?? node.float.map(JSONValue.number) ?? .string(scalar.string)
        case .sequence(let nodes):
            let values = nodes.compactMap(value)
            return values.count == nodes.count ? .array(values) : nil
        case .mapping(let members):
            var result: [String: JSONValue] = [:]
            for (key, node) in members {
                guard let name = key.string, let value = value(node), result[name] == nil else { return nil }
                result[name] = value
            }
            return .object(result)
        case .alias: return nil
        }
    }

    private mutating func metrics(_ node: Node?, of task: inout TaskDescription) {
        guard let node else { return }
        let allowed = task.kindType.allowedMetrics
        let names = strings(node) ?? []
        let metrics = names.compactMap { name in Metric(named: name).flatMap { allowed.contains($0) ? $0 : nil } }
        if metrics.count != names.count || names.isEmpty || Set(metrics).count != metrics.count {
            let known = allowed.map(\.rawValue)
            let wrong = names.first { name in !(Metric(named: name).map(allowed.contains) ?? false) }
            let hint = wrong.flatMap { nearestName(to: $0, among: known) }.map { "; did you mean \($0)?" } ?? ""
            add(
                "\"metrics\" of a \(task.kindType.name) are some of \(known.joined(separator: ", "))\(hint)", at: node)
        } else if metrics.allSatisfy(\.isLowerBetter) {
            add("\"metrics\" needs one of which higher is better, which is the task's score", at: node)
        }
        task.metrics = metrics
    }
}

/// The plain files that a shell's pattern matches, in order. A relative one starts from `folder`, whose own name is
/// no pattern.
private func filesMatching(_ pattern: String, in folder: URL) -> [String] {
    let start = folder.path.map { "\\*?[".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern.hasPrefix("/") ? pattern : "\(start)/\(pattern)", 0, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { index in
        guard let path = result.gl_pathv[index].map({ URL(fileURLWithPath: String(cString: $0)).standardizedFileURL.path })
        else { return nil }
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue ? path : nil
    }
}
