import Files
import Foundation

extension UnsafeRawBufferPointer {
    /// Calls `body` with each line, without what ends it: LF, CR LF or CR, as Python's text files have it.
    func forEachLine(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        var start = 0
        while start < count {
            let end = index(of: UInt8(ascii: "\n"), from: start, to: count)
            var lineStart = start
            while lineStart < end {
                let lineEnd = index(of: UInt8(ascii: "\r"), from: lineStart, to: end)
                try body(UnsafeRawBufferPointer(rebasing: self[lineStart..<lineEnd]))
                lineStart = lineEnd + 1
            }
            if start == end { try body(UnsafeRawBufferPointer(rebasing: self[end..<end])) }
            start = end + 1
        }
    }

    /// The place of the first `byte`, or `end`.
    func index(of byte: UInt8, from start: Int, to end: Int) -> Int {
        guard let baseAddress, start < end, let found = memchr(baseAddress + start, Int32(byte), end - start) else {
            return end
        }
        return UnsafeRawPointer(found) - baseAddress
    }

    /// The number of columns that tabs divide it into.
    fileprivate var columnCount: Int {
        var (columns, start) = (1, 0)
        while true {
            let tab = index(of: UInt8(ascii: "\t"), from: start, to: count)
            if tab == count { return columns }
            columns += 1
            start = tab + 1
        }
    }
}

extension GLUESet.File {
    /// How many examples the file in `folder` has.
    ///
    /// - Throws: `SystemError` if it can't be read.
    func actualRows(in folder: URL) throws -> Int {
        try MappedFile(path: folder.appendingPathComponent(path).path).withBytes { bytes in
            var (rows, isHeader) = (0, hasHeader)
            bytes.forEachLine { line in
                if !isHeader, !line.isEmpty, line.columnCount >= columns ?? 1 { rows += 1 }
                isHeader = false
            }
            return rows
        }
    }
}
