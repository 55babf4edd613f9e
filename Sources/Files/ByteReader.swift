/// What a format's reader throws: what is wrong with the bytes, and where.
public protocol FormatProblem: Error {
    /// The file should have `expected` bytes, or more, and has `actual`.
    static func truncated(expected: Int, actual: Int) -> Self
    /// The content breaks the rules of its format at byte `offset`.
    static func malformed(_ what: String, offset: Int) -> Self
}

/// Reads little-endian values from a part of a file, and never outside it.
public struct ByteReader<Problem: FormatProblem> {
    /// The whole file.
    private let bytes: UnsafeRawBufferPointer
    /// The position of the next byte in the file.
    public private(set) var offset: Int
    /// The position after the last byte of the part.
    private let end: Int

    /// A reader of the bytes of `file` from `start` to `end`, or to the end of the file.
    ///
    /// - Throws: `Problem` if that is not a part of the file.
    public init(_ file: UnsafeRawBufferPointer, from start: Int, to end: Int? = nil) throws(Problem) {
        let end = end ?? file.count
        guard start >= 0, start <= end else { throw Problem.malformed("a position outside the file", offset: start) }
        guard end <= file.count else { throw Problem.truncated(expected: end, actual: file.count) }
        self.bytes = file
        self.offset = start
        self.end = end
    }

    /// The next `count` bytes.
    ///
    /// - Throws: `Problem` if there are fewer.
    public mutating func read(_ count: Int) throws(Problem) -> UnsafeRawBufferPointer {
        guard count >= 0 else { throw Problem.malformed("a negative length", offset: offset) }
        guard count <= end - offset else {
            guard end == bytes.count else { throw Problem.malformed("a part of the file ends too early", offset: end) }
            let (expected, overflow) = offset.addingReportingOverflow(count)
            throw Problem.truncated(expected: overflow ? .max : expected, actual: bytes.count)
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    /// The next integer.
    ///
    /// - Throws: `Problem` if there are too few bytes.
    public mutating func read<Integer: FixedWidthInteger>(_: Integer.Type) throws(Problem) -> Integer {
        Integer(littleEndian: try read(MemoryLayout<Integer>.size).loadUnaligned(as: Integer.self))
    }

    /// The next unsigned 64-bit integer, where only a length or a position makes sense.
    ///
    /// - Throws: `Problem` if it is too large for one, or there are too few bytes.
    public mutating func readLength() throws(Problem) -> Int {
        let start = offset
        guard let length = Int(exactly: try read(UInt64.self)) else {
            throw Problem.malformed("a length too large for any file", offset: start)
        }
        return length
    }

    /// The next `count` bytes as text.
    ///
    /// - Throws: `Problem` if they are not UTF-8, or there are fewer.
    public mutating func readText(_ count: Int) throws(Problem) -> String {
        let start = offset
        guard let text = String(validating: try read(count), as: UTF8.self) else {
            throw Problem.malformed("text that is not UTF-8", offset: start)
        }
        return text
    }
}
