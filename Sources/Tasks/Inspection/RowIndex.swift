import Dispatch
import Files
import Foundation
import Synchronization

/// A row of one of a task's sets, without its texts.
struct RowEntry: BitwiseCopyable, Sendable {
    let fingerprint: RowFingerprint
    /// The target's bits where it is one number, else a hash of its numbers.
    let target: UInt32
    let file: UInt32
    let line: UInt32
    let set: UInt16

    init(_ fingerprint: RowFingerprint, target: [Float], set: Int, file: Int, line: Int) {
        self.fingerprint = fingerprint
        if target.count == 1 {
            // -0 is 0.
            self.target = (target[0] + 0).bitPattern
        } else {
            self.target = UInt32(truncatingIfNeeded: target.hashValue)
        }
        self.set = UInt16(set)
        self.file = UInt32(file)
        self.line = UInt32(clamping: line)
    }

    var place: RowPlace { RowPlace(file: Int(file), line: Int(line)) }

    static func < (a: RowEntry, b: RowEntry) -> Bool {
        if a.fingerprint != b.fingerprint { return a.fingerprint < b.fingerprint }
        return (a.set, a.file, a.line) < (b.set, b.file, b.line)
    }
}

/// Where a row stands.
struct RowPlace: Sendable, Hashable, Comparable {
    /// The file's number among those of the task.
    let file: Int
    let line: Int

    static func < (a: RowPlace, b: RowPlace) -> Bool { (a.file, a.line) < (b.file, b.line) }
}

/// The rows of a task's sets by their texts: finds those that are equal.
///
/// A row leaves 32 bytes. Beyond half a million rows, they lie in a file without a name in the system's temporary folder,
/// in parts by the first bits of their fingerprints, which are then looked at one by one: memory grows with a part alone.
final class RowIndex {
    private static let partBits = 8

    private let mostInMemory: Int

    private var parts = [[RowEntry]](repeating: [], count: 1 << partBits)
    private var inMemory = 0
    private var scratch: ScratchFile?
    /// Where each part's pieces lie in the file, in bytes.
    private var pieces = [[Range<Int>]](repeating: [], count: 1 << partBits)
    private let folder: URL

    /// - Parameters:
    ///   - folder: where the file lies, if there has to be one.
    ///   - mostInMemory: how many rows are kept in memory before they are moved to the file.
    init(scratch folder: URL = FileManager.default.temporaryDirectory, mostInMemory: Int = 1 << 19) {
        self.folder = folder
        self.mostInMemory = mostInMemory
    }

    /// - Throws: `InspectionError` if the file can't be written.
    func add(_ entry: RowEntry) throws {
        parts[Int(entry.fingerprint.high >> UInt64(64 - Self.partBits))].append(entry)
        inMemory += 1
        if inMemory == mostInMemory { try moveToFile() }
    }

    private func moveToFile() throws {
        do {
            let file = try scratch ?? ScratchFile(in: folder)
            scratch = file
            for index in parts.indices {
                let start = file.count
                try parts[index].withUnsafeBytes(file.append)
                pieces[index].append(start..<file.count)
                parts[index].removeAll(keepingCapacity: true)
            }
        } catch let error as SystemError {
            throw InspectionError.noScratch(folder: folder.path, reason: error.description)
        }
        inMemory = 0
    }

    /// What is equal in the sets, of which the first is trained on.
    ///
    /// - Parameter setCount: how many there are.
    /// - Throws: `InspectionError` if the file can't be read.
    func repetitions(setCount: Int) throws -> [RowRepetitions] {
        let (parts, pieces, folder) = (self.parts, self.pieces, self.folder)
        // It is only read from now on.
        nonisolated(unsafe) let scratch = self.scratch
        let result = Mutex(
            Result<[RowRepetitions], any Error>.success(Array(repeating: RowRepetitions(), count: setCount)))
        DispatchQueue.concurrentPerform(iterations: parts.count) { index in
            let found = Result {
                var entries = parts[index]
                for piece in pieces[index] {
                    entries += try [RowEntry](unsafeUninitializedCapacity: piece.count / MemoryLayout<RowEntry>.stride) {
                        buffer, count in
                        try scratch?.read(into: UnsafeMutableRawBufferPointer(buffer), at: piece.lowerBound)
                        count = buffer.count
                    }
                }
                entries.sort(by: <)
                return RowRepetitions.of(entries, setCount: setCount)
            }
            result.withLock { all in
                all = all.flatMap { all in found.map { zip(all, $0).map { $0.merged(with: $1) } } }
            }
        }
        do {
            return try result.withLock { try $0.get() }
        } catch let error as SystemError {
            throw InspectionError.noScratch(folder: folder.path, reason: error.description)
        }
    }
}

