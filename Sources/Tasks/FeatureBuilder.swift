import Files
import Foundation
import Tokenization

/// Encodes a set's examples into a cache file, on all cores and in memory that doesn't grow with the file. The bytes
/// written don't depend on the number of cores.
struct FeatureBuilder: Sendable {
    /// The set's files, in their order.
    let sources: [ExampleSource]
    let tokenizer: WordPieceTokenizer
    let maxSequenceLength: Int
    let hasLabels: Bool

    /// A slice's examples; their offsets count from the slice's first word.
    private struct Slice {
        var records: [FeatureFile.Record] = []
        var words: [Int32] = []
        var skippedRows = 0
    }

    /// Builds the file beside its place and moves it there when it is whole, so that nobody ever sees half a file.
    ///
    /// - Throws: `DataFileError`, `FeatureCacheError`. Nothing is left behind then.
    func build(key: FeatureKey, at url: URL) throws {
        do {
            try makeFolder(url.deletingLastPathComponent())
            let output = try FileDraft(for: url)
            try write(key, to: output)
            try output.moveIntoPlace()
        } catch let error as FileWriteError {
            throw FeatureCacheError(path: error.path, reason: error.reason.description)
        }
    }

    private func write(_ key: FeatureKey, to output: FileDraft) throws {
        let capacity = try sources.map(countRows).reduce(0, +)
        var header = FeatureFile.Header(
            key: key.words, count: 0, capacity: capacity, wordCount: 0, skippedRows: 0, hasLabels: hasLabels)
        for source in sources {
            try source.forEachSlice { try encode($0, of: $1, source.parser) } take: { slice in
                try append(slice, to: output, &header)
            }
        }
        guard header.count > 0 else { throw sources[0].noRows }
        try output.write(header.words(checksum: 0), at: 0)
        let checksum = try output.withContents(FeatureFile.checksum)
        try output.write(header.words(checksum: checksum), at: 0)
    }

    private func countRows(_ source: ExampleSource) throws -> Int {
        var count = 0
        try source.forEachRow { _, _ in count += 1 }
        return count
    }

    private func append(_ slice: Slice, to output: FileDraft, _ header: inout FeatureFile.Header) throws {
        let words = slice.records.flatMap { record in
            var record = record
            record.offset += header.wordCount
            return record.words
        }
        try output.write(words, at: FeatureFile.recordOffset(header.count))
        let wordsOffset = FeatureFile.wordsOffset(capacity: header.capacity)
        try output.write(slice.words, at: wordsOffset + header.wordCount * MemoryLayout<Int32>.size)
        header.count += slice.records.count
        header.wordCount += slice.words.count
        header.skippedRows += slice.skippedRows
    }

    private func encode(
        _ rows: [RowSpan], of bytes: UnsafeRawBufferPointer, _ parser: RowParser
    ) throws -> Slice {
        var slice = Slice()
        for span in rows {
            guard case .row(let row) = try parser.outcome(of: span, in: bytes) else {
                slice.skippedRows += 1
                continue
            }
            let encoding = row.withTexts(of: bytes) {
                tokenizer.encode(utf8: $0, pair: $1, maxLength: maxSequenceLength)
            }
            // A single number stands in the record itself, several behind the ids.
            let isScalar = row.target.count == 1
            slice.records.append(
                FeatureFile.Record(
                    offset: slice.words.count, length: encoding.inputIDs.count,
                    firstSegmentLength: encoding.tokenTypeIDs.firstIndex(of: 1) ?? encoding.tokenTypeIDs.count,
                    line: row.line, label: isScalar ? row.target[0] : .nan,
                    targetCount: isScalar ? 0 : row.target.count))
            slice.words.append(contentsOf: encoding.inputIDs)
            if !isScalar { slice.words.append(contentsOf: row.target.map { Int32(bitPattern: $0.bitPattern) }) }
        }
        return slice
    }
}
