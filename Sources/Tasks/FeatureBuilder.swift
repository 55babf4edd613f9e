import Files
import Foundation
import Tokenization

/// Encodes a set's examples into a cache file, on all cores and in memory that doesn't grow with the file. The bytes
/// written don't depend on the number of cores.
struct FeatureBuilder: Sendable {
    /// The set's files, in their order.
    let sources: [ExampleSource]
    let encoder: ExampleEncoder
    let hasLabels: Bool
    let kind: any TaskKind

    /// A slice's examples; their offsets count from the slice's first word.
    fileprivate struct Slice {
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
            try write(key, to: output, url)
            try output.moveIntoPlace()
        } catch let error as FileWriteError {
            throw FeatureCacheError(path: error.path, reason: error.reason.description)
        }
    }

    private func write(_ key: FeatureKey, to output: FileDraft, _ url: URL) throws {
        var header = FeatureFile.Header(
            key: key.words, count: 0, wordCount: 0, skippedRows: 0, hasLabels: hasLabels)
        // Where the records stand in the file is known when the words before them are.
        let records = try FileDraft(for: url)
        for source in sources {
            try source.forEachSlice { try encode($0, of: $1, source) } take: { slice in
                try append(slice, to: output, records, &header)
            }
        }
        guard header.count > 0 else { throw sources[0].noRows }
        try output.write(
            contentsOf: records, count: header.count * FeatureFile.Record.size, at: header.recordOffset(0))
        try output.write(header.words(checksum: 0), at: 0)
        let checksum = try output.withContents(FeatureFile.checksum)
        try output.write(header.words(checksum: checksum), at: 0)
    }

    private func append(
        _ slice: Slice, to output: FileDraft, _ records: FileDraft, _ header: inout FeatureFile.Header
    ) throws {
        let words = slice.records.flatMap { record in
            var record = record
            record.offset += header.wordCount
            return record.words
        }
        try records.write(words, at: header.count * FeatureFile.Record.size)
        try output.write(slice.words, at: FeatureFile.wordOffset(header.wordCount))
        header.count += slice.records.count
        header.wordCount += slice.words.count
        header.skippedRows += slice.skippedRows
    }

    private func encode(
        _ rows: [RowSpan], of bytes: UnsafeRawBufferPointer, _ source: ExampleSource
    ) throws -> Slice {
        var slice = Slice()
        for span in rows {
            guard case .row(let row) = try source.parser.outcome(of: span, in: bytes) else {
                slice.skippedRows += 1
                continue
            }
            let examples: [EncodedExample]
            do {
                examples = try row.withContents(of: bytes) { try kind.examples(of: $0, encoder: encoder) }
            } catch let problem as DataFileError.Problem {
                throw DataFileError(path: source.path, line: span.line, problem: problem.at(span.path))
            }
            for example in examples { slice.append(example, line: row.line) }
        }
        return slice
    }
}

extension FeatureBuilder.Slice {
    mutating func append(_ example: EncodedExample, line: Int) {
        let first = example.sequences[0]
        let extras = FeatureFile.extras(of: example)
        records.append(
            FeatureFile.Record(
                offset: words.count, length: example.sequences.reduce(0) { $0 + $1.inputIDs.count },
                firstSegmentLength: first.firstSegmentLength, line: line,
                label: extras.isEmpty ? example.marks.target.first ?? .nan : .nan, extraCount: extras.count))
        for sequence in example.sequences { words.append(contentsOf: sequence.inputIDs) }
        words.append(contentsOf: extras)
    }
}