/// What is equal to other rows of a set's rows.
struct RowRepetitions: Sendable, Equatable {
    /// How many places are kept.
    static let mostExamples = 3

    /// Rows that repeat an earlier row of the set.
    var rows = 0
    /// Different texts that stand in several rows of the set.
    var texts = 0
    /// Of these, those whose rows have different labels, and all of their rows.
    var conflictingTexts = 0
    var conflictingRows = 0
    /// Rows whose texts also stand in the training set, and the rows there.
    var shared = 0
    var sharedOfTrain = 0
    /// The first rows that are repeated, each with the row that repeats it first.
    var examples: [[RowPlace]] = []
    /// The first of them with different labels.
    var conflictExamples: [[RowPlace]] = []
    /// The first rows that the training set has, too, each with the first such row there.
    var sharedExamples: [[RowPlace]] = []

    /// - Parameter entries: all rows of some fingerprints, in order.
    static func of(_ entries: [RowEntry], setCount: Int) -> [RowRepetitions] {
        var result = [RowRepetitions](repeating: RowRepetitions(), count: setCount)
        var start = 0
        while start < entries.count {
            var end = start + 1
            while end < entries.count, entries[end].fingerprint == entries[start].fingerprint { end += 1 }
            if end > start + 1 { note(entries[start..<end], in: &result) }
            start = end
        }
        return result
    }

    /// - Parameter equal: all rows of the same texts.
    private static func note(_ equal: ArraySlice<RowEntry>, in result: inout [RowRepetitions]) {
        let train = equal.prefix { $0.set == 0 }
        var rest = equal
        while let first = rest.first {
            let own = rest.prefix { $0.set == first.set }
            rest = rest.dropFirst(own.count)
            let set = Int(first.set)
            if own.count > 1 {
                let pair = own.prefix(2).map(\.place)
                result[set].rows += own.count - 1
                result[set].texts += 1
                insert(pair, into: &result[set].examples)
                if let other = own.first(where: { $0.target != first.target }) {
                    result[set].conflictingTexts += 1
                    result[set].conflictingRows += own.count
                    insert([first.place, other.place], into: &result[set].conflictExamples)
                }
            }
            if set > 0, let trained = train.first {
                result[set].shared += own.count
                result[set].sharedOfTrain += train.count
                insert([first.place, trained.place], into: &result[set].sharedExamples)
            }
        }
    }

    /// Keeps the first ones.
    private static func insert(_ example: [RowPlace], into list: inout [[RowPlace]]) {
        if list.count == mostExamples, let last = list.last, last[0] < example[0] { return }
        list = Array((list + [example]).sorted { $0.lexicographicallyPrecedes($1) }.prefix(mostExamples))
    }

    /// What is equal in two parts of the rows that have no texts in common.
    func merged(with other: RowRepetitions) -> RowRepetitions {
        var result = self
        result.rows += other.rows
        result.texts += other.texts
        result.conflictingTexts += other.conflictingTexts
        result.conflictingRows += other.conflictingRows
        result.shared += other.shared
        result.sharedOfTrain += other.sharedOfTrain
        for example in other.examples { RowRepetitions.insert(example, into: &result.examples) }
        for example in other.conflictExamples { RowRepetitions.insert(example, into: &result.conflictExamples) }
        for example in other.sharedExamples { RowRepetitions.insert(example, into: &result.sharedExamples) }
        return result
    }
}
