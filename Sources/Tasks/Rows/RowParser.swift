import Files
import Foundation

/// A row's texts in its file, and its label.
struct Row {
    /// One or two.
    let texts: [FieldValue]
    let choices: [FieldValue]
    /// The columns of a label that is not read apart from the texts; nil for one that the row lacks.
    let labels: [FieldValue?]
    /// The label that is, as the task's kind has it; empty in a file without labels.
    let target: [Float]
    let line: Int

    /// Lends what the row holds to `body`.
    func withContents<Result>(of file: UnsafeRawBufferPointer, _ body: (RowContents) throws -> Result) rethrows -> Result {
        let size = (texts + choices + labels.compactMap { $0 }).reduce(0) { $0 + $1.decodedSize }
        guard size > 0 else { return try body(contents(of: file, decoded: nil)) }
        return try withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { try body(contents(of: file, decoded: $0)) }
    }

    private func contents(of file: UnsafeRawBufferPointer, decoded: UnsafeMutableRawBufferPointer?) -> RowContents {
        var used = 0
        func copy(_ bytes: [UInt8]) -> FieldBytes {
            guard let decoded, !bytes.isEmpty else { return file[0..<0] }
            let range = used..<used + bytes.count
            UnsafeMutableRawBufferPointer(rebasing: decoded[range]).copyBytes(from: bytes)
            used = range.upperBound
            return UnsafeRawBufferPointer(decoded)[range]
        }
        func field(_ value: FieldValue) -> FieldTexts {
            switch value {
            case .inFile(let range): FieldTexts(values: [file[range]], isList: false)
            case .decoded(let bytes): FieldTexts(values: [copy(bytes)], isList: false)
            case .list(let values): FieldTexts(values: values.map(copy), isList: true)
            }
        }
        return RowContents(
            texts: texts.map(field), choices: choices.map(field), labels: labels.map { $0.map(field) }, target: target)
    }
}

/// Turns the rows of one file into texts and targets.
struct RowParser: Sendable {
    /// What becomes of a row.
    enum Outcome {
        case row(Row)
        /// It is damaged, and damaged rows are left out.
        case damaged
        /// It has no label, and such rows are not of the task.
        case unlabelled
    }

    /// A column to be read, its place among the reader's columns, and how a message calls it.
    private struct Field {
        let column: ColumnReference
        let title: String
        let place: Int
        /// The position in the file, where columns have one.
        var position: Int?
    }

    let reader: any RowReader
    private let path: String
    private let first: Field
    private let second: Field?
    private let choices: [Field]
    private let labels: [Field]
    /// The column that counts the rows, if the file has it.
    private let index: Field?
    private let file: DataFile
    /// What the label is, where it is read apart from the texts.
    private let kind: (any SequenceKind)?
    /// Whether a text may be a list.
    private let takesWords: Bool
    /// The file's first row, where that is its header.
    private let header: [UInt8]?

    /// - Parameters:
    ///   - file: what is read of the file.
    ///   - kind: what its labels are.
    ///   - path: the file's, for messages.
    ///   - format: how its rows are written.
    ///   - header: its first row with the titles in it; nil for a file whose columns are numbered, or have names in each
    ///     row.
    /// - Throws: `DataFileError` if the header lacks a column, or has it twice.
    init(
        _ file: DataFile, of kind: any TaskKind, path: String, format: FileFormat,
        header row: (bytes: [UInt8], titles: [String])?
    ) throws {
        let header = row?.titles
        var fields: [Field] = []
        func field(_ column: ColumnReference, _ title: String) throws -> Field {
            var field = Field(column: column, title: title, place: fields.count)
            switch column {
            case .numbered(let position): field.position = position
            case .named(let name) where !format.name.namesColumnsInRows:
                guard let position = header?.firstIndex(of: name) else {
                    throw DataFileError(path: path, line: 1, problem: .missingColumn(name: name, header: header ?? []))
                }
                if header?.lastIndex(of: name) != position {
                    throw DataFileError(path: path, line: 1, problem: .repeatedColumn(name: name))
                }
                field.position = position
            case .named: break
            }
            fields.append(field)
            return field
        }
        func title(_ column: ColumnReference, _ role: String) -> String {
            if case .named(let name) = column { "\"\(name)\"" } else { role }
        }
        let columns = file.columns
        first = try field(columns.first, title(columns.first, "the text"))
        second = try columns.second.map { try field($0, title($0, "the second text")) }
        choices = try columns.choices.map { try field($0, title($0, "the choice")) }
        labels = try columns.labelColumns.map { try field($0, title($0, "the label")) }
        index = try file.indexColumn.flatMap { name in
            try header?.contains(name) == true ? field(.named(name), "\"\(name)\"") : nil
        }
        switch format.name {
        case .tsv: reader = LiteralRows(positions: fields.compactMap(\.position))
        case .csv:
            reader = QuotedRows(
                separator: format.separator ?? UInt8(ascii: ","), positions: fields.compactMap(\.position))
        case .jsonl:
            let start = labels.first?.place ?? 0
            // Those of columns that are labels are 0 and 1.
            let hasOneLabelColumn = if case .column = columns.label { true } else { false }
            reader = JSONRows(
                paths: fields.map(\.column.keys), labelPlaces: start..<start + labels.count,
                labels: hasOneLabelColumn ? kind.labels : [])
        case .conll: reader = CoNLLRows(separator: format.separator, positions: fields.compactMap(\.position))
        case .squad: reader = SQuADRows(paths: fields.map(\.column.keys))
        case .mrqa: reader = MRQARows(paths: fields.map(\.column.keys))
        }
        self.header = row?.bytes
        self.path = path
        self.file = file
        self.kind = kind as? any SequenceKind
        takesWords = type(of: kind).fields.takesWords
    }

