import Files

/// Rows of columns between tabs, a line each; quotes are literal.
struct LiteralRows: RowReader {
    /// The positions of the columns that are read, from 0.
    let positions: [Int]

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        LineScanner(bytes, from: offset, lineNumber: line)
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) -> [FieldValue?] {
        var values = [FieldValue?](repeating: nil, count: positions.count)
        let last = positions.max() ?? 0
        var (column, start) = (0, row.range.lowerBound)
        while column <= last, start <= row.range.upperBound {
            let end = bytes.firstIndex(of: UInt8(ascii: "\t"), in: start..<row.range.upperBound)
            for (place, position) in positions.enumerated() where position == column {
                values[place] = .inFile(start..<end)
            }
            column += 1
            start = end + 1
        }
        found = column
        return values
    }
}

/// Rows of columns between separators, with fields in quotes where they hold separators, quotes or line breaks.
///
/// Source: RFC 4180; where a file departs from it, as Python's `csv` reads it: a quote is one only at a field's
/// beginning, and what follows a closing quote belongs to the field. A blank line is no row.
struct QuotedRows: RowReader {
    let separator: UInt8
    /// The positions of the columns that are read, from 0.
    let positions: [Int]

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        QuotedScanner(bytes, separator: separator, from: offset, lineNumber: line)
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) -> [FieldValue?] {
        var values = [FieldValue?](repeating: nil, count: positions.count)
        var column = 0
        QuotedRows.eachField(in: row.range, of: bytes, separator: separator) { value in
            for (place, position) in positions.enumerated() where position == column { values[place] = value }
            column += 1
        }
        found = column
        return values
    }

    /// All fields of a row.
    static func fields(in range: Range<Int>, of bytes: UnsafeRawBufferPointer, separator: UInt8) -> [FieldValue] {
        var fields: [FieldValue] = []
        eachField(in: range, of: bytes, separator: separator) { fields.append($0) }
        return fields
    }

    private static func eachField(
        in range: Range<Int>, of bytes: UnsafeRawBufferPointer, separator: UInt8, _ body: (FieldValue) -> Void
    ) {
        var start = range.lowerBound
        while true {
            guard start < range.upperBound, bytes[start] == quote else {
                let end = bytes.firstIndex(of: separator, in: start..<range.upperBound)
                body(.inFile(start..<end))
                if end == range.upperBound { return }
                start = end + 1
                continue
            }
            let (value, end) = quotedField(from: start, in: range, of: bytes, separator: separator)
            body(value)
            if end == range.upperBound { return }
            start = end + 1
        }
    }

    /// The field that begins with a quote at `start`, and where it ends.
    private static func quotedField(
        from start: Int, in range: Range<Int>, of bytes: UnsafeRawBufferPointer, separator: UInt8
    ) -> (FieldValue, end: Int) {
        let close = bytes.firstIndex(of: quote, in: start + 1..<range.upperBound)
        if close + 1 >= range.upperBound || bytes[close + 1] == separator {
            return (.inFile(start + 1..<close), min(close + 1, range.upperBound))
        }
        var (value, place, isQuoted) = ([UInt8](), start + 1, true)
        while place < range.upperBound {
            let byte = bytes[place]
            if isQuoted, byte == quote {
                let isEscaped = place + 1 < range.upperBound && bytes[place + 1] == quote
                if isEscaped { value.append(quote) } else { isQuoted = false }
                place += isEscaped ? 2 : 1
                continue
            }
            if !isQuoted, byte == separator { break }
            value.append(byte)
            place += 1
        }
        return (.decoded(value), place)
    }

    private static let quote = UInt8(ascii: "\"")
}

/// Cuts bytes into rows that end with LF, CR LF or CR outside of quotes.
struct QuotedScanner: RowScanner {
    private let bytes: UnsafeRawBufferPointer
    private let separator: UInt8
    private var position: Int
    private var line: Int

    init(_ bytes: UnsafeRawBufferPointer, separator: UInt8, from position: Int = 0, lineNumber: Int = 1) {
        self.bytes = bytes
        self.separator = separator
        self.position = position
        line = lineNumber
    }

    /// Where the next row starts, and on which line.
    var offset: Int { position }
    var lineNumber: Int { line }

    mutating func next() throws -> RowSpan? {
        while true {
            guard position < bytes.count else { return nil }
            let (start, first) = (position, line)
            let end = try endOfRow()
            if end > start { return RowSpan(line: first, range: start..<end) }
        }
    }

    /// Moves behind the row at hand.
    /// - Returns: where its last field ends.
    private mutating func endOfRow() throws -> Int {
        let (quote, lineFeed, carriageReturn) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))
        var isAtFieldStart = true
        while position < bytes.count {
            let byte = bytes[position]
            if byte == quote, isAtFieldStart {
                try skipQuoted()
                isAtFieldStart = false
                continue
            }
            if byte == lineFeed || byte == carriageReturn {
                let end = position
                passLineEnd()
                return end
            }
            isAtFieldStart = byte == separator
            position += 1
        }
        return position
    }

    /// Moves behind the closing quote of the field whose opening one is at hand.
    private mutating func skipQuoted() throws {
        let (quote, opening) = (UInt8(ascii: "\""), line)
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                passLineEnd()
                continue
            }
            position += 1
            guard byte == quote else { continue }
            guard position < bytes.count, bytes[position] == quote else { return }
            position += 1
        }
        throw RowProblem(line: opening, problem: .unclosedQuote)
    }

    private mutating func passLineEnd() {
        let isPair =
            bytes[position] == UInt8(ascii: "\r") && position + 1 < bytes.count
            && bytes[position + 1] == UInt8(ascii: "\n")
        position += isPair ? 2 : 1
        line += 1
    }
}
