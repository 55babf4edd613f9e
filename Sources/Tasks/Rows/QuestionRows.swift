import Files

/// What lies around a row that is an object within others.
final class EnclosingObject: Sendable {
    /// A member of it, with its value's place in the file.
    struct Member {
        let name: String
        let line: Int
        let range: Range<Int>
    }

    /// The path to it from the file's or the line's beginning, such as `data[3].paragraphs[2]`; empty for the
    /// outermost one.
    let path: String
    let members: [Member]

    init(path: String, members: [Member]) {
        self.path = path
        self.members = members
    }

    /// The value of a name, the last one's where it has several; nil where there is none.
    func member(_ name: String) -> Member? { members.last { $0.name.utf8.elementsEqual(name.utf8) } }
}

/// The questions of a paragraph `{"context": …, "qas": […]}`, by their places: as SQuAD has them, and MRQA.
struct Paragraph {
    private var questions: [EnclosingObject.Member]?
    private var members: [EnclosingObject.Member]
    private var enclosing: EnclosingObject?
    private var next = 0

    /// Reads the paragraph that is at hand.
    ///
    /// - Parameters:
    ///   - cursor: is behind it afterwards.
    ///   - bytes: the file's.
    ///   - path: the paragraph's.
    ///   - title: of the document that it is of.
    /// - Throws: `RowProblem`, `JSONText.Fault`.
    init(
        _ cursor: inout JSONCursor, of bytes: UnsafeRawBufferPointer, path: String, title: EnclosingObject.Member? = nil
    ) throws {
        _ = cursor.peek()
        let line = cursor.line
        // A title of the paragraph's own stands behind it, and counts.
        members = title.map { [$0] } ?? []
        try cursor.beginObject()
        while let key = try cursor.nextKey() {
            guard key == "qas" else {
                members.append(try cursor.skipMember(key))
                continue
            }
            guard questions == nil else { throw RowProblem(line: cursor.line, path: path, "it has \"qas\" twice") }
            var found: [EnclosingObject.Member] = []
            try cursor.beginArray()
            while try cursor.nextElement() { found.append(try cursor.skipMember("")) }
            questions = found
        }
        guard let questions else { throw RowProblem(line: line, path: path, "it has no list \"qas\" of questions") }
        let enclosing = EnclosingObject(path: path, members: members)
        // Otherwise the first question's reader does.
        if questions.isEmpty { try enclosing.check(of: bytes) }
        self.enclosing = enclosing
    }

    /// The next question.
    mutating func nextQuestion() -> RowSpan? {
        guard let questions, next < questions.count else { return nil }
        defer { next += 1 }
        return RowSpan(
            line: questions[next].line, range: questions[next].range, element: next, enclosing: enclosing)
    }
}

extension JSONCursor {
    /// Steps over the value at hand, which is a member's.
    mutating func skipMember(_ name: String) throws(JSONText.Fault) -> EnclosingObject.Member {
        _ = peek()
        let line = line
        return EnclosingObject.Member(name: name, line: line, range: try skipValue())
    }
}

extension EnclosingObject {
    /// - Throws: `RowProblem` for a member that is not JSON.
    func check(of bytes: UnsafeRawBufferPointer) throws {
        for member in members {
            do {
                _ = try member.value(of: bytes)
            } catch let problem as RowProblem {
                throw RowProblem(line: problem.line, problem: problem.problem.at(path))
            }
        }
    }
}

extension EnclosingObject.Member {
    /// - Throws: `RowProblem` if it is not JSON.
    func value(of bytes: UnsafeRawBufferPointer) throws -> JSONText {
        do {
            return try JSONText(bytes[range])
        } catch {
            throw RowProblem(fault: error, from: line)
        }
    }
}

extension RowProblem {
    /// That something at a path is not as it should be; the text says how, without a full stop.
    init(line: Int, path: String, _ text: String) {
        self.init(line: line, problem: DataFileError.Problem.malformed(reason: text).at(path))
    }

    /// That a value that begins on a line is not JSON.
    init(fault error: any Error, from line: Int) {
        let fault = error as? JSONText.Fault
        self.init(
            line: line + (fault?.line ?? 1) - 1,
            problem: .malformed(reason: "this is not JSON: \(fault?.reason ?? "\(error)")"))
    }
}

