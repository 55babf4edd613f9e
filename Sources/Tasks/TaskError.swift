import Files

/// What can be wrong with the choice of a task or with a model's record of it.
public enum TaskError: Error, Equatable, CustomStringConvertible {
    /// There is no task of that name; `nearest` is one that is spelled alike.
    case unknownTask(name: String, nearest: String?, known: [String])
    /// Something that a task leaves to training is not known of a trained model.
    case notFoundInTraining(task: String, option: String)
    /// An option of a task's doesn't go with its training set, or with the model.
    case unfitOption(task: String, reason: String)
    /// A task's training set is too small.
    case tooFewExamples(task: String, count: Int, wanted: String)
    /// A model has a task that is in no task file of the run.
    case notInCatalogue(name: String)
    /// The name is that of a set a task is evaluated on, not of a task to train.
    case evaluationSet(name: String, task: String)
    /// A task has a name that none may have; the text says which, and what a name may be.
    case badName(String)
    /// A model's entry for a task says something that can't be.
    case malformedHead(task: String, reason: String)
    /// A model's entry for a task differs from the task in its type or in its labels; `owner` says whose the task is.
    case headMismatch(found: TaskHead, expected: TaskHead, owner: String = "GLUE's")

    public var description: String {
        switch self {
        case .unknownTask(let name, let nearest, let known):
            let hint = nearest.map { ": did you mean \"\($0)\"?" } ?? "."
            return "unknown task \(name.debugDescription)\(hint) The tasks are \(known.joined(separator: ", "))."
        case .notFoundInTraining(let task, let option):
            return "the task file has \"\(option)\" of \(task), which is found in training, and the model was trained "
                + "without: take it out of the file, or train the model with it."
        case .unfitOption(let task, let reason):
            return "\(task): \(reason)"
        case .tooFewExamples(let task, let count, let wanted):
            return "the \(count) examples of \(task) are too few for \(wanted)."
        case .notInCatalogue(let name):
            return "the model's task \"\(name)\" is none of GLUE's: give the task file that has its data, --tasks FILE.yaml."
        case .evaluationSet(let name, let task):
            return "\"\(name)\" is an evaluation set of \(task), not a task to train: name \(task), whose decoder "
                + "serves \(name) too."
        case .badName(let problem):
            return problem
        case .malformedHead(let task, let reason):
            return "the model's entry for task \"\(task)\" is malformed: \(reason)."
        case .headMismatch(let found, let expected, let owner):
            return "the model's task \"\(found.name)\" is \(found.kind.summary), but \(owner) is "
                + "\(expected.kind.summary): the model was made for other data of that name."
        }
    }
}

/// What is wrong with a file of examples.
public struct DataFileError: Error, Equatable, CustomStringConvertible {
    public enum Problem: Error, Equatable {
        /// There is no such file, nor any at the other places it may lie; `folder` is the directory that is missing.
        case missing(set: String, folder: String?, alternatives: [String])
        /// The file is one of GLUE's, and nothing says where GLUE's data lies.
        case noDataDirectory(set: String)
        case unreadable(reason: String)
        /// The file holds no row, or only damaged ones.
        case noRows
        /// The file is none of examples, but what stands in a file's place now and then.
        case misplaced(MisplacedContent)
        /// The line's byte at `position`, counted from 1, can't stand there in UTF-8.
        case invalidUTF8(byte: UInt8, position: Int)
        /// A line without anything between others.
        case blankLine
        /// The header, once more.
        case repeatedHeader
        /// The header has the wanted column twice.
        case repeatedColumn(name: String)
        case missingColumn(name: String, header: [String])
        /// A row ends before the wanted column, whose position is counted from 0.
        case tooFewColumns(found: Int, wanted: String, position: Int, betweenTabs: Bool = true)
        /// The column that counts the rows of a file to predict, from 0, has another number than is due.
        case wrongIndex(found: String, expected: Int)
        /// A quote that opens a field is never closed.
        case unclosedQuote
        case notJSON(reason: String)
        /// A line is JSON, but no object.
        case notAnObject
        /// A field of a JSON row is an object, or a list of other things than texts.
        case notAText(path: String)
        /// A field of a JSON row is a list where one text is wanted.
        case unexpectedList(name: String)
        /// A JSON row lacks a field.
        case missingField(name: String)
        /// A line of a sentence has fewer columns than are read; `separator` is nil for blanks.
        case raggedLine(text: String, found: Int, wanted: Int, separator: UInt8?)
        /// A line of a sentence has nothing in a column that is read, whose position is counted from 0.
        case emptyColumn(text: String, position: Int)
        /// A file of objects within each other is not as its layout has it.
        case malformed(reason: String)
        /// What is wrong is wrong at a path in JSON, such as `data[3].paragraphs[2]`.
        indirect case within(path: String, DataFileError.Problem)
        case unknownLabel(found: String, allowed: [String])
        case notANumber(found: String)
        case outOfRange(found: String, range: ClosedRange<Float>)
        /// What a row of the task's kind can't be, as a sentence.
        case rule(String)
    }

