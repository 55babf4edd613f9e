import CTorch
import Files

/// What keeps a part of a store for those that share a secret: others can neither guess its keys nor set a value there
/// that is taken for one of theirs.
public struct StoreSeal: Sendable {
    private let secret: [UInt8]

    /// - Parameter secret: as many bytes as can't be guessed.
    public init(secret: [UInt8]) { self.secret = secret }

    /// What those with the same secret have, too, and which tells nothing else of it.
    public var fingerprint: String {
        code("fingerprint".utf8).prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
    }

    fileprivate func code(_ message: some Sequence<UInt8>) -> [UInt8] {
        SHA256.authenticationCode(of: message, key: secret)
    }

    /// As the C interface takes it.
    var unmanaged: CTSeal {
        CTSeal(
            context: UnsafeRawPointer(Unmanaged.passRetained(Box(self)).toOpaque()),
            code: { context, bytes, count, code in
                guard let context, let code else { return }
                let seal = Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().seal
                let message = UnsafeRawBufferPointer(start: bytes, count: count)
                UnsafeMutableRawBufferPointer(start: code, count: 32).copyBytes(from: seal.code(message))
            },
            release: { context in
                if let context { Unmanaged<Box>.fromOpaque(context).release() }
            })
    }

    private final class Box {
        let seal: StoreSeal

        init(_ seal: StoreSeal) { self.seal = seal }
    }
}
