extension CharacterTable {
    /// A text as BERT's normalisation leaves it, before it is split: cleaned, Chinese characters between spaces, and
    /// with the uncased table without accents and in lower case.
    func normalized(_ text: String) -> [UInt8] {
        var text = text
        return text.withUTF8 { normalized(UnsafeRawBufferPointer($0)) }
    }

    /// The same of UTF-8. Bytes that are not UTF-8 are left out.
    func normalized(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        withPointers { characters in
            var normalizer = TextNormalizer(characters: characters)
            return normalizer.normalize(text)
        }
    }
}

private struct TextNormalizer {
    let characters: CharacterTable.Pointers
    private var output: [UInt8] = []
    /// The marks at the end of what is read, which are put in order when something else follows.
    private var marks: [(rank: UInt32, codePoint: UInt32)] = []

    init(characters: CharacterTable.Pointers) {
        self.characters = characters
    }

    mutating func normalize(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        output.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            if text[position] < 0x80 {
                put(UInt32(text[position]))
                position += 1
            } else if let (codePoint, length) = decodeMultibyte(text, at: position) {
                let isIdeograph = codePoint >= 0x3400 && Self.isIdeograph(codePoint)
                if isIdeograph { append(0x20) }
                put(codePoint)
                if isIdeograph { append(0x20) }
                position += length
            } else {
                position += 1
            }
        }
        flushMarks()
        return output
    }

    private static func isIdeograph(_ codePoint: UInt32) -> Bool {
        let ranges = UnicodeTables.ideographs
        return stride(from: 0, to: ranges.count, by: 2).contains { (ranges[$0]...ranges[$0 + 1]).contains(codePoint) }
    }

    private mutating func put(_ codePoint: UInt32) {
        let action = characters.action(of: codePoint)
        switch action.kind {
        case .letter, .isolated: append(codePoint)
        case .space: append(0x20)
        case .removed: break
        case .barrier: flushMarks()
        case .mapped: put(action.payload)
        case .decomposed:
            let first = Int(action.payload) + 1
            for index in first..<first + Int(characters.decompositions[first - 1]) {
                put(characters.decompositions[index])
            }
        case .syllable:
            flushMarks()
            forEachJamo(of: codePoint) { append($0) }
        case .mark: marks.append((action.payload, codePoint))
        }
    }

    private mutating func append(_ codePoint: UInt32) {
        if !marks.isEmpty { flushMarks() }
        if let scalar = Unicode.Scalar(codePoint) { output.append(contentsOf: scalar.utf8) }
    }

    /// Canonical order: by rank, and of equal rank as they came.
    private mutating func flushMarks() {
        if marks.isEmpty { return }
        let ordered = marks.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
        marks.removeAll(keepingCapacity: true)
        for (_, mark) in ordered { append(mark.codePoint) }
    }
}

/// The arithmetic decomposition of a Hangul syllable: The Unicode Standard, section 3.12.
@inline(__always)
func forEachJamo(of syllable: UInt32, _ body: (UInt32) -> Void) {
    let vowels: UInt32 = 21
    let trailingConsonants: UInt32 = 28
    let index = syllable - 0xAC00
    body(0x1100 + index / (vowels * trailingConsonants))
    body(0x1161 + index / trailingConsonants % vowels)
    if index % trailingConsonants != 0 { body(0x11A7 + index % trailingConsonants) }
}
