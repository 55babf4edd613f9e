extension SHA256 {
    /// The message authentication code HMAC-SHA-256 of RFC 2104: 32 bytes that nobody can make of a message without the
    /// key.
    public static func authenticationCode(of message: some Sequence<UInt8>, key: [UInt8]) -> [UInt8] {
        let short = key.count > BlockHash.blockSize ? SHA256(key).bytes : key
        let padded = short + Array(repeating: 0, count: BlockHash.blockSize - short.count)
        let inner = SHA256(padded.map { $0 ^ 0x36 } + message)
        return SHA256(padded.map { $0 ^ 0x5C } + inner.bytes).bytes
    }

    /// The hash's 32 bytes.
    private var bytes: [UInt8] { words.flatMap { word in withUnsafeBytes(of: word.bigEndian, Array.init) } }
}
