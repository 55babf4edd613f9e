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
        let choices: [String]?
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
        /// What GLUE's files have none of; nil is left out.
        let rows: String?
        let kind: String?
        let options: [String: JSONValue]?
        let truncation: String?
    }

    init(sources: [ExampleSource], file: DataFile, task: TaskDefinition, cache: FeatureCache) throws {
        let kind = task.kind
        let isSequence = kind is any SequenceKind
        let columns = file.columns
        let content = Content(
            format: FeatureFile.version,
            file: sources.map { SHA256(ofPiecesOf: $0.mapped).hexadecimal }.joined(separator: " "),
            hasHeader: columns.hasHeader,
            columns: [columns.first.description, columns.second?.description]
                + (columns.label == nil ? [nil] : columns.labelColumns.map(\.description)),
            choices: columns.choices.isEmpty ? nil : columns.choices.map(\.description),
            skipsDamagedRows: file.skipsDamagedRows,
            indexColumn: file.indexColumn, labels: kind.labels.isEmpty ? nil : kind.labels,
            scoreRange: (kind as? Regression)?.range.map { [$0.lowerBound, $0.upperBound] },
            vocabulary: cache.vocabularyHash, lowercase: cache.tokenizer.lowercase,
            addedTokens: cache.tokenizer.addedTokens.isEmpty ? nil : cache.tokenizer.addedTokens,
            findsMask: cache.tokenizer.findsMask ? nil : false,
            maxSequenceLength: cache.maxSequenceLength, rows: FeatureKey.rows(of: file),
            kind: (kind as? any SequenceKind)?.hasScalarTarget == true ? nil : kind.name,
            options: isSequence ? nil : kind.recordedOptions,
            truncation: task.truncationSide == .end ? nil : task.truncationSide.rawValue)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let hash = SHA256(try encoder.encode(content))
        words = stride(from: 0, to: 8, by: 2).map { UInt64(hash.words[$0]) << 32 | UInt64(hash.words[$0 + 1]) }
        hexadecimal = hash.hexadecimal
    }

    /// What a set's rows are, where they are not as GLUE's.
    private static func rows(of file: DataFile) -> String? {
        var parts: [String] = []
        if file.format != FileFormat(.tsv) {
            parts.append("\(file.format.name.rawValue) \(file.format.separator ?? 0)")
        }
        if case .column(_, let separator?)? = file.columns.label { parts.append("labels between \(separator)") }
        if file.skipsUnlabelledRows { parts.append("without unlabelled ones") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
