import Files

/// Rows that are sentences, a word a line with blank lines between sentences: the layout of CoNLL's shared tasks. The
/// value of a column is a list, with an element for each word.
///
/// Lines that begin with `-DOCSTART-`, as CoNLL-2003 has between documents, are no words; no other line is special.
struct CoNLLRows: RowReader {
    /// A tab, or what else separates columns; nil for blanks, of which several separate as one does.
    let separator: UInt8?
    /// The positions of the columns that are read: from 0, or from -1 backwards from the last one.
    let positions: [Int]
    /// How many columns a line must have, so that all that are read are there and no two are one.
    private let fewestColumns: Int

    init(separator: UInt8?, positions: [Int]) {
        self.separator = separator == 0x20 ? nil : separator
        self.positions = positions
        fewestColumns = max(1 + (positions.max() ?? 0), 0) - min(positions.min() ?? 0, 0)
    }

    /// A tab, if the file's first word has one beside it; otherwise nil.
    static func separator(of bytes: UnsafeRawBufferPointer, from offset: Int) -> UInt8? {
        var scanner = SentenceScanner(lines: LineScanner(bytes, from: offset), bytes: bytes)
        guard let first = scanner.nextWord() else { return nil }
        return bytes[first.range].contains(0x09) ? 0x09 : nil
    }

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        SentenceScanner(lines: LineScanner(bytes, from: offset, lineNumber: line), bytes: bytes)
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) throws -> [FieldValue?] {
        var lists = [[[UInt8]]](repeating: [], count: positions.count)
        var lines = LineScanner(
            UnsafeRawBufferPointer(rebasing: bytes[..<row.range.upperBound]), from: row.range.lowerBound,
            lineNumber: row.line)
        var columns: [Range<Int>] = []
        while let line = lines.next() {
            split(line.range, of: bytes, into: &columns)
            guard columns.count >= fewestColumns else {
                let text = bytes[line.range].excerpt
                throw RowProblem(
                    line: line.line,
                    problem: .raggedLine(text: text, found: columns.count, wanted: fewestColumns, separator: separator))
            }
            for (place, position) in positions.enumerated() {
                let column = columns[position < 0 ? columns.count + position : position]
                if column.isEmpty {
                    let text = bytes[line.range].excerpt
                    throw RowProblem(line: line.line, problem: .emptyColumn(text: text, position: position))
                }
                lists[place].append(Array(bytes[column]))
            }
        }
        found = columns.count
        return lists.map { .list($0) }
    }

    /// The columns of a line, less the blanks around them.
    private func split(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer, into columns: inout [Range<Int>]) {
        columns.removeAll(keepingCapacity: true)
        var start = range.lowerBound
        while start <= range.upperBound {
            var end = start
            if let separator {
                end = bytes.firstIndex(of: separator, in: start..<range.upperBound)
            } else {
                while end < range.upperBound, !isBlank(bytes[end]) { end += 1 }
            }
            let column = trimmed(start..<end, of: bytes)
            if separator != nil || !column.isEmpty { columns.append(column) }
            start = end + 1
        }
    }

    private func trimmed(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, bytes[start] == 0x20 { start += 1 }
        while start < end, bytes[end - 1] == 0x20 { end -= 1 }
        return start..<end
    }
}

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// Cuts bytes into sentences: the lines between blank ones.
struct SentenceScanner: RowScanner {
    fileprivate var lines: LineScanner
    fileprivate let bytes: UnsafeRawBufferPointer

    mutating func next() -> RowSpan? {
        guard let first = nextWord() else { return nil }
        var end = first.range.upperBound
        while let line = lines.next(), isWord(line.range) { end = line.range.upperBound }
        return RowSpan(line: first.line, range: first.range.lowerBound..<end)
    }

    /// The next line that is a word's.
    fileprivate mutating func nextWord() -> RowSpan? {
        while let line = lines.next() {
            if isWord(line.range) { return line }
        }
        return nil
    }

    private func isWord(_ range: Range<Int>) -> Bool {
        let line = bytes[range]
        if line.allSatisfy(isBlank) { return false }
        guard line.starts(with: SentenceScanner.documentMark) else { return true }
        return !(line.dropFirst(SentenceScanner.documentMark.count).first.map(isBlank) ?? true)
    }

    private static let documentMark = Array("-DOCSTART-".utf8)
}
