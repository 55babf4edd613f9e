/// What BERT's normalisation and splitting do with each character: one table for cased text, one for uncased.
///
/// The steps it stands for are, in order: cleaning (control characters go, every white space becomes a space), setting
/// Chinese characters apart, and for uncased text canonical decomposition, removal of nonspacing marks and lower case;
/// then splitting at spaces and around punctuation. All but the ordering of marks work on one character at a time, so
/// their composition is a table; `tokenizer_tables.py` checks it against the package that defines it.
struct CharacterTable: Sendable {
    /// What becomes of a character, and with what.
    struct Action: Equatable {
        enum Kind: UInt32 {
            /// Part of a word, as it is.
            case letter
            /// Dropped without trace.
            case removed
            /// The end of a word.
            case space
            /// A word of its own.
            case isolated
            /// Replaced by the character `payload`, whose own action follows.
            case mapped
            /// Replaced by the characters that follow their count, `decompositions[payload]`, each with its own action.
            case decomposed
            /// A Hangul syllable, replaced by its letters.
            case syllable
            /// Part of a word, put before the marks directly preceding it whose rank is above `payload`.
            case mark
            /// Dropped, but no mark moves across its place.
            case barrier
        }

        var bits: UInt32

        init(_ kind: Kind, payload: UInt32 = 0) {
            bits = kind.rawValue | payload << 4
        }

        @inline(__always) var kind: Kind { Kind(rawValue: bits & 0xF) ?? .letter }
        @inline(__always) var payload: UInt32 { bits >> 4 }
    }

    /// What becomes of a byte, when it is not the letter or digit to put into the word, which is above all of these.
    enum ByteAction {
        static let removed: UInt8 = 0
        static let space: UInt8 = 1
        static let isolated: UInt8 = 2
        static let bracket: UInt8 = 3
        static let multibyte: UInt8 = 4
        static let firstLetter = UInt8(ascii: "0")
    }

    static let cased = CharacterTable(isUncased: false)
    static let uncased = CharacterTable(isUncased: true)

    /// For each block of 256 code points, where its actions start.
    private var blocks = [UInt32](repeating: 0, count: 0x1100)
    private var actions = [Action](repeating: Action(.letter), count: 256)
    /// The source, the count and the characters of each decomposition.
    private let decompositions = UnicodeTables.decompositions
    /// What becomes of a text's bytes: `ByteAction`.
    private var byteActions = [UInt8](repeating: ByteAction.multibyte, count: 256)

    /// The blocks that stand for several blocks of code points: copied before one code point's action is changed.
    private var sharedStarts: Set<UInt32> = [0]

    private init(isUncased: Bool) {
        set(UnicodeTables.punctuation, to: Action(.isolated))
        set(UnicodeTables.ideographs, to: Action(.isolated))
        if isUncased {
            set([0xAC00, 0xD7A3], to: Action(.syllable))
            set(UnicodeTables.strippedMarks, to: Action(.removed))
            set(UnicodeTables.strippedStarters, to: Action(.barrier))
            setMarks()
            setMappings()
            setDecompositions()
        }
        set(UnicodeTables.whitespace, to: Action(.space))
        set(UnicodeTables.removed, to: Action(.removed))
        for byte in UInt8(0)..<128 {
            byteActions[Int(byte)] = byteAction(of: byte)
        }
    }

    /// The tables' elements, valid within `withPointers`.
    struct Pointers {
        let byteActions: UnsafeBufferPointer<UInt8>
        let decompositions: UnsafeBufferPointer<UInt32>
        fileprivate let blocks: UnsafeBufferPointer<UInt32>
        fileprivate let actions: UnsafeBufferPointer<Action>

        /// The action of a code point below 0x110000.
        @inline(__always) func action(of codePoint: UInt32) -> Action {
            actions[Int(blocks[Int(codePoint >> 8)] + codePoint & 0xFF)]
        }
    }

    func withPointers<Result>(_ body: (Pointers) -> Result) -> Result {
        byteActions.withUnsafeBufferPointer { byteActions in
            decompositions.withUnsafeBufferPointer { decompositions in
                blocks.withUnsafeBufferPointer { blocks in
                    actions.withUnsafeBufferPointer { actions in
                        body(
                            Pointers(
                                byteActions: byteActions, decompositions: decompositions, blocks: blocks,
                                actions: actions))
                    }
                }
            }
        }
    }

    private func byteAction(of byte: UInt8) -> UInt8 {
        let action = withPointers { $0.action(of: UInt32(byte)) }
        switch action.kind {
        case .letter: return byte
        case .mapped: return UInt8(action.payload)
        case .space: return ByteAction.space
        case .isolated: return byte == UInt8(ascii: "[") ? ByteAction.bracket : ByteAction.isolated
        case .removed, .barrier, .mark, .decomposed, .syllable: return ByteAction.removed
        }
    }

    private mutating func set(_ codePoint: UInt32, to action: Action) {
        let block = Int(codePoint >> 8)
        if sharedStarts.contains(blocks[block]) {
            let start = Int(blocks[block])
            blocks[block] = UInt32(actions.count)
            actions.append(contentsOf: Array(actions[start..<start + 256]))
        }
        actions[Int(blocks[block] + codePoint & 0xFF)] = action
    }

    /// Sets the ranges first, last, first, last, ...; the whole blocks of one range share their actions.
    private mutating func set(_ ranges: [UInt32], to action: Action) {
        for start in stride(from: 0, to: ranges.count, by: 2) {
            var codePoint = ranges[start]
            let last = ranges[start + 1]
            var shared: UInt32?
            while codePoint <= last {
                guard codePoint & 0xFF == 0, codePoint + 0xFF <= last else {
                    set(codePoint, to: action)
                    codePoint += 1
                    continue
                }
                let sharedStart = shared ?? UInt32(actions.count)
                if shared == nil {
                    shared = sharedStart
                    sharedStarts.insert(sharedStart)
                    actions.append(contentsOf: repeatElement(action, count: 256))
                }
                blocks[Int(codePoint >> 8)] = sharedStart
                codePoint += 0x100
            }
        }
    }

    private mutating func setMarks() {
        let table = UnicodeTables.orderedMarks
        for start in stride(from: 0, to: table.count, by: 3) {
            for codePoint in table[start]...table[start + 1] {
                set(codePoint, to: Action(.mark, payload: table[start + 2]))
            }
        }
    }

    private mutating func setMappings() {
        let table = UnicodeTables.mappings
        var start = 0
        while start < table.count {
            let first = table[start]
            for offset in 0..<table[start + 1] where table[start + 2 + Int(offset)] != first + offset {
                set(first + offset, to: Action(.mapped, payload: table[start + 2 + Int(offset)]))
            }
            start += 2 + Int(table[start + 1])
        }
    }

    /// The payload is the place of the decomposition's count, which its characters follow.
    private mutating func setDecompositions() {
        var start = 0
        while start < decompositions.count {
            set(decompositions[start], to: Action(.decomposed, payload: UInt32(start + 1)))
            start += 2 + Int(decompositions[start + 1])
        }
    }
}
