/// Reads little-endian values from a part of a file, and never outside it.
struct ByteReader {
    /// The whole file.
    private let bytes: UnsafeRawBufferPointer
    /// The position of the next byte in the file.
    private(set) var offset: Int
    /// The position after the last byte of the part.
    private let end: Int

    /// A reader of the bytes of `file` from `start` to `end`, or to the end of the file.
    init(_ file: UnsafeRawBufferPointer, from start: Int, to end: Int? = nil) throws(CheckpointProblem) {
        let end = end ?? file.count
        guard start >= 0, start <= end else { throw .malformed("a position outside the file", offset: start) }
        guard end <= file.count else { throw .truncated(expected: end, actual: file.count) }
        self.bytes = file
        self.offset = start
        self.end = end
    }

    /// The next `count` bytes.
    mutating func read(_ count: Int) throws(CheckpointProblem) -> UnsafeRawBufferPointer {
        guard count >= 0 else { throw .malformed("a negative length", offset: offset) }
        guard count <= end - offset else {
            guard end == bytes.count else { throw .malformed("a part of the file ends too early", offset: end) }
            let (expected, overflow) = offset.addingReportingOverflow(count)
            throw .truncated(expected: overflow ? .max : expected, actual: bytes.count)
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    /// The next integer.
    mutating func read<Integer: FixedWidthInteger>(_: Integer.Type) throws(CheckpointProblem) -> Integer {
        Integer(littleEndian: try read(MemoryLayout<Integer>.size).loadUnaligned(as: Integer.self))
    }

    /// The next unsigned 64-bit integer, where only a length or a position makes sense.
    mutating func readLength() throws(CheckpointProblem) -> Int {
        let start = offset
        guard let length = Int(exactly: try read(UInt64.self)) else {
            throw .malformed("a length too large for any file", offset: start)
        }
        return length
    }

    /// The next `count` bytes as text.
    mutating func readText(_ count: Int) throws(CheckpointProblem) -> String {
        let start = offset
        guard let text = String(validating: try read(count), as: UTF8.self) else {
            throw .malformed("text that is not UTF-8", offset: start)
        }
        return text
    }
}
