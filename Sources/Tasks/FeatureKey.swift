import Crypto
import Foundation
import Tokenization

/// All that the features of a file depend on, as one SHA-256: two runs that differ in nothing of it share a cache file,
/// whatever tasks they train and in what order. A task's id is no part of it, nor of the cache file.
struct FeatureKey: Sendable, Equatable {
    /// The hash as four words, for the cache file's header.
    let words: [UInt64]
    /// The hash in hexadecimal digits, for the cache file's name.
    let hexadecimal: String

    /// What is hashed, as JSON with sorted keys.
    private struct Content: Encodable {
        let format: UInt64
        let file: String
        let hasHeader: Bool
        let columns: [String?]
        let skipsDamagedRows: Bool
        let labels: [String]?
        let scoreRange: [Float]?
        let vocabulary: String
        let lowercase: Bool
        let maxSequenceLength: Int
    }

    init(
        source: MappedFile, file: DataFile, task: TaskDefinition, tokenizer: WordPieceTokenizer, maxSequenceLength: Int
    ) throws {
        let (hasHeader, columns): (Bool, [String?]) =
            switch file.columns {
            case .named(let first, let second, let label): (true, [first, second, label])
            case .numbered(let first, let second, let label):
                (false, [first, second, label].map { $0.map(String.init) })
            }
        let (labels, range): ([String]?, ClosedRange<Float>?) =
            switch task.kind {
            case .classification(let labels, _): (labels, nil)
            case .regression(let range): (nil, range)
            }
        let content = Content(
            format: FeatureFile.version,
            file: hexadecimalDigits(of: source.withBytes { SHA256.hash(data: $0) }),
            hasHeader: hasHeader, columns: columns, skipsDamagedRows: file.skipsDamagedRows,
            labels: labels, scoreRange: range.map { [$0.lowerBound, $0.upperBound] },
            vocabulary: hexadecimalDigits(of: SHA256.hash(data: tokenizer.vocabulary.fileContents)),
            lowercase: tokenizer.lowercase, maxSequenceLength: maxSequenceLength)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let digest = SHA256.hash(data: try encoder.encode(content))
        words = digest.withUnsafeBytes { bytes in
            (0..<4).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
        hexadecimal = hexadecimalDigits(of: digest)
    }
}

private func hexadecimalDigits(of digest: SHA256Digest) -> String {
    digest.map { byte in
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }.joined()
}
