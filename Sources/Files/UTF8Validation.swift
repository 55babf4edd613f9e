/// Whether all of `bytes` is well-formed UTF-8.
public func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.withMemoryRebound(to: UInt8.self) { buffer in
        (try? UTF8Span(validating: buffer.span)) != nil
    }
}
