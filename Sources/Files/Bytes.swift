import Foundation

/// Whether all of `bytes` is well-formed UTF-8.
public func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.withMemoryRebound(to: UInt8.self) { buffer in
        (try? UTF8Span(validating: buffer.span)) != nil
    }
}

extension UnsafeRawBufferPointer {
    /// The index of the first `byte` in `range`, or the range's end if there is none.
    public func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int {
        guard let baseAddress, !range.isEmpty,
            let found = memchr(baseAddress + range.lowerBound, Int32(byte), range.count)
        else { return range.upperBound }
        return UnsafeRawPointer(found) - baseAddress
    }
}
