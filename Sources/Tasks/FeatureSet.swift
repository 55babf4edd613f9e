import Files
import Foundation

/// One example, encoded. Its ids are borrowed from the set it comes from.
public struct FeatureView {
    /// `[length]`: [CLS] first [SEP], and for a pair second [SEP]; no padding.
    public let inputIDs: UnsafeBufferPointer<Int32>
    /// How many of the ids have token type 0; those after them have type 1.
    public let firstSegmentLength: Int
    /// As the task's kind has it: the class index, or the score, or 0 and 1 for each label; empty in a set without labels.
    public let target: [Float]
    /// The line of the source file it was read from, counted from 1.
    public let line: Int
}

/// The encoded examples of a set, in the order of its files, in a cache file that is mapped and not read into memory.
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
    /// The places in the file of the examples of a part; nil for all of them.
    private let places: [UInt32]?

    /// - Throws: `SystemError` if the file can't be opened; `DamagedFile` if it isn't whole or isn't what `key` names.
    init(contentsOf path: String, key: FeatureKey, labels: (any TaskKind)?, origin: Origin) throws {
        mapped = try MappedFile(path: path)
        header = try FeatureFile.Header(checking: mapped, key: key.words, labels: labels)
        self.origin = origin
        identity = key.hexadecimal
        places = nil
    }

    private init(_ whole: FeatureSet, places: [UInt32], identity: String) {
        (origin, mapped, header) = (whole.origin, whole.mapped, whole.header)
        self.places = places
        self.identity = identity
    }

    /// The examples at some positions, in their order, as a set of their own.
    ///
    /// - Parameters:
    ///   - positions: at least one, each in 0..<`count`.
    ///   - name: what they were chosen by: two parts of one set and one name are the same.
    public func part(_ positions: [UInt32], name: String) -> FeatureSet {
        precondition(!positions.isEmpty, "a set has an example")
        let places = places.map { places in positions.map { places[Int($0)] } } ?? positions
        let identity = SHA256(Array("\(identity) \(name)".utf8)).hexadecimal
        return FeatureSet(self, places: places, identity: identity)
    }

    /// The number of examples, at least 1.
    public var count: Int { places?.count ?? header.count }

    /// Whether the examples have labels.
    public var hasLabels: Bool { header.hasLabels }

    /// How many rows of the source files were left out: damaged ones, and those without a label.
    public var skippedRows: Int { header.skippedRows }

    /// The number of input ids of all examples together.
    public var tokenCount: Int {
        let targets = record(at: 0).targetCount
        if places == nil { return header.wordCount - header.count * targets }
        return (0..<count).reduce(0) { $0 + length(at: $1) }
    }

    /// The number of input ids of the example at `index`.
    public func length(at index: Int) -> Int {
        record(at: index).length
    }

    /// The target of the example at `index`, as the task's kind has it; empty in a set without labels.
    public func target(at index: Int) -> [Float] {
        target(of: record(at: index))
    }

    /// Lends the example at `index`, in 0..<`count`, to `body`; its ids must not leave it.
    public func withExample<Result>(at index: Int, _ body: (FeatureView) throws -> Result) rethrows -> Result {
        let record = record(at: index)
        return try mapped.withBytes { bytes in
            let ids = words(record.offset..<record.offset + record.length, of: bytes)
            return try ids.withMemoryRebound(to: Int32.self) { ids in
                try body(
                    FeatureView(
                        inputIDs: ids, firstSegmentLength: record.firstSegmentLength, target: target(of: record),
                        line: record.line))
            }
        }
    }

    private func target(of record: FeatureFile.Record) -> [Float] {
        guard hasLabels else { return [] }
        guard record.targetCount > 0 else { return [record.label] }
        let start = record.offset + record.length
        return mapped.withBytes { bytes in
            words(start..<start + record.targetCount, of: bytes).withMemoryRebound(to: Float.self) { Array($0) }
        }
    }

    private func words(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let size = MemoryLayout<Int32>.size
        let start = FeatureFile.wordsOffset(capacity: header.capacity)
        return UnsafeRawBufferPointer(
            rebasing: bytes[start + range.lowerBound * size..<start + range.upperBound * size])
    }

    /// Gives back the memory that the examples looked at take; they are read again when they are looked at again.
    public func releasePages() { mapped.releasePages() }

    private func record(at index: Int) -> FeatureFile.Record {
        precondition((0..<count).contains(index), "example \(index) of \(count)")
        let place = places.map { Int($0[index]) } ?? index
        return mapped.withBytes { FeatureFile.Record($0, at: FeatureFile.recordOffset(place)) }
    }
}
