import Files

/// A cache file that is cut off, altered, or of another kind or version.
struct DamagedFile: Error {
    let reason: String
}

/// The layout of a cache file: a header; 32-bit words, of each example its input ids, each an `Int32`, and then, where it
/// has more than these and a number for its target, what else is known of it, as ``extras(of:)`` has it; zeros up to a
/// whole record; one record an example. Header and records are 64-bit words in the machine's byte order.
enum FeatureFile {
    /// "CAMTLFEA" in memory on a little-endian machine.
    static let magic: UInt64 = 0x4145_464C_544D_4143
    /// To be raised whenever the layout changes, or what reading and tokenizing make of the same bytes.
    static let version: UInt64 = 4

    static func wordOffset(_ index: Int) -> Int { Header.size + index * MemoryLayout<Int32>.size }

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
        /// The number of 32-bit words of all examples together.
        var wordCount: Int
        var skippedRows: Int
        var hasLabels: Bool

        /// The place of an example's record.
        func recordOffset(_ index: Int) -> Int {
            let size = Record.size
            return (FeatureFile.wordOffset(wordCount) + size - 1) / size * size + index * size
        }
    }

    /// An example without its ids.
    struct Record {
        static let size = 4 * MemoryLayout<UInt64>.size

        /// The index of its first word among those of all examples.
        var offset: Int
        /// Its ids, of all its sequences.
        var length: Int
        /// The number of ids of its first sequence that have token type 0.
        var firstSegmentLength: Int
        var line: Int
        /// The target where it is one number; NaN in a file without labels.
        var label: Float
        /// How many words after the ids say more of it; 0 where the label is all that there is.
        var extraCount: Int
    }
}

extension FeatureFile.Header {
    /// - Parameter checksum: of the file with these words in it; 0 while it isn't known.
    func words(checksum: UInt64) -> [UInt64] {
        [checksum, FeatureFile.magic, FeatureFile.version] + key
            + [count, wordCount, skippedRows].map { UInt64($0) } + [hasLabels ? 1 : 0, 0]
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
        let sizes = words[7..<10].compactMap { Int(exactly: $0) }.filter { $0 <= file.count }
        guard sizes.count == 3, sizes[0] > 0 else {
            throw DamagedFile(reason: "its size is not that of its contents: it was cut off or altered")
        }
        let header = Self(
            key: key, count: sizes[0], wordCount: sizes[1], skippedRows: sizes[2], hasLabels: labels != nil)
        guard file.count == header.recordOffset(header.count) else { throw DamagedFile(reason: "its size is not that of its contents: it was cut off or altered") }
        guard words[10] == (labels == nil ? 0 : 1) else {
            throw DamagedFile(reason: "whether its examples have labels is not as in the file it was made from")
        }
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
        let start = recordOffset(0)
        let first = max(0, (offset - start) / size)
        let end = min(count, (offset + bytes.count - start) / size)
        return (first..<max(first, end)).first { index in
            let record = FeatureFile.Record(bytes, at: recordOffset(index) - offset)
            return record.offset < 0 || record.offset > wordCount
                || record.length + record.extraCount > wordCount - record.offset
                || record.firstSegmentLength > record.length || record.extraCount == 0 && labels?.allowsLabel(record.label) == false
        }
    }
}

extension FeatureFile.Record {
    var words: [UInt64] {
        [
            UInt64(offset), UInt64(line), UInt64(length) << 32 | UInt64(firstSegmentLength),
            UInt64(extraCount) << 32 | UInt64(label.bitPattern),
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
            label: Float(bitPattern: UInt32(truncatingIfNeeded: word(3))), extraCount: Int(word(3) >> 32))
    }
}

extension TaskKind {
    /// Whether an example can have this number and nothing else for its label.
    fileprivate func allowsLabel(_ label: Float) -> Bool { allows(ExampleMarks(target: [label]), lengths: [1]) }
}

// MARK: - What else is known of an example

extension FeatureFile {
    /// What the words after an example's ids say.
    struct Extras: Equatable {
        /// Of each sequence its ids, and those of them that have token type 0.
        var sequences: [(length: Int, firstSegmentLength: Int)]
        var marks: ExampleMarks

        static func == (a: Extras, b: Extras) -> Bool {
            a.marks == b.marks && a.sequences.elementsEqual(b.sequences, by: ==)
        }
    }

    /// The words after an example's ids; none where it is one sequence and its target at most one number.
    static func extras(of example: EncodedExample) -> [Int32] {
        let marks = example.marks
        if example.sequences.count == 1, marks == ExampleMarks(target: Array(marks.target.prefix(1))) { return [] }
        var words = [Int32(example.sequences.count)]
        for sequence in example.sequences {
            words += [Int32(sequence.inputIDs.count), Int32(sequence.firstSegmentLength)]
        }
        words += [marks.isContinuation ? 1 : 0, Int32(marks.target.count)]
        words += marks.target.map { Int32(bitPattern: $0.bitPattern) }
        words += [Int32(marks.alignment.count)] + marks.alignment + [Int32(marks.texts.count)]
        for text in marks.texts {
            words.append(Int32(text.count))
            for start in stride(from: 0, to: text.count, by: 4) {
                let word = text[start..<min(start + 4, text.count)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
                words.append(Int32(bitPattern: word))
            }
        }
        return words
    }
}

extension FeatureFile.Extras {
    /// - Returns: nil if the words are not as ``FeatureFile/extras(of:)`` makes them for sequences of `length` ids.
    init?(_ words: UnsafeRawBufferPointer, length: Int) {
        let size = MemoryLayout<Int32>.size
        var place = 0
        func next() -> Int32? {
            guard place + size <= words.count else { return nil }
            defer { place += size }
            return words.loadUnaligned(fromByteOffset: place, as: Int32.self)
        }
        func count(of width: Int = 1) -> Int? {
            guard let number = next(), number >= 0, Int(number) <= (words.count - place) / (width * size) else { return nil }
            return Int(number)
        }
        guard let sequenceCount = count(of: 2), sequenceCount > 0 else { return nil }
        sequences = []
        for _ in 0..<sequenceCount {
            guard let length = next(), let first = next(), 0 <= first, first <= length else { return nil }
            sequences.append((Int(length), Int(first)))
        }
        guard sequences.reduce(0, { $0 + $1.length }) == length, let flag = next(), (0...1).contains(flag),
            let targets = count()
        else { return nil }
        let target = (0..<targets).compactMap { _ in next().map { Float(bitPattern: UInt32(bitPattern: $0)) } }
        guard let alignments = count() else { return nil }
        let alignment = (0..<alignments).compactMap { _ in next() }
        guard let textCount = count() else { return nil }
        var texts: [[UInt8]] = []
        for _ in 0..<textCount {
            guard let bytes = next(), bytes >= 0, (Int(bytes) + size - 1) / size <= (words.count - place) / size else {
                return nil
            }
            texts.append(Array(words[place..<place + Int(bytes)]))
            place += (Int(bytes) + size - 1) / size * size
        }
        guard place == words.count else { return nil }
        marks = ExampleMarks(target: target, alignment: alignment, texts: texts, isContinuation: flag == 1)
    }
}
