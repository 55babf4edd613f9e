import Files
import Foundation

/// An example's place in its file, and its label.
struct Row {
    let first: Range<Int>
    let second: Range<Int>?
    /// The class index or the score; nil in a file without labels.
    let label: Float?
    let line: Int
}

/// Turns the lines of one file into rows.
struct RowParser: Sendable {
    /// A column to be read, and how a message calls it.
    private struct Field {
        let position: Int
        let title: String
    }

    private let path: String
    private let first: Field
    private let second: Field?
    private let label: Field?
    /// The column that counts the rows, if the file has it.
    private let index: Field?
    private let kind: TaskDefinition.Kind
    private let labels: [[UInt8]]
    private let skipsDamagedRows: Bool
    /// The file's first line, where that is no row.
    private let header: [UInt8]?

    /// - Parameter header: the file's first line, with its columns' titles; nil for a file whose columns are numbered.
    /// - Throws: `DataFileError` if the header lacks a column, or has it twice.
    init(_ file: DataFile, of task: TaskDefinition, path: String, header line: String?) throws {
        // No header is longer; a file of another kind may be one line.
        let header = line?.utf8.prefix(1 << 16).split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        func field(_ name: String) throws -> Field {
            guard let position = header?.firstIndex(of: name) else {
                throw DataFileError(path: path, line: 1, problem: .missingColumn(name: name, header: header ?? []))
            }
            if header?.lastIndex(of: name) != position {
                throw DataFileError(path: path, line: 1, problem: .repeatedColumn(name: name))
            }
            return Field(position: position, title: "\"\(name)\"")
        }
        switch file.columns {
        case .named(let first, let second, let label):
            self.first = try field(first)
            self.second = try second.map(field)
            self.label = try label.map(field)
        case .numbered(let first, let second, let label):
            self.first = Field(position: first, title: "the text")
            self.second = second.map { Field(position: $0, title: "the second text") }
            self.label = label.map { Field(position: $0, title: "the label") }
        }
        index = file.indexColumn.flatMap { name in
            header?.firstIndex(of: name).map { Field(position: $0, title: "\"\(name)\"") }
        }
        self.path = path
        self.header = line.map { Array($0.utf8) }
        kind = task.kind
        labels = if case .classification(let labels, _) = task.kind { labels.map { Array($0.utf8) } } else { [] }
        skipsDamagedRows = file.skipsDamagedRows
    }

    /// A line's text.
    ///
    /// - Throws: `DataFileError` if it is not UTF-8.
    static func text(of line: Line, _ bytes: UnsafeRawBufferPointer, path: String) throws -> String {
        let text = UnsafeRawBufferPointer(rebasing: bytes[line.range])
        try checkUTF8(text, path: path, line: line.number)
        return String(decoding: text, as: UTF8.self)
    }

    private static func checkUTF8(_ text: UnsafeRawBufferPointer, path: String, line: Int) throws {
        guard let fault = firstInvalidUTF8(text) else { return }
        throw DataFileError(path: path, line: line, problem: .invalidUTF8(byte: text[fault], position: fault + 1))
    }

    /// The row in `line`, or nil if it is damaged and damaged rows are skipped.
    ///
    /// - Throws: `DataFileError` with the line's number.
    func row(in line: Line, of bytes: UnsafeRawBufferPointer) throws -> Row? {
        let text = UnsafeRawBufferPointer(rebasing: bytes[line.range])
        try RowParser.checkUTF8(text, path: path, line: line.number)
        if let header, header.count == text.count, text.elementsEqual(header) {
            throw DataFileError(path: path, line: line.number, problem: .repeatedHeader)
        }
        var (firstRange, secondRange, labelRange): (Range<Int>?, Range<Int>?, Range<Int>?)
        var indexRange: Range<Int>?
        var (column, start) = (0, line.range.lowerBound)
        while column <= lastPosition, start <= line.range.upperBound {
            let end = bytes.firstIndex(of: UInt8(ascii: "\t"), in: start..<line.range.upperBound)
            if column == first.position { firstRange = start..<end }
            if column == second?.position { secondRange = start..<end }
            if column == label?.position { labelRange = start..<end }
            if column == index?.position { indexRange = start..<end }
            column += 1
            start = end + 1
        }
        guard column > lastPosition, let firstRange else {
            if skipsDamagedRows { return nil }
            if text.allSatisfy({ $0 == 0x20 }) {
                throw DataFileError(path: path, line: line.number, problem: .blankLine)
            }
            throw tooFewColumns(found: column, line: line.number)
        }
        if let indexRange { try checkIndex(bytes[indexRange], line: line.number) }
        return Row(
            first: firstRange, second: secondRange,
            label: try labelRange.map { try value(of: bytes[$0], line: line.number) }, line: line.number)
    }

    /// Whether a row need have no more than one column.
    var hasOneColumn: Bool { lastPosition == 0 }

    private var lastPosition: Int {
        max(first.position, second?.position ?? 0, label?.position ?? 0, index?.position ?? 0)
    }

    private func tooFewColumns(found: Int, line: Int) -> DataFileError {
        let missing = [index, first, second, label].compactMap { $0 }.filter { $0.position >= found }
            .min { $0.position < $1.position } ?? first
        return DataFileError(
            path: path, line: line,
            problem: .tooFewColumns(found: found, wanted: missing.title, position: missing.position))
    }

    /// A file with this column has a header, so that its row 0 is in line 2.
    private func checkIndex(_ field: Slice<UnsafeRawBufferPointer>, line: Int) throws {
        let text = String(decoding: field.prefix(80), as: UTF8.self)
        guard Int(text) == line - 2 else {
            throw DataFileError(path: path, line: line, problem: .wrongIndex(found: text, expected: line - 2))
        }
    }

    private func value(of field: Slice<UnsafeRawBufferPointer>, line: Int) throws -> Float {
        func failure(_ problem: (String) -> DataFileError.Problem) -> DataFileError {
            let text = String(decoding: field.prefix(80), as: UTF8.self)
            return DataFileError(path: path, line: line, problem: problem(text))
        }
        switch kind {
        case .classification(let names, _):
            guard let index = labels.firstIndex(where: { $0.elementsEqual(field) }) else {
                throw failure { .unknownLabel(found: $0, allowed: names) }
            }
            return Float(index)
        case .regression(let range):
            // Swift's own parser would also take hexadecimal numbers.
            let isDecimal = field.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
            guard isDecimal, let score = Double(String(decoding: field, as: UTF8.self)),
                Float(score).isFinite
            else {
                throw failure { .notANumber(found: $0) }
            }
            if let range, !(Double(range.lowerBound)...Double(range.upperBound)).contains(score) {
                throw failure { .outOfRange(found: $0, range: range) }
            }
            return Float(score)
        }
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
