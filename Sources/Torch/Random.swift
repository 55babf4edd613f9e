/// A seeded random stream: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
///
/// Its state is one number, so that a stream is saved and restored with it.
public struct RandomStream: RandomNumberGenerator, Sendable, Equatable, Codable {
    public var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A stream of its own for each purpose that has a name, under one seed.
    public init(seed: UInt64, purpose: String) { state = streamSeed(seed, purpose) }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// A seed that depends on `seed` and every byte of `name` (FNV-1a, then SplitMix64's mixing).
func streamSeed(_ seed: UInt64, _ name: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    var stream = RandomStream(seed: seed ^ hash)
    return stream.next()
}
