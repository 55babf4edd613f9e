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
            var normalizer = TextNormalizer(characters: characters, output: NormalizedText())
            normalizer.normalize(text)
            return normalizer.output.bytes
        }
    }
}

/// Normalises texts into an output.
struct TextNormalizer<Output: NormalizerOutput> {
    /// A character of a combining class other than 0.
    private struct Mark {
        let order: UInt32
        let codePoint: UInt32
        /// False for an accent, which is stripped: it has a place among the marks for the spans' sake only.
        let isKept: Bool
        /// Whether it stands for a character of the text, and is not what follows the first character of one that was
        /// decomposed.
        let isFirst: Bool
    }

    let characters: CharacterTable.Pointers
    var output: Output
    /// The marks at the end of what is read, which are put in order when something else follows.
    private var marks: [Mark] = []
    private var keepsMark = false
    /// The spans of the text's characters that `marks` are made of, and of the last character before them.
    private var markSpans: [ByteSpan] = []
    private var spanBefore = ByteSpan(start: 0, end: 0)
    /// That of the character being read.
    private var span = ByteSpan(start: 0, end: 0)

    init(characters: CharacterTable.Pointers, output: Output) {
        self.characters = characters
        self.output = output
    }

    /// Appends a text's normalised form to the output, the spans counted from `start` on.
    mutating func normalize(_ text: UnsafeRawBufferPointer, start: Int32 = 0) {
        output.reserve(text.count)
        var position = 0
        while position < text.count {
            var length = 1
            span = ByteSpan(start: start &+ Int32(truncatingIfNeeded: position), end: 0)
            span.end = span.start &+ 1
            if text[position] < 0x80 {
                let action = characters.byteActions[Int(text[position])]
                if action >= CharacterTable.ByteAction.firstLetter {
                    if !marks.isEmpty { flushMarks() }
                    if Output.keepsSpans { spanBefore = span }
                    output.append(ascii: action, span)
                } else {
                    put(UInt32(text[position]))
                }
            } else if let (codePoint, count) = decodeMultibyte(text, at: position) {
                length = count
                span.end = span.start &+ Int32(truncatingIfNeeded: length)
                let isIdeograph = codePoint >= 0x3400 && Self.isIdeograph(codePoint)
                if isIdeograph { append(0x20) }
                put(codePoint)
                if isIdeograph { append(0x20) }
            }
            position += length
        }
        flushMarks()
    }

    private static func isIdeograph(_ codePoint: UInt32) -> Bool {
        let ranges = UnicodeTables.ideographs
        return stride(from: 0, to: ranges.count, by: 2).contains { (ranges[$0]...ranges[$0 + 1]).contains(codePoint) }
    }

    private mutating func put(_ codePoint: UInt32, isFirst: Bool = true) {
        let action = characters.action(of: codePoint)
        switch action.kind {
        case .letter, .isolated: append(codePoint)
        case .space: append(0x20)
        case .removed:
            if Output.keepsSpans { noteAccent(codePoint, isFirst) }
        case .barrier:
            flushMarks()
            spanBefore = span
        case .mapped: put(action.payload, isFirst: isFirst)
        case .decomposed:
            let first = Int(action.payload) + 1
            for index in first..<first + Int(characters.decompositions[first - 1]) {
                put(characters.decompositions[index], isFirst: isFirst && index == first)
            }
        case .syllable:
            flushMarks()
            forEachJamo(of: codePoint) { append($0) }
        case .mark:
            // The table's ranks and the classes give the same order; accents have a class only.
            let order = Output.keepsSpans ? Self.combiningClass(of: codePoint) : action.payload
            add(Mark(order: order, codePoint: codePoint, isKept: true, isFirst: isFirst))
        }
    }

    private mutating func append(_ codePoint: UInt32) {
        if !marks.isEmpty { flushMarks() }
        spanBefore = span
        output.append(codePoint, span)
    }

    private mutating func noteAccent(_ codePoint: UInt32, _ isFirst: Bool) {
        let order = Self.combiningClass(of: codePoint)
        // What cleaning removes is of class 0, and gone before marks are ordered.
        if order > 0 { add(Mark(order: order, codePoint: codePoint, isKept: false, isFirst: isFirst)) }
    }

    private mutating func add(_ mark: Mark) {
        marks.append(mark)
        if mark.isKept { keepsMark = true }
        if Output.keepsSpans, mark.isFirst { markSpans.append(span) }
    }

    /// Canonical order: by class, and of equal class as they came.
    ///
    /// The PyPI package `tokenizers` orders the marks without what it knows of where they come from: the first one is
    /// said to come from the text's first mark, and so on, stripped accents included.
    private mutating func flushMarks() {
        if marks.isEmpty { return }
        if keepsMark {
            var span = spanBefore
            var spans = markSpans.makeIterator()
            let ordered = marks.enumerated().sorted { ($0.element.order, $0.offset) < ($1.element.order, $1.offset) }
            for (_, mark) in ordered {
                if mark.isFirst, let next = spans.next() { span = next }
                if mark.isKept { output.append(mark.codePoint, span) }
            }
        }
        marks.removeAll(keepingCapacity: true)
        markSpans.removeAll(keepingCapacity: true)
        keepsMark = false
    }

    /// The canonical combining class of a character, or of the first that it decomposes to.
    private static func combiningClass(of codePoint: UInt32) -> UInt32 {
        switch codePoint {
        // The characters of class 0 that decompose to marks alone: to U+0F71 first.
        case 0xF73, 0xF75, 0xF81: 129
        default: UInt32(Unicode.Scalar(codePoint)?.properties.canonicalCombiningClass.rawValue ?? 0)
        }
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
