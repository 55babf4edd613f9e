import Files
import Foundation

/// One example, encoded. Its ids are borrowed from the set it comes from.
public struct FeatureView {
    /// `[length]`: [CLS] first [SEP], and for a pair second [SEP]; no padding; of several sequences one after the other.
    public let inputIDs: UnsafeBufferPointer<Int32>
    /// Of each sequence its ids, and how many of them have token type 0; those after them have type 1.
    public let sequences: [(length: Int, firstSegmentLength: Int)]
    public let marks: ExampleMarks
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
        if let index = firstDamagedExample(labels) {
            throw DamagedFile(reason: "what it says of example \(index) is not what it says of an example of the task's")
        }
    }

    /// The first example whose words after its ids can't be those of one of this kind.
    private func firstDamagedExample(_ kind: (any TaskKind)?) -> Int? {
        defer { mapped.releasePages() }
        return mapped.withBytes { bytes in
            (0..<header.count).first { index in
                let record = record(at: index)
                guard record.extraCount > 0 else { return false }
                let start = record.offset + record.length
                let stored = words(start..<start + record.extraCount, of: bytes)
                guard let extras = FeatureFile.Extras(stored, length: record.length) else { return true }
                guard let kind else { return false }
                return extras.marks.target.isEmpty
                    || !kind.allows(extras.marks, lengths: extras.sequences.map(\.length))
            }
        }
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

    /// The positions of the first example of each row: those that are no further window.
    public func rowStarts() -> [UInt32] {
        var starts: [UInt32] = []
        for index in 0..<count {
            if index % (1 << 16) == 0 { releasePages() }
            if index == 0 || !isContinuation(at: index) { starts.append(UInt32(index)) }
        }
        return starts
    }

    private func isContinuation(at index: Int) -> Bool {
        let record = record(at: index)
        return record.extraCount > 0 && marks(at: index).isContinuation
    }

    /// The number of examples, at least 1.
    public var count: Int { places?.count ?? header.count }

    /// Whether the examples have labels.
    public var hasLabels: Bool { header.hasLabels }

    /// How many rows of the source files were left out: damaged ones, and those without a label.
    public var skippedRows: Int { header.skippedRows }

    /// The number of input ids of all examples together.
    public var tokenCount: Int {
        (0..<count).reduce(0) { $0 + length(at: $1) }
    }

    /// The number of input ids of the example at `index`.
    public func length(at index: Int) -> Int {
        record(at: index).length
    }

    /// The target of the example at `index`, as the task's kind has it; empty in a set without labels.
    public func target(at index: Int) -> [Float] { marks(at: index).target }

    /// What is known of the example at `index` beside its tokens.
    public func marks(at index: Int) -> ExampleMarks {
        let record = record(at: index)
        return mapped.withBytes { extras(of: record, in: $0).marks }
    }

    /// The ids of each sequence of the example at `index`.
    public func sequenceLengths(at index: Int) -> [Int] {
        let record = record(at: index)
        if record.extraCount == 0 { return [record.length] }
        return mapped.withBytes { extras(of: record, in: $0).sequences.map(\.length) }
    }

    /// Lends the example at `index`, in 0..<`count`, to `body`; its ids must not leave it.
    public func withExample<Result>(at index: Int, _ body: (FeatureView) throws -> Result) rethrows -> Result {
        let record = record(at: index)
        return try mapped.withBytes { bytes in
            let ids = words(record.offset..<record.offset + record.length, of: bytes)
            let extras = extras(of: record, in: bytes)
            return try ids.withMemoryRebound(to: Int32.self) { ids in
                try body(FeatureView(inputIDs: ids, sequences: extras.sequences, marks: extras.marks, line: record.line))
            }
        }
    }

    private func extras(of record: FeatureFile.Record, in bytes: UnsafeRawBufferPointer) -> FeatureFile.Extras {
        guard record.extraCount > 0 else {
            return FeatureFile.Extras(
                sequences: [(record.length, record.firstSegmentLength)],
                marks: ExampleMarks(target: hasLabels ? [record.label] : []))
        }
        let start = record.offset + record.length
        let stored = words(start..<start + record.extraCount, of: bytes)
        guard let extras = FeatureFile.Extras(stored, length: record.length) else {
            preconditionFailure("the words of each example were checked when the file was opened")
        }
        return extras
    }

    private func words(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let size = MemoryLayout<Int32>.size
        let start = FeatureFile.wordOffset(range.lowerBound)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + range.count * size])
    }

    /// Gives back the memory that the examples looked at take; they are read again when they are looked at again.
    public func releasePages() { mapped.releasePages() }

    private func record(at index: Int) -> FeatureFile.Record {
        precondition((0..<count).contains(index), "example \(index) of \(count)")
        let place = places.map { Int($0[index]) } ?? index
        return mapped.withBytes { FeatureFile.Record($0, at: header.recordOffset(place)) }
    }
}
