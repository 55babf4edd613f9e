/// What SHA-1 and SHA-256 share, as FIPS 180-4 defines them: a message is filled up to whole blocks, and each block
/// changes a state of 32-bit words.
enum BlockHash {
    static let blockSize = 64

    /// The state after all of `bytes`.
    ///
    /// - Parameters:
    ///   - initial: the state before.
    ///   - compress: changes the state by whole blocks, one after the other.
    static func state(
        after bytes: UnsafeRawBufferPointer, from initial: [UInt32],
        compress: (_ state: inout [UInt32], _ blocks: UnsafeRawBufferPointer) -> Void
    ) -> [UInt32] {
        var state = initial
        let whole = bytes.count / blockSize * blockSize
        compress(&state, UnsafeRawBufferPointer(rebasing: bytes[..<whole]))
        // What is left, a one bit, zeros, and the length in bits as a 64-bit number.
        var tail = Array(bytes[whole...]) + [0x80]
        tail += Array(repeating: 0, count: (120 - tail.count % blockSize) % blockSize)
        tail += withUnsafeBytes(of: (UInt64(bytes.count) * 8).bigEndian, Array.init)
        tail.withUnsafeBytes { compress(&state, $0) }
        return state
    }

    /// Each word as eight lower-case hexadecimal digits.
    static func hexadecimal(_ words: [UInt32]) -> String {
        words.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }
}
