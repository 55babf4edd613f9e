/// 128 bits that stand for a row's texts: equal texts, byte for byte, have equal ones.
///
/// They are two SipHash-1-3 values under a key that is drawn anew for each process, so that no file can be made to have
/// equal ones. Of n different rows, two have equal ones with a probability of about n² / 2¹²⁹: 10⁻²⁴ for ten million.
struct RowFingerprint: BitwiseCopyable, Hashable, Comparable, Sendable {
    let high: UInt64
    let low: UInt64

    /// - Parameter fields: the texts, or lists of texts.
    init(_ fields: [FieldTexts]) {
        func half(_ number: UInt8) -> UInt64 {
            var hasher = Hasher()
            hasher.combine(number)
            for field in fields {
                // Where one text ends and the next begins is part of what is hashed.
                hasher.combine(field.values.count)
                for value in field.values {
                    hasher.combine(value.count)
                    hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: value))
                }
            }
            return UInt64(bitPattern: Int64(hasher.finalize()))
        }
        (high, low) = (half(0), half(1))
    }

    static func < (a: RowFingerprint, b: RowFingerprint) -> Bool { (a.high, a.low) < (b.high, b.low) }
}
