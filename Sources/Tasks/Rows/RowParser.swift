import Files
import Foundation

/// An example's texts in its file, and its target.
struct Row {
    let first: FieldValue
    let second: FieldValue?
    /// As the task's kind has it; empty in a file without labels.
    let target: [Float]
    let line: Int
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
    private let labels: [Field]
    /// The column that counts the rows, if the file has it.
    private let index: Field?
    private let file: DataFile
    private let kind: any TaskKind
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
            case .named(let name) where format.name != .jsonl:
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
        }
        self.header = row?.bytes
        self.path = path
        self.file = file
        self.kind = kind
    }

    /// - Throws: `DataFileError` with the line's number.
    func outcome(of span: RowSpan, in bytes: UnsafeRawBufferPointer) throws -> Outcome {
        let text = UnsafeRawBufferPointer(rebasing: bytes[span.range])
        try checkUTF8(text, path: path, line: span.line)
        if let header, header.count == text.count, text.elementsEqual(header) { throw fail(.repeatedHeader, span) }
        var found = 0
        let values: [FieldValue?]
        do {
            values = try reader.values(in: span, of: bytes, found: &found)
        } catch {
            throw fail(error, span)
        }
        if text.allSatisfy({ $0 == 0x20 }), values.contains(where: { $0 == nil }), !file.skipsDamagedRows {
            throw fail(.blankLine, span)
        }
        guard let text = values[first.place], second.map({ values[$0.place] != nil }) ?? true,
            index.map({ values[$0.place] != nil }) ?? true
        else { return try missing(values, found: found, span) }
        if let index, let value = values[index.place] { try checkIndex(value, of: bytes, span) }
        if !type(of: kind).takesTextLists {
            for field in [first, second].compactMap({ $0 }) {
                if case .list = values[field.place] { throw fail(.unexpectedList(name: "\(field.column)"), span) }
            }
        }
        do {
            let target = try target(values, of: bytes)
            if target == nil, file.skipsUnlabelledRows { return .unlabelled }
            guard let target else { return try missing(values, found: found, span) }
            return .row(
                Row(first: text, second: second.flatMap { values[$0.place] }, target: target, line: span.line))
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
            throw fail(error, span)
        }
        guard case .column(_, let separator)? = file.columns.label, let value = values[labels[0].place] else {
            return nil
        }
        return value.withBytes(of: bytes) { fields in
            split(fields, separator).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Whether a row need have no more than one column.
    var hasOneColumn: Bool { ([first, second, index].compactMap { $0 } + labels).allSatisfy { $0.position == 0 } }

    private func fail(_ problem: DataFileError.Problem, _ span: RowSpan) -> DataFileError {
        DataFileError(path: path, line: span.line, problem: problem)
    }

    /// What becomes of a row that lacks a column.
    private func missing(_ values: [FieldValue?], found: Int, _ span: RowSpan) throws -> Outcome {
        if file.skipsDamagedRows { return .damaged }
        let wanted = [index, first, second].compactMap { $0 } + labels
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

    /// The target of a row; empty where labels are not read, nil where the row has none.
    private func target(
        _ values: [FieldValue?], of bytes: UnsafeRawBufferPointer
    ) throws(DataFileError.Problem) -> [Float]? {
        switch file.columns.label {
        case nil: return []
        case .column(_, let separator):
            guard let value = values[labels[0].place] else { return nil }
            if value.isEmpty, file.skipsUnlabelledRows { return nil }
            if case .list = value, !type(of: kind).takesSeveralLabels {
                throw .unexpectedList(name: "\(labels[0].column)")
            }
            return try value.withBytes(of: bytes) { fields throws(DataFileError.Problem) in
                try kind.target(of: split(fields, separator))
            }
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
        guard let separator else { return type(of: kind).takesSeveralLabels ? fields.filter { !$0.isEmpty } : fields }
        return fields.flatMap { $0.split(separator: separator) }.map { part in
            var part = part
            while let byte = part.first, byte == 0x20 { part = part.dropFirst() }
            while let byte = part.last, byte == 0x20 { part = part.dropLast() }
            return part
        }.filter { !$0.isEmpty }
    }
}

/// - Throws: `DataFileError` if a row's text is not UTF-8.
func checkUTF8(_ text: UnsafeRawBufferPointer, path: String, line: Int) throws {
    guard let fault = firstInvalidUTF8(text) else { return }
    throw DataFileError(path: path, line: line, problem: .invalidUTF8(byte: text[fault], position: fault + 1))
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
