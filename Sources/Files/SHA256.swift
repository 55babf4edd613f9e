/// The SHA-256 of bytes, as FIPS 180-4 defines it.
///
/// A hash is all that is needed of a cryptography package here, and building one takes longer than building all of
/// this project.
public struct SHA256: Sendable, Equatable {
    /// The hash: eight words, the first one the most significant.
    public let words: [UInt32]

    /// 64 lower-case hexadecimal digits.
    public var hexadecimal: String { BlockHash.hexadecimal(words) }

    /// The hash of all of the bytes.
    public init(_ bytes: UnsafeRawBufferPointer) {
        words = BlockHash.state(after: bytes, from: SHA256.initialState, compress: SHA256.compress)
    }

    /// The hash of all of the bytes.
    public init(_ bytes: some Sequence<UInt8>) {
        self = Array(bytes).withUnsafeBytes { SHA256($0) }
    }

    /// The hash of the hashes of a file's pieces of 1 MiB, one after the other: as good a name of the file's content as
    /// its own hash, and computed on all cores.
    public init(ofPiecesOf file: MappedFile) {
        let pieces = file.mapPieces { _, bytes in SHA256(bytes).words }
        self.init(pieces.joined().flatMap { word in withUnsafeBytes(of: word.bigEndian, Array.init) })
    }

    private static func compress(_ state: inout [UInt32], _ blocks: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
            constants.withUnsafeBufferPointer { k in
                for start in stride(from: 0, to: blocks.count, by: BlockHash.blockSize) {
                    for t in 0..<16 {
                        w[t] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: start + 4 * t, as: UInt32.self))
                    }
                    for t in 16..<64 {
                        let s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ (w[t - 15] >> 3)
                        let s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ (w[t - 2] >> 10)
                        w[t] = w[t - 16] &+ s0 &+ w[t - 7] &+ s1
                    }
                    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
                    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
                    for t in 0..<64 {
                        let s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
                        let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ k[t] &+ w[t]
                        let s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
                        let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
                        (h, g, f, e) = (g, f, e, d &+ t1)
                        (d, c, b, a) = (c, b, a, t1 &+ t2)
                    }
                    for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
                }
            }
        }
    }

    private static func turn(_ word: UInt32, _ count: UInt32) -> UInt32 {
        (word >> count) | (word << (32 - count))
    }

    /// The first 32 bits of the fractions of the square roots of the first 8 primes, and of the cube roots of the
    /// first 64.
    private static let initialState = primes.prefix(8).map { fraction(of: Double($0).squareRoot()) }
    private static let constants = primes.map { cubeRootFraction($0) }
    private static let primes: [Int] = (2...311).filter { n in !(2..<n).contains { n % $0 == 0 } }

    private static func fraction(of number: Double) -> UInt32 {
        UInt32((number - number.rounded(.down)) * 4_294_967_296)
    }

    /// By bisection in whole numbers: (2³² ∛p)³ = 2⁹⁶ p, of which the lowest 32 bits of the root are the fraction's.
    private static func cubeRootFraction(_ prime: Int) -> UInt32 {
        var (low, high): (UInt64, UInt64) = (0, 7 << 32)
        while high - low > 1 {
            let middle = (low + high) / 2
            let square = UInt128(middle) * UInt128(middle)
            // middle³ ≤ 2⁹⁶ p, without a number beyond 128 bits.
            if square <= (UInt128(prime) << 96) / UInt128(middle) { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }
}
