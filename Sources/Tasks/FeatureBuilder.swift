import Dispatch
import Files
import Foundation
import Synchronization
import Tokenization

/// Encodes a set's examples into a cache file, on all cores and in memory that doesn't grow with the file. The bytes
/// written don't depend on the number of cores.
struct FeatureBuilder: Sendable {
    /// Lines encoded by one thread at a time, and the number of such slices between two writes.
    private static let sliceLines = 256
    private static let slicesPerBlock = 32

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
            try source.mapped.withBytes { bytes in
                var rows = source.rows(of: bytes)
                while true {
                    let block = try nextBlock(of: &rows, source)
                    guard !block.isEmpty else { break }
                    for slice in block { try append(slice, to: output, &header) }
                    source.mapped.releasePages()
                }
            }
        }
        guard header.count > 0 else { throw sources[0].noRows }
        try output.write(header.words(checksum: 0), at: 0)
        let checksum = try output.withContents(FeatureFile.checksum)
        try output.write(header.words(checksum: checksum), at: 0)
    }

    private func countRows(_ source: ExampleSource) throws -> Int {
        try source.mapped.withBytes { bytes in
            var rows = source.rows(of: bytes)
            var count = 0
            while try source.next(&rows) != nil {
                count += 1
                // Gives back the memory of the pages looked at from time to time.
                if count % (Self.sliceLines * Self.slicesPerBlock) == 0 { source.mapped.releasePages() }
            }
            return count
        }
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

    /// The next slices in the order of the file; none at its end.
    ///
    /// - Throws: the first error in the order of the file.
    private func nextBlock(of rows: inout any RowScanner, _ source: ExampleSource) throws -> [Slice] {
        var slices: [[RowSpan]] = []
        var damage: (any Error)?
        while slices.count < Self.slicesPerBlock, damage == nil {
            var slice: [RowSpan] = []
            do {
                while slice.count < Self.sliceLines, let row = try source.next(&rows) { slice.append(row) }
            } catch {
                // What is wrong with a row before it is said first.
                damage = error
            }
            if slice.isEmpty { break }
            slices.append(slice)
        }
        let work = slices
        let results = Mutex<[Result<Slice, any Error>?]>(Array(repeating: nil, count: work.count))
        DispatchQueue.concurrentPerform(iterations: work.count) { index in
            let result = Result { try source.mapped.withBytes { try encode(work[index], of: $0, source.parser) } }
            results.withLock { $0[index] = result }
        }
        let encoded = try results.withLock { $0 }.compactMap { try $0?.get() }
        if let damage { throw damage }
        return encoded
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
            let encoding = encode(row, of: bytes)
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

    private func encode(_ row: Row, of bytes: UnsafeRawBufferPointer) -> Encoding {
        row.first.withText(of: bytes) { first in
            guard let second = row.second else {
                return tokenizer.encode(utf8: first, pair: nil, maxLength: maxSequenceLength)
            }
            return second.withText(of: bytes) {
                tokenizer.encode(utf8: first, pair: $0, maxLength: maxSequenceLength)
            }
        }
    }
}

extension FieldValue {
    /// Lends the value as one text; several are joined by spaces.
    fileprivate func withText<Result>(
        of file: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        if case .list(let values) = self {
            return Array(values.joined(separator: [0x20])).withUnsafeBytes(body)
        }
        return withBytes(of: file) { body(UnsafeRawBufferPointer(rebasing: $0[0])) }
    }
}