    public var path: String
    /// The line in the file, counted from 1, if the problem has one.
    public var line: Int?
    public var problem: Problem

    public var description: String {
        let place = line.map { "\(path):\($0)" } ?? path
        return "\(place): \(problem)"
    }
}

extension DataFileError.Problem: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missing(let set, let folder, let alternatives):
            let what = folder.map { "there is no directory \($0)" } ?? "there is no such file"
            let others = alternatives.isEmpty ? "" : " (or \(alternatives.joined(separator: ", ")))"
            return "\(what); \(set) is read from this file\(others), in GLUE's official layout."
        case .noDataDirectory(let set):
            return "\(set) is read from this file in the folder with GLUE's data, and no such folder is given."
        case .unreadable(let reason):
            return "cannot be read: \(reason)."
        case .rule(let text): return text
        case .noRows:
            return "the file holds no examples."
        case .misplaced(let content):
            return "\(content)."
        case .invalidUTF8(let byte, let position):
            let hexadecimal = String(byte, radix: 16, uppercase: true)
            return "the line is not valid UTF-8 at its byte \(position), 0x\(hexadecimal): convert the file to UTF-8."
        case .blankLine:
            return "the line is blank, with rows after it: take it out, if no row is missing there."
        case .repeatedHeader:
            return "the header stands here once more: take it out, if the file is whole."
        case .repeatedColumn(let name):
            return "the header has the column \"\(name)\" twice, and it can't be told which is meant."
        case .missingColumn(let name, let header):
            // A file of another kind may have all its content in what is taken for the header.
            let titles = header.prefix(20).map { String($0.prefix(40)).debugDescription }.joined(separator: ", ")
            let hint = nearestName(to: name, among: header.prefix(100).map { String($0.prefix(40)) })
            return "the header has no column \"\(name)\"\(hint.map { ": did you mean \"\($0)\"? It" } ?? "; it") has "
                + "\(titles)\(header.count > 20 ? ", …" : "")."
        case .tooFewColumns(let found, let wanted, let position, let betweenTabs):
            return "found \(found) \(betweenTabs ? "tab-separated " : "")column\(found == 1 ? "" : "s"), but \(wanted) is column "
                + "\(position + 1)."
        case .wrongIndex(let found, let expected):
            return "the row's number is \(found.debugDescription), and \(expected) is due: a row before it is missing, "
                + "doubled or broken in two. Fetch the file anew."
        case .unclosedQuote:
            return "a field opens with a quote on this line, and the file ends before it closes."
        case .notJSON(let reason):
            return "the line is not JSON: \(reason)."
        case .notAnObject:
            return "the line is JSON, but not an object such as {\"text\": \"…\", \"label\": \"…\"}."
        case .notAText(let path):
            return "\"\(path)\" is neither a text, a number nor a list of those."
        case .unexpectedList(let name):
            return "\"\(name)\" is a list, and one text or number is wanted: join its parts in the file."
        case .missingField(let name):
            return "the row has no \"\(name)\"."
        case .raggedLine(let text, let found, let wanted, let separator):
            let between = separator.map { $0 == 0x09 ? "tab" : "\"\(Character(UnicodeScalar($0)))\"" } ?? "space"
            return "the line \(text.debugDescription) has \(found) \(between)-separated column\(found == 1 ? "" : "s"), and "
                + "\(wanted) are wanted: a line has a word and its labels, and a blank line ends a sentence."
        case .emptyColumn(let text, let position):
            let column = position < 0 ? "column \(-position) from the end" : "column \(position + 1)"
            return "the line \(text.debugDescription) has nothing in \(column)."
        case .malformed(let reason):
            return "\(reason)."
        case .within(let path, let problem):
            return "\(path): \(problem)"
        case .unknownLabel(let found, let allowed):
            return "unknown label \(found.debugDescription); the labels are \(allowed.joined(separator: ", "))."
        case .notANumber(let found):
            return "the score \(found.debugDescription) is not a number."
        case .outOfRange(let found, let range):
            return "the score \(found) lies outside \(range.lowerBound)...\(range.upperBound)."
        }
    }
}

/// The name with the smallest edit distance to `name`, upper and lower case being the same, unless more than half of
/// `name` would have to change.
public func nearestName(to name: String, among names: [String]) -> String? {
    let typed = Array(name.lowercased())
    let nearest = names.map { (name: $0, distance: editDistance(typed, Array($0.lowercased()))) }
        .min { $0.distance < $1.distance }
    guard let nearest, nearest.distance <= typed.count / 2 else { return nil }
    return nearest.name
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements that turn `a` into `b`.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var previous = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var current = [i + 1]
        for (j, y) in b.enumerated() {
            current.append(min(previous[j] + (x == y ? 0 : 1), previous[j + 1] + 1, current[j] + 1))
        }
        previous = current
    }
    return previous[b.count]
}
