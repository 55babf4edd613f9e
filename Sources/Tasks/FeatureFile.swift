import Files

/// A cache file that is cut off, altered, or of another kind or version.
struct DamagedFile: Error {
    let reason: String
}

/// The layout of a cache file: a header; one record an example; 32-bit words, of each example its input ids, each an
/// `Int32`, and then, where its target has several numbers, these, each a `Float`. Header and records are 64-bit words in
/// the machine's byte order.
///
/// `capacity` records are laid out before the examples are counted; those that damaged rows leave unused are zero.
enum FeatureFile {
    /// "CAMTLFEA" in memory on a little-endian machine.
    static let magic: UInt64 = 0x4145_464C_544D_4143
    /// To be raised whenever the layout changes, or what reading and tokenizing make of the same bytes.
    static let version: UInt64 = 3

    static func recordOffset(_ index: Int) -> Int { Header.size + index * Record.size }

    static func wordsOffset(capacity: Int) -> Int { recordOffset(capacity) }

    /// A hash of the file after its first word: of the pieces that `MappedFile` cuts it into, and then of those hashes.
    /// A single changed word always changes it.
    static func checksum(_ file: MappedFile) -> UInt64 {
        combined(file.mapPieces(hash), size: file.count)
    }

    fileprivate static func combined(_ pieces: [UInt64], size: Int) -> UInt64 {
        pieces.reduce(UInt64(size), mixed)
    }

    /// The hash of a piece, word by word, without the file's first word.
    @Sendable fileprivate static func hash(_ offset: Int, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let size = MemoryLayout<UInt64>.size
        var hash = UInt64(bytes.count)
        var place = offset == 0 ? size : 0
        while place + size <= bytes.count {
            hash = mixed(hash, bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += size
        }
        return mixed(hash, bytes.dropFirst(place).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// h ← (h ⊕ word)·odd, h ← h ⊕ (h ≫ 32). Each step can be undone, so that another word gives another result.
    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        return product ^ (product >> 32)
    }
}

extension FeatureFile {
    struct Header: Equatable {
        static let size = 12 * MemoryLayout<UInt64>.size

        /// The hash of all that the features depend on: four words.
        var key: [UInt64]
        var count: Int
        /// The number of records laid out.
        var capacity: Int
        /// The number of 32-bit words of all examples together.
        var wordCount: Int
        var skippedRows: Int
        var hasLabels: Bool
    }

    /// An example without its ids.
    struct Record {
        static let size = 4 * MemoryLayout<UInt64>.size

        /// The index of its first word among those of all examples.
        var offset: Int
        var length: Int
        /// The number of its ids that have token type 0.
        var firstSegmentLength: Int
        var line: Int
        /// The target where it is one number; NaN in a file without labels.
        var label: Float
        /// How many numbers the target has where it is several, after the ids.
        var targetCount: Int
    }
}

extension FeatureFile.Header {
    /// - Parameter checksum: of the file with these words in it; 0 while it isn't known.
    func words(checksum: UInt64) -> [UInt64] {
        [checksum, FeatureFile.magic, FeatureFile.version] + key
            + [count, capacity, wordCount, skippedRows].map { UInt64($0) } + [hasLabels ? 1 : 0]
    }

    /// The header of a file all of whose bytes are checked.
    ///
    /// - Parameters:
    ///   - file: the whole file.
    ///   - key: what it is to be a file of.
    ///   - labels: what the examples' labels are; nil for a file without.
    /// - Throws: `DamagedFile`.
    init(checking file: MappedFile, key: [UInt64], labels: (any TaskKind)?) throws {
        guard file.count >= Self.size else { throw DamagedFile(reason: "it is cut off in its header") }
        let words = file.withBytes { bytes in
            (0..<Self.size / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
        guard words[1] == FeatureFile.magic, words[2] == FeatureFile.version, Array(words[3..<7]) == key else {
            throw DamagedFile(reason: "its header is not that of a feature file of its name")
        }
        // No number can exceed the file's size, so that none of the sums below overflows.
        let sizes = words[7..<11].compactMap { Int(exactly: $0) }.filter { $0 <= file.count }
        guard sizes.count == 4, sizes[0] > 0, sizes[0] <= sizes[1],
            file.count == FeatureFile.wordsOffset(capacity: sizes[1]) + sizes[2] * MemoryLayout<Int32>.size
        else { throw DamagedFile(reason: "its size is not that of its contents: it was cut off or altered") }
        guard words[11] == (labels == nil ? 0 : 1) else {
            throw DamagedFile(reason: "whether its examples have labels is not as in the file it was made from")
        }
        let header = Self(
            key: key, count: sizes[0], capacity: sizes[1], wordCount: sizes[2], skippedRows: sizes[3],
            hasLabels: labels != nil)
        let pieces = file.mapPieces { offset, bytes in
            (hash: FeatureFile.hash(offset, bytes), wrong: header.wrongRecord(in: bytes, at: offset, labels))
        }
        guard words[0] == FeatureFile.combined(pieces.map(\.hash), size: file.count) else {
            throw DamagedFile(reason: "its checksum is wrong: it was cut off or altered")
        }
        if let index = pieces.lazy.compactMap(\.wrong).first {
            throw DamagedFile(reason: "its record of example \(index) points outside it, or has no label of the task's")
        }
        self = header
    }

    /// The first example whose record lies in a piece of the file and points outside the words, or whose target can be
    /// none. No record lies in two pieces: header, records and pieces are all multiples of a record's size.
    private func wrongRecord(in bytes: UnsafeRawBufferPointer, at offset: Int, _ labels: (any TaskKind)?) -> Int? {
        let size = FeatureFile.Record.size
        let first = max(0, (offset - Self.size) / size)
        let end = min(count, (offset + bytes.count - Self.size) / size)
        return (first..<max(first, end)).first { index in
            let record = FeatureFile.Record(bytes, at: FeatureFile.recordOffset(index) - offset)
            return record.offset < 0 || record.offset > wordCount
                || record.length + record.targetCount > wordCount - record.offset
                || record.firstSegmentLength > record.length || labels?.allows(record) == false
        }
    }
}

extension FeatureFile.Record {
    var words: [UInt64] {
        [
            UInt64(offset), UInt64(line), UInt64(length) << 32 | UInt64(firstSegmentLength),
            UInt64(targetCount) << 32 | UInt64(label.bitPattern),
        ]
    }

    /// The record at a place in bytes of a file.
    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        func word(_ position: Int) -> UInt64 {
            bytes.loadUnaligned(fromByteOffset: offset + position * 8, as: UInt64.self)
        }
        self.init(
            offset: Int(truncatingIfNeeded: word(0)), length: Int(word(2) >> 32),
            firstSegmentLength: Int(word(2) & 0xFFFF_FFFF), line: Int(truncatingIfNeeded: word(1)),
            label: Float(bitPattern: UInt32(truncatingIfNeeded: word(3))), targetCount: Int(word(3) >> 32))
    }
}

extension TaskKind {
    /// Whether a record's target can be one of this kind: one number, or as many as the kind's targets have.
    fileprivate func allows(_ record: FeatureFile.Record) -> Bool {
        hasScalarTarget ? record.targetCount == 0 && isTarget(record.label) : record.targetCount == targetWidth
    }
}
