/// Where a normalised text goes.
protocol NormalizerOutput {
    /// Whether `append` does anything with the spans.
    static var keepsSpans: Bool { get }
    mutating func reserve(_ count: Int)
    mutating func append(ascii: UInt8, _ span: ByteSpan)
    mutating func append(_ codePoint: UInt32, _ span: ByteSpan)
}

/// Some of a text's bytes: `start` ..< `end`.
struct ByteSpan: Equatable {
    var start: Int32
    var end: Int32
}

/// A normalised text.
struct NormalizedText: NormalizerOutput {
    static let keepsSpans = false
    private(set) var bytes: [UInt8] = []

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    mutating func append(ascii: UInt8, _ span: ByteSpan) { bytes.append(ascii) }

    mutating func append(_ codePoint: UInt32, _ span: ByteSpan) {
        if let scalar = Unicode.Scalar(codePoint) { bytes.append(contentsOf: scalar.utf8) }
    }
}

/// A normalised text, and for each of its bytes the character of the original text that it comes from.
struct AlignedText: NormalizerOutput {
    static let keepsSpans = true
    private(set) var bytes: [UInt8] = []
    private(set) var spans: [ByteSpan] = []

    mutating func reserve(_ count: Int) {
        bytes.reserveCapacity(count)
        spans.reserveCapacity(count)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        spans.removeAll(keepingCapacity: true)
    }

    mutating func append(ascii: UInt8, _ span: ByteSpan) {
        bytes.append(ascii)
        spans.append(span)
    }

    mutating func append(_ codePoint: UInt32, _ span: ByteSpan) {
        guard let scalar = Unicode.Scalar(codePoint) else { return }
        for byte in scalar.utf8 { append(ascii: byte, span) }
    }
}
