import Files

/// Rows that are the questions of a file in the layout of the MRQA 2019 shared task: a line `{"header": …}`, then a
/// line for each paragraph, `{context, qas: [{qid, question, answers: [text], detected_answers: [{text, char_spans}]}]}`.
///
/// The columns have SQuAD's names. `answers.text` and `answers.answer_start` have an element for each detected span,
/// then one for each of `answers`, whose start is -1: they count for scores and have no place in the context.
///
/// Source: Fisch et al., "MRQA 2019 Shared Task: Evaluating Generalization in Reading Comprehension" (2019).
struct MRQARows: RowReader {
    /// As `SQuADRows` has them.
    let paths: [[String]]

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        MRQAScanner(bytes: bytes, lines: LineScanner(bytes, from: offset, lineNumber: line))
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) throws -> [FieldValue?] {
        let question = try row.question(of: bytes)
        return try paths.map { path in
            switch path {
            case ["answers", "text"]:
                return try answers(question).map { .list($0.map { Array($0.text.utf8) }) }
            case ["answers", "answer_start"]:
                return try answers(question).map { .list($0.map { Array("\($0.start)".utf8) }) }
            default:
                if path == ["id"], let id = question["qid"], !id.isNull {
                    return try QuestionColumn(path).field(id, at: path)
                }
                return try row.field(at: path, question, of: bytes)
            }
        }
    }

    /// A question's answers with their places; nil if its object has none of the lists.
    private func answers(_ question: JSONText) throws(DataFileError.Problem) -> [(text: String, start: Int)]? {
        func list(_ name: String) throws(DataFileError.Problem) -> [JSONText]? {
            guard let value = question[name], !value.isNull else { return nil }
            guard let elements = value.elements else {
                throw .malformed(reason: "\"\(name)\" is \(value), and a list is wanted")
            }
            return elements
        }
        let detected = try list("detected_answers")
        let texts = try list("answers")
        if detected == nil, texts == nil { return nil }
        var answers: [(text: String, start: Int)] = []
        for (index, answer) in (detected ?? []).enumerated() {
            guard let text = answer["text"]?.string else {
                throw .malformed(reason: "\"detected_answers[\(index)]\" has no text \"text\"")
            }
            let spans = answer["char_spans"]?.elements?.map { $0.elements?.map(\.integer) ?? [] }
            guard let spans, spans.allSatisfy({ $0.count == 2 && !$0.contains(nil) }) else {
                throw .malformed(reason: "\"detected_answers[\(index)]\" has no list \"char_spans\" of [start, end]")
            }
            for case let start? in spans.map({ $0[0] }) { answers.append((text, start)) }
        }
        for (index, answer) in (texts ?? []).enumerated() {
            guard let text = answer.string else {
                throw .malformed(reason: "\"answers[\(index)]\" is \(answer), and a text is wanted")
            }
            answers.append((text, -1))
        }
        return answers
    }
}

/// Finds the questions of one line after the other.
private struct MRQAScanner: RowScanner {
    let bytes: UnsafeRawBufferPointer
    var lines: LineScanner
    private var hasHeader = false
    private var paragraph: Paragraph?

    init(bytes: UnsafeRawBufferPointer, lines: LineScanner) {
        self.bytes = bytes
        self.lines = lines
    }

    mutating func next() throws -> RowSpan? {
        while true {
            if let question = paragraph?.nextQuestion() { return question }
            guard let line = lines.next() else { return nil }
            if bytes[line.range].allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
            do {
                try read(line)
            } catch let fault as JSONText.Fault {
                throw RowProblem(line: line.line, path: "", "this is not JSON in MRQA's layout: \(fault.reason)")
            }
        }
    }

    private mutating func read(_ line: RowSpan) throws {
        var cursor = JSONCursor(
            UnsafeRawBufferPointer(rebasing: bytes[..<line.range.upperBound]), from: line.range.lowerBound,
            line: line.line)
        if !hasHeader {
            guard try JSONText(bytes[line.range])["header"] != nil else {
                throw RowProblem(
                    line: line.line, path: "", "the first line is no {\"header\": …}, with which MRQA's files begin")
            }
            hasHeader = true
            return
        }
        paragraph = try Paragraph(&cursor, of: bytes, path: "")
        try cursor.end()
    }
}
