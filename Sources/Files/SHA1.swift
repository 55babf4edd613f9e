/// The SHA-1 of bytes, as FIPS 180-4 defines it: good for recognising what git names by it, and for no secret.
public struct SHA1: Sendable, Equatable {
    /// The hash: five words, the first one the most significant.
    public let words: [UInt32]

    /// 40 lower-case hexadecimal digits.
    public var hexadecimal: String { BlockHash.hexadecimal(words) }

    /// The hash of all of the bytes.
    public init(_ bytes: UnsafeRawBufferPointer) {
        words = BlockHash.state(
            after: bytes, from: [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0],
            compress: SHA1.compress)
    }

    /// The hash by which git names a file of that content: of `blob`, its length, a zero byte and the content.
    public static func gitBlob(_ content: UnsafeRawBufferPointer) -> SHA1 {
        let object = Array("blob \(content.count)\0".utf8) + content
        return object.withUnsafeBytes { SHA1($0) }
    }

    private static func compress(_ state: inout [UInt32], _ blocks: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { w in
            for start in stride(from: 0, to: blocks.count, by: BlockHash.blockSize) {
                for t in 0..<16 {
                    w[t] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: start + 4 * t, as: UInt32.self))
                }
                for t in 16..<80 { w[t] = turn(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1) }
                var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
                for t in 0..<80 {
                    let (f, k): (UInt32, UInt32) =
                        switch t {
                        case ..<20: ((b & c) ^ (~b & d), 0x5A82_7999)
                        case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                        case ..<60: ((b & c) ^ (b & d) ^ (c & d), 0x8F1B_BCDC)
                        default: (b ^ c ^ d, 0xCA62_C1D6)
                        }
                    (e, d, c, b, a) = (d, c, turn(b, 30), a, turn(a, 5) &+ f &+ e &+ k &+ w[t])
                }
                for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
            }
        }
    }

    private static func turn(_ word: UInt32, _ count: UInt32) -> UInt32 { (word << count) | (word >> (32 - count)) }
}
