import Files

/// Cuts bytes into lines that end with LF, CR LF or CR, as Python's universal newlines, which the original reads with.
/// The last line needs no end.
public struct LineScanner: RowScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private var number: Int
    /// The first LF at or after `position`, kept so that a file of CR lines is not searched to its end again and again.
    private var lineFeed = -1

    /// A scanner of the lines from `position` on, the first of which has the number `lineNumber`.
    public init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0, lineNumber: Int = 1) {
        self.bytes = bytes
        self.position = position
        number = lineNumber
    }

    /// Where the next line starts.
    var offset: Int { position }

    /// The next line, or nil at the end.
    public mutating func next() -> RowSpan? {
        guard position < bytes.count else { return nil }
        if lineFeed < position { lineFeed = bytes.firstIndex(of: UInt8(ascii: "\n"), in: position..<bytes.count) }
        let end = bytes.firstIndex(of: UInt8(ascii: "\r"), in: position..<lineFeed)
        let line = RowSpan(line: number, range: position..<end)
        let endsWithLineFeed = end == lineFeed || end + 1 == lineFeed
        position = endsWithLineFeed ? min(lineFeed + 1, bytes.count) : end + 1
        number += 1
        return line
    }
}

extension UnsafeRawBufferPointer {
    /// Where the lines from `start` end, but for blank ones, of no characters or of spaces, at the end.
    func endOfRows(from start: Int) -> Int {
        guard let last = self[start...].lastIndex(where: { ![0x0A, 0x0D, 0x20].contains($0) }) else { return start }
        var scanner = LineScanner(self, from: last)
        _ = scanner.next()
        return scanner.offset
    }
}