extension DataFileError.Problem {
    /// The problem, with the path in JSON of what has it, unless it has one.
    func at(_ path: String?) -> DataFileError.Problem {
        guard let path, !path.isEmpty else { return self }
        if case .within = self { return self }
        return .within(path: path, self)
    }
}

extension RowSpan {
    /// The path in JSON from the file's or the line's beginning to a row that is an object within others, such as
    /// `data[3].paragraphs[2].qas[1]`; nil for other rows.
    var path: String? { enclosing.map { $0.path + ($0.path.isEmpty ? "" : ".") + "qas[\(element)]" } }

    /// The row's question, an object.
    ///
    /// - Throws: `RowProblem`.
    func question(of bytes: UnsafeRawBufferPointer) throws -> JSONText {
        let question = try EnclosingObject.Member(name: "", line: line, range: range).value(of: bytes)
        guard question.members != nil else {
            throw DataFileError.Problem.malformed(reason: "the question is \(question), and an object is wanted")
        }
        // Each question's reader sees what it reads of the paragraph; one of them looks at the rest.
        if element == 0 { try enclosing?.check(of: bytes) }
        return question
    }

    /// The value of a column: in the question's object, or in what lies around it; nil if there is none.
    ///
    /// - Throws: `RowProblem`, `DataFileError.Problem`.
    func field(at path: [String], _ question: JSONText, of bytes: UnsafeRawBufferPointer) throws -> FieldValue? {
        var value = try question.value(at: path)
        // A paragraph's id is none of its questions'.
        if value?.isNull ?? true, path != ["id"], let name = path.first, let member = enclosing?.member(name) {
            value = try member.value(of: bytes).value(at: Array(path.dropFirst()))
        }
        if let value, !value.isNull { return try QuestionColumn(path).field(value, at: path) }
        if path == ["question"] || path == ["context"] {
            throw DataFileError.Problem.malformed(reason: "there is no \"\(path[0])\"")
        }
        return nil
    }
}

/// What the value of a question's column may be.
enum QuestionColumn {
    case text, identifier, texts, wholeNumbers, truth
    /// A text, a number, true or false, or a list of those.
    case any

    init(_ path: [String]) {
        switch path {
        case ["question"], ["context"], ["title"]: self = .text
        case ["id"]: self = .identifier
        case ["answers", "text"]: self = .texts
        case ["answers", "answer_start"]: self = .wholeNumbers
        case ["is_impossible"]: self = .truth
        default: self = .any
        }
    }

    private var wanted: String {
        switch self {
        case .text: "a text"
        case .identifier: "a text or a number"
        case .texts: "a list of texts"
        case .wholeNumbers: "a list of whole numbers"
        case .truth: "true or false"
        case .any: "a text, a number or a list of those"
        }
    }

    /// - Throws: `DataFileError.Problem` if the value is of another type.
    func field(_ value: JSONText, at path: [String]) throws(DataFileError.Problem) -> FieldValue {
        var field: FieldValue?
        switch (self, value) {
        case (.text, .string), (.identifier, .string), (.identifier, .number), (.truth, .bool):
            field = QuestionColumn.scalar(value).map { .decoded($0) }
        case (.texts, .array(let elements)) where elements.allSatisfy({ $0.string != nil }),
            (.wholeNumbers, .array(let elements)) where elements.allSatisfy({ $0.integer != nil }),
            (.any, .array(let elements)):
            let values = elements.compactMap(QuestionColumn.scalar)
            if values.count == elements.count { field = .list(values) }
        case (.any, _): field = QuestionColumn.scalar(value).map { .decoded($0) }
        default: break
        }
        guard let field else {
            throw .malformed(reason: "\"\(path.joined(separator: "."))\" is \(value), and \(wanted) is wanted")
        }
        return field
    }

    private static func scalar(_ value: JSONText) -> [UInt8]? {
        switch value {
        case .string(let text), .number(let text): Array(text.utf8)
        case .bool(let value): Array("\(value)".utf8)
        default: nil
        }
    }
}
