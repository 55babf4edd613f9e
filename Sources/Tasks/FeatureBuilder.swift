import Dispatch
import Files
import Foundation
import Synchronization
import Tokenization

/// Encodes a file's examples into a cache file, on all cores and in memory that doesn't grow with the file. The bytes
/// written don't depend on the number of cores.
struct FeatureBuilder: Sendable {
    /// Lines encoded by one thread at a time, and the number of such slices between two writes.
    private static let sliceLines = 256
    private static let slicesPerBlock = 32

    let source: ExampleSource
    let tokenizer: WordPieceTokenizer
    let maxSequenceLength: Int
    let hasLabels: Bool

    /// A slice's examples; their id offsets count from the slice's first id.
    private struct Slice {
        var records: [FeatureFile.Record] = []
        var ids: [Int32] = []
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
        try source.mapped.withBytes { bytes in
            var counter = source.lines(of: bytes)
            var capacity = 0
            while counter.next() != nil {
                capacity += 1
                releaseSource(after: capacity)
            }
            var header = FeatureFile.Header(
                key: key.words, count: 0, capacity: capacity, idCount: 0, skippedRows: 0, hasLabels: hasLabels)
            var lines = source.lines(of: bytes)
            while true {
                let block = try nextBlock(of: &lines)
                guard !block.isEmpty else { break }
                for slice in block { try append(slice, to: output, &header) }
                source.mapped.releasePages()
            }
            guard header.count > 0 else { throw source.noRows }
            try output.write(header.words(checksum: 0), at: 0)
            let checksum = try output.withContents(FeatureFile.checksum)
            try output.write(header.words(checksum: checksum), at: 0)
        }
    }

    /// Gives back the memory of the source's pages from time to time.
    private func releaseSource(after lines: Int) {
        if lines % (Self.sliceLines * Self.slicesPerBlock) == 0 { source.mapped.releasePages() }
    }

    private func append(_ slice: Slice, to output: FileDraft, _ header: inout FeatureFile.Header) throws {
        let words = slice.records.flatMap { record in
            var record = record
            record.idOffset += header.idCount
            return record.words
        }
        try output.write(words, at: FeatureFile.recordOffset(header.count))
        let idsOffset = FeatureFile.idsOffset(capacity: header.capacity)
        try output.write(slice.ids, at: idsOffset + header.idCount * MemoryLayout<Int32>.size)
        header.count += slice.records.count
        header.idCount += slice.ids.count
        header.skippedRows += slice.skippedRows
    }

    /// The next slices in the order of the file; none at its end.
    ///
    /// - Throws: the first error in the order of the file.
    private func nextBlock(of lines: inout LineScanner) throws -> [Slice] {
        var slices: [[Line]] = []
        while slices.count < Self.slicesPerBlock {
            var slice: [Line] = []
            while slice.count < Self.sliceLines, let line = lines.next() { slice.append(line) }
            if slice.isEmpty { break }
            slices.append(slice)
        }
        let work = slices
        let results = Mutex<[Result<Slice, any Error>?]>(Array(repeating: nil, count: work.count))
        DispatchQueue.concurrentPerform(iterations: work.count) { index in
            let result = Result { try source.mapped.withBytes { try encode(work[index], of: $0) } }
            results.withLock { $0[index] = result }
        }
        return try results.withLock { $0 }.compactMap { try $0?.get() }
    }

    private func encode(_ lines: [Line], of bytes: UnsafeRawBufferPointer) throws -> Slice {
        var slice = Slice()
        for line in lines {
            guard let row = try source.parser.row(in: line, of: bytes) else {
                slice.skippedRows += 1
                continue
            }
            let encoding = tokenizer.encode(
                utf8: UnsafeRawBufferPointer(rebasing: bytes[row.first]),
                pair: row.second.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }, maxLength: maxSequenceLength)
            slice.records.append(
                FeatureFile.Record(
                    idOffset: slice.ids.count, length: encoding.inputIDs.count,
                    firstSegmentLength: encoding.tokenTypeIDs.firstIndex(of: 1) ?? encoding.tokenTypeIDs.count,
                    line: row.line, label: row.label ?? .nan))
            slice.ids.append(contentsOf: encoding.inputIDs)
        }
        return slice
    }
}
