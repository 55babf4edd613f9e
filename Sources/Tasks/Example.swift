import Files
import Foundation

/// One example as its file gives it.
public struct Example: Sendable, Equatable {
    public var first: String
    /// The second text of a pair.
    public var second: String?
    /// The class index in the order of the task's labels, or the score; nil in a file without labels.
    public var label: Float?
    /// The line in the file, counted from 1.
    public var line: Int

    public init(first: String, second: String? = nil, label: Float? = nil, line: Int) {
        self.first = first
        self.second = second
        self.label = label
        self.line = line
    }
}

/// The examples of a file, in its order.
public struct ExampleList: Sendable, Equatable {
    public var examples: [Example]
    /// How many damaged rows were left out.
    public var skippedRows: Int
}

extension TaskDefinition {
    /// Reads all of a file into memory. To train, `FeatureCache` gives the same examples without that.
    ///
    /// - Throws: `DataFileError`.
    public func examples(in file: DataFile, dataDirectory: URL) throws -> ExampleList {
        let source = try ExampleSource(file, of: self, at: try file.url(in: dataDirectory))
        return try source.mapped.withBytes { bytes in
            var list = ExampleList(examples: [], skippedRows: 0)
            var lines = source.lines(of: bytes)
            while let line = lines.next() {
                guard let row = try source.parser.row(in: line, of: bytes) else {
                    list.skippedRows += 1
                    continue
                }
                list.examples.append(
                    Example(
                        first: String(decoding: bytes[row.first], as: UTF8.self),
                        second: row.second.map { String(decoding: bytes[$0], as: UTF8.self) },
                        label: row.label, line: row.line))
            }
            guard !list.examples.isEmpty else { throw source.noRows }
            return list
        }
    }
}

/// A file of examples, opened, with its columns found.
struct ExampleSource: Sendable {
    let mapped: MappedFile
    let parser: RowParser
    private let path: String
    /// Where the rows start, after the byte order mark and the header.
    private let bodyOffset: Int
    private let bodyLine: Int
    /// Where the rows end, before blank lines at the file's end.
    private let bodyEnd: Int

    /// - Throws: `DataFileError`.
    init(_ file: DataFile, of task: TaskDefinition, at url: URL) throws {
        path = url.path
        do {
            mapped = try MappedFile(path: path)
        } catch let error as SystemError {
            throw DataFileError(path: path, line: nil, problem: .unreadable(reason: error.description))
        }
        let path = path
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        (parser, bodyOffset, bodyLine) = try mapped.withBytes { bytes in
            if let misplaced = MisplacedContent(bytes) {
                throw DataFileError(path: path, line: nil, problem: .misplaced(misplaced))
            }
            let start = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
            guard case .named = file.columns else {
                return (try RowParser(file, of: task, path: path, header: nil), start, 1)
            }
            var scanner = LineScanner(bytes, from: start)
            guard let line = scanner.next() else {
                throw DataFileError(path: path, line: nil, problem: .noRows)
            }
            let header = try RowParser.text(of: line, bytes, path: path)
            return (try RowParser(file, of: task, path: path, header: header), scanner.offset, 2)
        }
        let start = bodyOffset
        // A line of a single column may well be an empty text.
        bodyEnd = parser.hasOneColumn ? mapped.count : mapped.withBytes { $0.endOfRows(from: start) }
    }

    /// The lines that hold rows, of the file's bytes.
    func lines(of bytes: UnsafeRawBufferPointer) -> LineScanner {
        LineScanner(
            UnsafeRawBufferPointer(rebasing: bytes[..<bodyEnd]), from: bodyOffset, lineNumber: bodyLine)
    }

    /// The error of a file without an example.
    var noRows: DataFileError { DataFileError(path: path, line: nil, problem: .noRows) }
}
