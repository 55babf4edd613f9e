import Files
import Foundation

/// One example as its file gives it.
public struct Example: Sendable, Equatable {
    public var first: String
    /// The second text of a pair.
    public var second: String?
    /// As the task's kind has it: the class index in the order of the task's labels, or the score, or 0 and 1 for each
    /// label; empty in a file without labels.
    public var target: [Float]
    /// The line in the file, counted from 1.
    public var line: Int

    public init(first: String, second: String? = nil, target: [Float] = [], line: Int) {
        self.first = first
        self.second = second
        self.target = target
        self.line = line
    }
}

/// The examples of a set, in the order of its files.
public struct ExampleList: Sendable, Equatable {
    public var examples: [Example]
    /// How many damaged rows were left out.
    public var skippedRows: Int
}

extension TaskDefinition {
    /// Reads all of a set into memory. To train, `FeatureCache` gives the same examples without that.
    ///
    /// - Throws: `DataFileError`.
    public func examples(in file: DataFile, dataDirectory: URL?) throws -> ExampleList {
        var list = ExampleList(examples: [], skippedRows: 0)
        let sources = try file.sources(of: kind, in: dataDirectory)
        for source in sources {
            try source.mapped.withBytes { bytes in
                var rows = source.rows(of: bytes)
                while let span = try source.next(&rows) {
                    guard case .row(let row) = try source.parser.outcome(of: span, in: bytes) else {
                        list.skippedRows += 1
                        continue
                    }
                    list.examples.append(
                        Example(
                            first: row.texts[0].text(of: bytes),
                            second: row.texts.count > 1 ? row.texts[1].text(of: bytes) : nil, target: row.target,
                            line: row.line))
                }
            }
        }
        guard !list.examples.isEmpty else { throw sources[0].noRows }
        return list
    }
}

extension FieldValue {
    fileprivate func text(of bytes: UnsafeRawBufferPointer) -> String {
        withBytes(of: bytes) { $0.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") }
    }
}

extension DataFile {
    /// The set's files, opened.
    ///
    /// - Parameters:
    ///   - kind: what their labels are.
    ///   - dataDirectory: the folder with GLUE's data, if the set is one of its.
    ///   - scratch: a folder for what has to be decompressed; nil for the system's.
    /// - Throws: `DataFileError`.
    func sources(of kind: any TaskKind, in dataDirectory: URL?, scratch: URL? = nil) throws -> [ExampleSource] {
        try urls(in: dataDirectory).map { try ExampleSource(self, of: kind, at: $0, scratch: scratch) }
    }
}

/// A file of examples, opened, with its columns found.
struct ExampleSource: Sendable {
    let mapped: MappedFile
    let parser: RowParser
    let path: String
    /// Where the rows start, after the byte order mark and the header.
    private let bodyOffset: Int
    private let bodyLine: Int
    /// Where the rows end, before blank lines at the file's end.
    private let bodyEnd: Int

    /// - Throws: `DataFileError`.
    init(_ file: DataFile, of kind: any TaskKind, at url: URL, scratch: URL? = nil) throws {
        path = url.path
        let path = path
        do {
            let opened = try MappedFile(path: path)
            mapped = try isGzip(opened) ? gunzipped(opened, in: scratch ?? FileManager.default.temporaryDirectory) : opened
        } catch let error as SystemError {
            throw DataFileError(path: path, line: nil, problem: .unreadable(reason: error.description))
        } catch let error as GzipError {
            throw DataFileError(path: path, line: nil, problem: .unreadable(reason: error.description))
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var format = file.format
        (parser, bodyOffset, bodyLine) = try mapped.withBytes { bytes in
            if let misplaced = MisplacedContent(bytes) {
                throw DataFileError(path: path, line: nil, problem: .misplaced(misplaced))
            }
            let start = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
            if format.name == .conll { format.separator = format.separator ?? CoNLLRows.separator(of: bytes, from: start) }
            guard file.columns.hasHeader, format.name == .tsv || format.name == .csv else {
                return (try RowParser(file, of: kind, path: path, format: format, header: nil), start, 1)
            }
            let header = try ExampleSource.header(of: bytes, from: start, &format, path: path)
            return (
                try RowParser(file, of: kind, path: path, format: format, header: (header.bytes, header.titles)),
                header.offset, header.nextLine
            )
        }
        let start = bodyOffset
        // A line of a single column may well be an empty text; a row with quotes may end with line breaks.
        let isWhole = parser.hasOneColumn || format.name == .csv
        bodyEnd = isWhole ? mapped.count : mapped.withBytes { $0.endOfRows(from: start) }
    }

    /// The titles in a file's first row, and where the next one begins.
    private static func header(
        of bytes: UnsafeRawBufferPointer, from start: Int, _ format: inout FileFormat, path: String
    ) throws -> (bytes: [UInt8], titles: [String], offset: Int, nextLine: Int) {
        func fail(_ problem: DataFileError.Problem) -> DataFileError {
            DataFileError(path: path, line: problem == .noRows ? nil : 1, problem: problem)
        }
        func content(_ row: RowSpan) throws -> [UInt8] {
            let text = UnsafeRawBufferPointer(rebasing: bytes[row.range])
            try checkUTF8(text, path: path, line: row.line)
            return Array(text)
        }
        if format.name == .tsv {
            var scanner = LineScanner(bytes, from: start)
            guard let row = scanner.next() else { throw fail(.noRows) }
            let line = try content(row)
            // No header is longer; a file of another kind may be one line.
            let titles = bytes[row.range].prefix(1 << 16).split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            return (line, titles, scanner.offset, 2)
        }
        var lines = LineScanner(bytes, from: start)
        let firstLine = lines.next().map { bytes[$0.range] }
        if format.separator == nil, let firstLine, !firstLine.contains(UInt8(ascii: ",")),
            firstLine.contains(UInt8(ascii: ";"))
        {
            format.separator = UInt8(ascii: ";")
        }
        let separator = format.separator ?? UInt8(ascii: ",")
        var scanner = QuotedScanner(bytes, separator: separator, from: start)
        do {
            guard let row = try scanner.next() else { throw fail(.noRows) }
            let line = try content(row)
            let start = row.range.lowerBound
            let titles = QuotedRows.fields(in: start..<min(row.range.upperBound, start + 1 << 16), of: bytes, separator: separator).map { $0.text(of: bytes) }
            return (line, titles, scanner.offset, scanner.lineNumber)
        } catch let problem as RowProblem {
            throw DataFileError(path: path, line: problem.line, problem: problem.problem)
        }
    }

    /// The rows of the file's bytes.
    func rows(of bytes: UnsafeRawBufferPointer) -> any RowScanner {
        parser.reader.rows(
            of: UnsafeRawBufferPointer(rebasing: bytes[..<bodyEnd]), from: bodyOffset, line: bodyLine)
    }

    /// The next row.
    ///
    /// - Throws: `DataFileError` where it has no end.
    func next(_ rows: inout any RowScanner) throws -> RowSpan? {
        do {
            return try rows.next()
        } catch let problem as RowProblem {
            throw DataFileError(path: path, line: problem.line, problem: problem.problem)
        }
    }

    /// The error of a file without an example.
    var noRows: DataFileError { DataFileError(path: path, line: nil, problem: .noRows) }
}