    /// - Throws: `DataFileError` with the line's number.
    func outcome(of span: RowSpan, in bytes: UnsafeRawBufferPointer) throws -> Outcome {
        let text = UnsafeRawBufferPointer(rebasing: bytes[span.range])
        // Strings of JSON say themselves where they are not UTF-8.
        if span.enclosing == nil { try checkUTF8(text, path: path, line: span.line) }
        if let header, header.count == text.count, text.elementsEqual(header) { throw fail(.repeatedHeader, span) }
        var found = 0
        let values: [FieldValue?]
        do {
            values = try reader.values(in: span, of: bytes, found: &found)
        } catch {
            throw fail(reading: error, span)
        }
        if text.allSatisfy({ $0 == 0x20 }), values.contains(where: { $0 == nil }), !file.skipsDamagedRows {
            throw fail(.blankLine, span)
        }
        guard let text = values[first.place], second.map({ values[$0.place] != nil }) ?? true,
            choices.allSatisfy({ values[$0.place] != nil }), index.map({ values[$0.place] != nil }) ?? true
        else { return try missing(values, found: found, span) }
        if let index, let value = values[index.place] { try checkIndex(value, of: bytes, span) }
        if !takesWords {
            for field in [first, second].compactMap({ $0 }) {
                if case .list = values[field.place] { throw fail(.unexpectedList(name: "\(field.column)"), span) }
            }
        }
        do {
            guard let target = try target(values, of: bytes) else {
                return file.skipsUnlabelledRows ? .unlabelled : try missing(values, found: found, span)
            }
            return .row(
                Row(
                    texts: [text] + (second.flatMap { values[$0.place] }.map { [$0] } ?? []),
                    choices: choices.compactMap { values[$0.place] },
                    labels: kind == nil ? labels.map { values[$0.place] } : [], target: target, line: span.line))
        } catch let problem as DataFileError.Problem {
            throw fail(problem, span)
        }
    }

