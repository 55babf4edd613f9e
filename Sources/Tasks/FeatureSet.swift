import Files
import Foundation

/// One example, encoded. Its ids are borrowed from the set it comes from.
public struct FeatureView {
    /// `[length]`: [CLS] first [SEP], and for a pair second [SEP]; no padding.
    public let inputIDs: UnsafeBufferPointer<Int32>
    /// How many of the ids have token type 0; those after them have type 1.
    public let firstSegmentLength: Int
    /// The class index or the score; nil in a set without labels.
    public let label: Float?
    /// The line of the source file it was read from, counted from 1.
    public let line: Int
}

/// The encoded examples of one file, in its order, in a cache file that is mapped and not read into memory.
public final class FeatureSet: Sendable {
    /// How the set came to be.
    public enum Origin: Sendable, Equatable {
        /// An earlier run's cache file was found.
        case cached
        /// There was none, or a new one was asked for.
        case built
        /// There was one that could not be used.
        case rebuilt(reason: String)
    }

    public let origin: Origin
    /// A hash of all that the set was made from and how: two sets that share it are the same.
    public let identity: String
    private let mapped: MappedFile
    private let header: FeatureFile.Header

    /// - Throws: `SystemError` if the file can't be opened; `DamagedFile` if it isn't whole or isn't what `key` names.
    init(contentsOf path: String, key: FeatureKey, labels: TaskOutput?, origin: Origin) throws {
        mapped = try MappedFile(path: path)
        header = try FeatureFile.Header(checking: mapped, key: key.words, labels: labels)
        self.origin = origin
        identity = key.hexadecimal
    }

    /// The number of examples, at least 1.
    public var count: Int { header.count }

    /// Whether the examples have labels.
    public var hasLabels: Bool { header.hasLabels }

    /// How many damaged rows of the source file were left out.
    public var skippedRows: Int { header.skippedRows }

    /// The number of input ids of all examples together.
    public var tokenCount: Int { header.idCount }

    /// The number of input ids of the example at `index`.
    public func length(at index: Int) -> Int {
        record(at: index).length
    }

    /// The class index or the score of the example at `index`; nil in a set without labels.
    public func label(at index: Int) -> Float? {
        hasLabels ? record(at: index).label : nil
    }

    /// Lends the example at `index`, in 0..<`count`, to `body`; its ids must not leave it.
    public func withExample<Result>(at index: Int, _ body: (FeatureView) throws -> Result) rethrows -> Result {
        let record = record(at: index)
        return try mapped.withBytes { bytes in
            let size = MemoryLayout<Int32>.size
            let start = FeatureFile.idsOffset(capacity: header.capacity) + record.idOffset * size
            let ids = UnsafeRawBufferPointer(rebasing: bytes[start..<start + record.length * size])
            return try ids.withMemoryRebound(to: Int32.self) { ids in
                try body(
                    FeatureView(
                        inputIDs: ids, firstSegmentLength: record.firstSegmentLength,
                        label: hasLabels ? record.label : nil, line: record.line))
            }
        }
    }

    /// Gives back the memory that the examples looked at take; they are read again when they are looked at again.
    public func releasePages() { mapped.releasePages() }

    private func record(at index: Int) -> FeatureFile.Record {
        precondition((0..<count).contains(index), "example \(index) of \(count)")
        return mapped.withBytes { FeatureFile.Record($0, at: FeatureFile.recordOffset(index)) }
    }
}
