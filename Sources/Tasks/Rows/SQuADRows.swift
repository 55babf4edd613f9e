import Files

/// Rows that are the questions of a file in the layout of SQuAD 1.1 and 2: one JSON object, `data` → `paragraphs` →
/// `{context, qas: [{id, question, answers: [{text, answer_start}], is_impossible}]}`.
///
/// The file is walked through by its structure, and a paragraph's values are read when they are asked for: memory
/// doesn't grow with the file. `plausible_answers`, which SQuAD 2 has of questions without an answer, are no answers.
///
/// Source: Rajpurkar, Jia and Liang, "Know What You Don't Know: Unanswerable Questions for SQuAD" (2018).
struct SQuADRows: RowReader {
    /// The paths of the columns that are read: `question`, `context`, `id`, `title`, `answers.text`,
    /// `answers.answer_start`, `is_impossible`, or of what else the objects have.
    let paths: [[String]]

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        SQuADScanner(bytes, from: offset, line: line, readsTitle: paths.contains { $0.first == "title" })
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) throws -> [FieldValue?] {
        let question = try row.question(of: bytes)
        return try paths.map { path in
            try path.first == "answers" ? answers(question, at: path) : row.field(at: path, question, of: bytes)
        }
    }

    /// What a question's answers say of a path; nil if it has none, and nothing says that it can have none.
    private func answers(_ question: JSONText, at path: [String]) throws(DataFileError.Problem) -> FieldValue? {
        let value = try question.value(at: path)
        let answers = try value.flatMap { value throws(DataFileError.Problem) in
            value.isNull ? nil : try QuestionColumn(path).field(value, at: path)
        }
        guard case .bool(let isImpossible)? = question["is_impossible"] else { return answers }
        if isImpossible, answers?.isEmpty == false {
            throw .malformed(reason: "\"is_impossible\" is true, and there are \"answers\"")
        }
        if !isImpossible, answers?.isEmpty == true {
            throw .malformed(reason: "\"is_impossible\" is false, and \"answers\" has none")
        }
        return answers ?? (isImpossible ? .list([]) : nil)
    }
}

/// Finds one paragraph after the other.
private struct SQuADScanner: RowScanner {
    private enum State { case start, documents, paragraphs, end }

    private let bytes: UnsafeRawBufferPointer
    private let readsTitle: Bool
    private var cursor: JSONCursor
    private var state = State.start
    private var documents = 0
    private var paragraphs = 0
    private var title: EnclosingObject.Member?
    private var paragraph: Paragraph?

    init(_ bytes: UnsafeRawBufferPointer, from offset: Int, line: Int, readsTitle: Bool) {
        self.bytes = bytes
        self.readsTitle = readsTitle
        cursor = JSONCursor(bytes, from: offset, line: line)
    }

    /// The path of what is at hand.
    private var path: String {
        switch state {
        case .start, .end: ""
        case .documents: "data[\(max(documents - 1, 0))]"
        case .paragraphs: "data[\(documents - 1)].paragraphs[\(max(paragraphs - 1, 0))]"
        }
    }

    mutating func next() throws -> RowSpan? {
        do {
            while true {
                if let question = paragraph?.nextQuestion() { return question }
                switch state {
                case .start: try beginFile()
                case .documents: try nextDocument()
                case .paragraphs: try nextParagraph()
                case .end: return nil
                }
            }
        } catch let fault as JSONText.Fault {
            throw RowProblem(line: fault.line, path: path, "this is not JSON in SQuAD's layout: \(fault.reason)")
        }
    }

    private mutating func beginFile() throws {
        if cursor.peek() == nil {
            state = .end
            return
        }
        if cursor.peek() == UInt8(ascii: "[") {
            throw RowProblem(
                line: cursor.line, path: "",
                "this is a list, and SQuAD's layout is an object with the list \"data\": of a list of objects, write "
                    + "one a line and give \"format\": jsonl")
        }
        try cursor.beginObject()
        let line = cursor.line
        guard try enter("data") else {
            throw RowProblem(
                line: line, path: "",
                "the object has no list \"data\", as SQuAD's layout has: if the file has an object a line, give "
                    + "\"format\": jsonl")
        }
        state = .documents
    }

    private mutating func nextDocument() throws {
        guard try cursor.nextElement() else {
            state = .end
            try leave("data")
            return try cursor.end()
        }
        documents += 1
        let line = cursor.line
        if readsTitle { title = try documentTitle() }
        try cursor.beginObject()
        guard try enter("paragraphs") else {
            throw RowProblem(line: line, path: path, "it has no list \"paragraphs\", as SQuAD's layout has")
        }
        (state, paragraphs) = (.paragraphs, 0)
    }

    private mutating func nextParagraph() throws {
        guard try cursor.nextElement() else {
            state = .documents
            return try leave("paragraphs")
        }
        paragraphs += 1
        paragraph = try Paragraph(&cursor, of: bytes, path: path, title: title)
    }

    /// Goes on to the elements of an object's list; false if the object has none of that name.
    private mutating func enter(_ name: String) throws -> Bool {
        while let key = try cursor.nextKey() {
            if key == name {
                try cursor.beginArray()
                return true
            }
            try checkMember(key)
        }
        return false
    }

    /// Goes on behind the object whose list has ended.
    private mutating func leave(_ name: String) throws {
        while let key = try cursor.nextKey() {
            if key == name { throw RowProblem(line: cursor.line, path: path, "it has \"\(name)\" twice") }
            try checkMember(key)
        }
    }

    private mutating func checkMember(_ name: String) throws {
        let member = try cursor.skipMember(name)
        try EnclosingObject(path: path, members: [member]).check(of: bytes)
    }

    /// The title of the document at hand, which may stand behind its paragraphs.
    private func documentTitle() throws -> EnclosingObject.Member? {
        var (ahead, title) = (cursor, EnclosingObject.Member?.none)
        try ahead.beginObject()
        while let key = try ahead.nextKey() {
            let member = try ahead.skipMember(key)
            if key == "title" { title = member }
        }
        return title
    }
}
