import Foundation

/// The bytes of a field, borrowed.
public typealias FieldBytes = Slice<UnsafeRawBufferPointer>

extension Slice<UnsafeRawBufferPointer> {
    /// The beginning, for a message.
    var excerpt: String { String(decoding: prefix(80), as: UTF8.self) }
}

/// A row's place in its file: a line, or several where a field has line breaks.
public struct RowSpan: Sendable {
    /// The line it begins on, counted from 1.
    public let line: Int
    /// Its bytes' place in the file, without what ends it.
    public let range: Range<Int>
    /// Which of the objects in one list it is, counted from 0, where it is one.
    let element: Int
    /// What lies around it, where it is an object within others.
    let enclosing: EnclosingObject?

    init(line: Int, range: Range<Int>, element: Int = 0, enclosing: EnclosingObject? = nil) {
        self.line = line
        self.range = range
        self.element = element
        self.enclosing = enclosing
    }
}

/// The value of a field of a row.
enum FieldValue: Sendable {
    /// It is written in the file as it is.
    case inFile(Range<Int>)
    /// It is written in some other way, with escapes.
    case decoded([UInt8])
    /// Several values.
    case list([[UInt8]])

    /// Lends the value's bytes to `body`, of the file's bytes; several only where it is a list.
    func withBytes<Result, Failure: Error>(
        of file: UnsafeRawBufferPointer, _ body: ([FieldBytes]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .inFile(let range): return try body([file[range]])
        case .decoded(let bytes): return try FieldValue.lend([bytes], body)
        case .list(let values): return try FieldValue.lend(values, body)
        }
    }

    private static func lend<Result, Failure: Error>(
        _ values: [[UInt8]], _ body: ([FieldBytes]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: values.reduce(0) { $0 + $1.count }, alignment: 1)
        defer { storage.deallocate() }
        let bytes = UnsafeRawBufferPointer(storage)
        var fields: [FieldBytes] = []
        var start = 0
        for value in values {
            UnsafeMutableRawBufferPointer(rebasing: storage[start..<start + value.count]).copyBytes(from: value)
            fields.append(bytes[start..<start + value.count])
            start += value.count
        }
        return try body(fields)
    }

    /// The bytes that are not in the file as they are.
    var decodedSize: Int {
        switch self {
        case .inFile: 0
        case .decoded(let bytes): bytes.count
        case .list(let values): values.reduce(0) { $0 + $1.count }
        }
    }

    var isEmpty: Bool {
        switch self {
        case .inFile(let range): range.isEmpty
        case .decoded(let bytes): bytes.isEmpty
        case .list(let values): values.isEmpty
        }
    }
}

/// Cuts the bytes of a file into rows, in order. It is quick, as one thread does it for all others.
public protocol RowScanner {
    /// - Throws: `RowProblem` where the next row has no end.
    mutating func next() throws -> RowSpan?
}

/// What is wrong with a row, with the line where it is.
struct RowProblem: Error {
    let line: Int
    let problem: DataFileError.Problem
}

/// Reads the rows of a file of one format. A further format conforms, in a file of its own, and is added to
/// ``FileFormat``.
protocol RowReader: Sendable {
    /// The rows after the file's first `offset` bytes.
    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner
    /// The values of the columns that the reader was made for, in their order; nil for one that the row lacks.
    ///
    /// - Parameter found: how many columns the row has, where they have an order.
    /// - Throws: `DataFileError.Problem`; `RowProblem` where a line has it that is not the row's first.
    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) throws -> [FieldValue?]
}

/// How a file's rows are written.
public struct FileFormat: Sendable, Hashable {
    public enum Name: String, Sendable, CaseIterable {
        /// Columns between tabs, quotes literal, as GLUE has them.
        case tsv
        /// Columns between separators, fields in quotes where they need them: RFC 4180.
        case csv
        /// A JSON object a line.
        case jsonl
        /// A word a line, blank lines between sentences: CoNLL's layout.
        case conll
        /// SQuAD's layout, one JSON object.
        case squad
        /// MRQA's layout: a JSON object a line, of a paragraph with its questions.
        case mrqa

        /// Whether each row names its columns; otherwise they have positions.
        var namesColumnsInRows: Bool {
            switch self {
            case .jsonl, .squad, .mrqa: true
            case .tsv, .csv, .conll: false
            }
        }
    }

    public var name: Name
    /// Of `csv`; nil is a comma, or a semicolon where the header has semicolons alone. Of `conll`; nil is blanks, or a
    /// tab where the first word has one beside it.
    public var separator: UInt8?

    public init(_ name: Name, separator: UInt8? = nil) {
        self.name = name
        self.separator = separator
    }

    /// The format that a file's ending says, `.gz` aside; nil for another one.
    public init?(path: String) {
        var name = path.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        switch name.split(separator: ".").last {
        case "tsv": self.init(.tsv)
        case "csv": self.init(.csv)
        case "jsonl", "ndjson": self.init(.jsonl)
        case "conll", "bio", "iob", "iob2": self.init(.conll)
        case "json": self.init(.squad)
        default: return nil
        }
    }
}