    /// The values of the label's columns, to find the labels that there are.
    func labelValues(of span: RowSpan, in bytes: UnsafeRawBufferPointer) throws -> [String]? {
        var found = 0
        let values: [FieldValue?]
        do {
            values = try reader.values(in: span, of: bytes, found: &found)
        } catch {
            throw fail(reading: error, span)
        }
        guard case .column(_, let separator)? = file.columns.label, let value = values[labels[0].place] else {
            return nil
        }
        return value.withBytes(of: bytes) { fields in
            split(fields, separator).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Whether a row need have no more than one column.
    var hasOneColumn: Bool { ([first, second, index].compactMap { $0 } + choices + labels).allSatisfy { $0.position == 0 } }

    private func fail(_ problem: DataFileError.Problem, _ span: RowSpan) -> DataFileError {
        DataFileError(path: path, line: span.line, problem: problem.at(span.path))
    }

    /// What a reader found wrong with a row.
    private func fail(reading error: any Error, _ span: RowSpan) -> any Error {
        switch error {
        case let problem as DataFileError.Problem: fail(problem, span)
        case let problem as RowProblem:
            DataFileError(path: path, line: problem.line, problem: problem.problem.at(span.path))
        default: error
        }
    }

    /// What becomes of a row that lacks a column.
    private func missing(_ values: [FieldValue?], found: Int, _ span: RowSpan) throws -> Outcome {
        if file.skipsDamagedRows { return .damaged }
        let wanted = [index, first, second].compactMap { $0 } + choices + labels
        let missing = wanted.filter { values[$0.place] == nil }
        let nearest = missing.min { $0.position ?? 0 < $1.position ?? 0 } ?? first
        guard let position = nearest.position else { throw fail(.missingField(name: "\(nearest.column)"), span) }
        throw fail(
            .tooFewColumns(
                found: found, wanted: nearest.title, position: position, betweenTabs: reader is LiteralRows), span)
    }

    /// A file with this column has a header, so that its row 0 is in line 2.
    private func checkIndex(_ value: FieldValue, of bytes: UnsafeRawBufferPointer, _ span: RowSpan) throws {
        try value.withBytes(of: bytes) { fields in
            let text = fields.map(\.excerpt).joined()
            guard Int(text) == span.line - 2 else {
                throw fail(.wrongIndex(found: text, expected: span.line - 2), span)
            }
        }
    }

    /// The target of a row; empty where labels are not read, or not apart from the texts; nil where the row has none.
    private func target(
        _ values: [FieldValue?], of bytes: UnsafeRawBufferPointer
    ) throws(DataFileError.Problem) -> [Float]? {
        switch file.columns.label {
        case nil: return []
        case .column(_, let separator):
            guard let value = values[labels[0].place] else { return nil }
            if value.isEmpty, file.skipsUnlabelledRows { return nil }
            guard let kind else { return [] }
            if case .list = value, !type(of: kind).takesSeveralLabels {
                throw .unexpectedList(name: "\(labels[0].column)")
            }
            return try value.withBytes(of: bytes) { fields throws(DataFileError.Problem) in
                try kind.target(of: split(fields, separator))
            }
        case .parts: return labels.allSatisfy { values[$0.place] == nil } ? nil : []
        case .columns:
            var target: [Float] = []
            for field in labels {
                guard let value = values[field.place] else { return nil }
                if value.isEmpty, file.skipsUnlabelledRows { return nil }
                let number = value.withBytes(of: bytes) { $0.map(\.excerpt).joined() }
                guard number == "0" || number == "1" else {
                    throw .unknownLabel(found: "\(number) in \(field.title)", allowed: ["0", "1"])
                }
                target.append(number == "1" ? 1 : 0)
            }
            return target
        }
    }

    /// The labels that a text holds, less the spaces around them; an empty text holds none. Where none may be several it
    /// is one label as it is.
    private func split(_ fields: [FieldBytes], _ separator: UInt8?) -> [FieldBytes] {
        guard let separator else { return kind.map { type(of: $0).takesSeveralLabels } ?? false ? fields.filter { !$0.isEmpty } : fields }
        return fields.flatMap { $0.split(separator: separator) }.map { part in
            var part = part
            while let byte = part.first, byte == 0x20 { part = part.dropFirst() }
            while let byte = part.last, byte == 0x20 { part = part.dropLast() }
            return part
        }.filter { !$0.isEmpty }
    }
}

/// - Throws: `DataFileError` if a row's text is not UTF-8, with the line of it that is not.
func checkUTF8(_ text: UnsafeRawBufferPointer, path: String, line: Int) throws {
    guard let fault = firstInvalidUTF8(text) else { return }
    var lines = LineScanner(text, lineNumber: line)
    while let part = lines.next() {
        guard fault < lines.offset else { continue }
        throw DataFileError(
            path: path, line: part.line,
            problem: .invalidUTF8(byte: text[fault], position: fault - part.range.lowerBound + 1))
    }
}

/// The place of the first byte that is not well-formed UTF-8, or nil.
func firstInvalidUTF8(_ bytes: UnsafeRawBufferPointer) -> Int? {
    bytes.withMemoryRebound(to: UInt8.self) { buffer -> Int? in
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: buffer.span)
            return nil
        } catch {
            return error.byteOffsets.lowerBound
        }
    }
}
