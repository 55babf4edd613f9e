import Files
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
        let indexColumn: String?
        let labels: [String]?
        let scoreRange: [Float]?
        let vocabulary: String
        let lowercase: Bool
        /// nil where there are none, so that the key of a plain tokenizer is what it was before there could be any.
        let addedTokens: [AddedToken]?
        /// nil where it is true.
        let findsMask: Bool?
        let maxSequenceLength: Int
    }

    init(source: MappedFile, file: DataFile, task: TaskDefinition, cache: FeatureCache) throws {
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
            file: SHA256(ofPiecesOf: source).hexadecimal,
            hasHeader: hasHeader, columns: columns, skipsDamagedRows: file.skipsDamagedRows,
            indexColumn: file.indexColumn, labels: labels, scoreRange: range.map { [$0.lowerBound, $0.upperBound] },
            vocabulary: cache.vocabularyHash, lowercase: cache.tokenizer.lowercase,
            addedTokens: cache.tokenizer.addedTokens.isEmpty ? nil : cache.tokenizer.addedTokens,
            findsMask: cache.tokenizer.findsMask ? nil : false,
            maxSequenceLength: cache.maxSequenceLength)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let hash = SHA256(try encoder.encode(content))
        words = stride(from: 0, to: 8, by: 2).map { UInt64(hash.words[$0]) << 32 | UInt64(hash.words[$0 + 1]) }
        hexadecimal = hash.hexadecimal
    }
}
