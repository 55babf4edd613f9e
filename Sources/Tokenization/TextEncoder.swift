/// Turns the bytes of one text into the ids of its word pieces, in one pass.
///
/// Lives within the scope of the buffers it points into, so that the loop over the bytes touches no reference count and
/// allocates nothing.
struct TextEncoder {
    /// Words of more characters become the unknown token, as in the original BERT.
    static let longestWord = 100

    /// Room for one word.
    struct Scratch {
        let word: UnsafeMutableBufferPointer<UInt8>
        let markRanks: UnsafeMutableBufferPointer<UInt8>
    }

    private typealias ByteAction = CharacterTable.ByteAction

    private let trie: VocabularyTrie.Pointers
    private let continuation: VocabularyTrie.Node
    private let specialTokens: SpecialTokens
    private let characters: CharacterTable.Pointers
    private let ids: UnsafeMutableBufferPointer<Int32>
    private var count = 0
    /// The current word, normalised; only its first `longestWord` characters are kept.
    private let word: UnsafeMutableBufferPointer<UInt8>
    private var wordBytes = 0
    private var wordCharacters = 0
    /// The ranks of the marks at the word's end.
    private let markRanks: UnsafeMutableBufferPointer<UInt8>
    private var markCount = 0

    /// `continuation` is the node of `##`, below which lie the pieces that continue a word; `ids` takes the ids.
    init(
        trie: VocabularyTrie.Pointers, continuation: VocabularyTrie.Node, specialTokens: SpecialTokens,
        characters: CharacterTable.Pointers, scratch: Scratch, ids: UnsafeMutableBufferPointer<Int32>
    ) {
        self.trie = trie
        self.continuation = continuation
        self.specialTokens = specialTokens
        self.characters = characters
        self.ids = ids
        word = scratch.word
        markRanks = scratch.markRanks
    }

    static func withScratch<Result>(_ body: (Scratch) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: longestWord * 4) { word in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: longestWord) { markRanks in
                body(Scratch(word: word, markRanks: markRanks))
            }
        }
    }

    /// Writes the ids of the text's pieces into `ids` until it is full, and returns how many there are.
    mutating func encode(_ text: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while position < text.count, count < ids.count {
            var action = characters.byteActions[Int(text[position])]
            if action >= ByteAction.firstLetter {
                markCount = 0
                repeat {
                    append(action)
                    position += 1
                    if position == text.count { break }
                    action = characters.byteActions[Int(text[position])]
                } while action >= ByteAction.firstLetter
                continue
            }
            switch action {
            case ByteAction.space:
                endWord()
                position += 1
            case ByteAction.isolated:
                encodeIsolated(text[position])
                position += 1
            case ByteAction.bracket:
                position += encodeBracket(text, at: position)
            case ByteAction.multibyte:
                position += encodeMultibyte(text, at: position)
            default:
                position += 1
            }
        }
        endWord()
        return min(count, ids.count)
    }
}

// MARK: - Characters

extension TextEncoder {
    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        if wordCharacters < Self.longestWord {
            word[wordBytes] = byte
            wordBytes += 1
        }
        wordCharacters += 1
    }

    private mutating func encodeIsolated(_ byte: UInt8) {
        endWord()
        append(byte)
        endWord()
    }

    /// A special token, which its text stands for wherever it occurs, else punctuation; returns the bytes read.
    private mutating func encodeBracket(_ text: UnsafeRawBufferPointer, at start: Int) -> Int {
        var node = trie.root
        var position = start
        while position < text.count, node.bits != VocabularyTrie.Node.none.bits {
            let byte = text[position]
            node = node.child(along: byte, in: trie.nodes)
            position += 1
            if byte == UInt8(ascii: "]") { break }
        }
        guard let id = node.id, text[position - 1] == UInt8(ascii: "]"), specialTokens.contains(id) else {
            encodeIsolated(text[start])
            return 1
        }
        endWord()
        emit(id)
        return position - start
    }

    /// A character of several bytes; returns the bytes read. Bytes that are not UTF-8 are dropped one at a time, as
    /// the replacement character that would stand for them is.
    private mutating func encodeMultibyte(_ text: UnsafeRawBufferPointer, at start: Int) -> Int {
        guard let (codePoint, length) = decodeMultibyte(text, at: start) else { return 1 }
        encode(codePoint)
        return length
    }

    private mutating func encode(_ codePoint: UInt32) {
        let action = characters.action(of: codePoint)
        switch action.kind {
        case .letter:
            markCount = 0
            append(codePoint)
        case .removed:
            break
        case .space:
            endWord()
        case .isolated:
            endWord()
            append(codePoint)
            endWord()
        case .mapped:
            encode(action.payload)
        case .decomposed:
            let first = Int(action.payload) + 1
            for index in first..<first + Int(characters.decompositions[first - 1]) {
                encode(characters.decompositions[index])
            }
        case .syllable:
            markCount = 0
            appendSyllable(codePoint)
        case .mark:
            appendMark(codePoint, rank: UInt8(truncatingIfNeeded: action.payload))
        case .barrier:
            markCount = 0
        }
    }

    private mutating func append(_ codePoint: UInt32) {
        if wordCharacters < Self.longestWord {
            wordBytes += write(codePoint, at: wordBytes)
        }
        wordCharacters += 1
    }

    private mutating func appendSyllable(_ codePoint: UInt32) {
        forEachJamo(of: codePoint) { append($0) }
    }

    /// Appends a mark in canonical order: before the marks of higher rank that directly precede it.
    private mutating func appendMark(_ codePoint: UInt32, rank: UInt8) {
        guard wordCharacters < Self.longestWord else {
            wordCharacters += 1
            return
        }
        var index = markCount
        var place = wordBytes
        while index > 0, markRanks[index - 1] > rank {
            index -= 1
            repeat { place -= 1 } while word[place] & 0xC0 == 0x80
        }
        let length = UTF8.width(Unicode.Scalar(codePoint) ?? "\u{FFFD}")
        for byte in stride(from: wordBytes - 1, through: place, by: -1) { word[byte + length] = word[byte] }
        for mark in stride(from: markCount - 1, through: index, by: -1) { markRanks[mark + 1] = markRanks[mark] }
        wordBytes += write(codePoint, at: place)
        markRanks[index] = rank
        markCount += 1
        wordCharacters += 1
    }

    /// Writes a character as UTF-8 into the word and returns its length.
    private func write(_ codePoint: UInt32, at place: Int) -> Int {
        func byte(_ marker: UInt32, _ shift: UInt32, _ mask: UInt32) -> UInt8 {
            UInt8(truncatingIfNeeded: marker | codePoint >> shift & mask)
        }
        switch codePoint {
        case ..<0x80:
            word[place] = byte(0, 0, 0x7F)
            return 1
        case ..<0x800:
            word[place] = byte(0xC0, 6, 0x1F)
            word[place + 1] = byte(0x80, 0, 0x3F)
            return 2
        case ..<0x10000:
            word[place] = byte(0xE0, 12, 0x0F)
            word[place + 1] = byte(0x80, 6, 0x3F)
            word[place + 2] = byte(0x80, 0, 0x3F)
            return 3
        default:
            word[place] = byte(0xF0, 18, 0x07)
            word[place + 1] = byte(0x80, 12, 0x3F)
            word[place + 2] = byte(0x80, 6, 0x3F)
            word[place + 3] = byte(0x80, 0, 0x3F)
            return 4
        }
    }
}

/// The character of two to four bytes at `start`, and its length; nil when the bytes there are not UTF-8.
func decodeMultibyte(_ text: UnsafeRawBufferPointer, at start: Int) -> (codePoint: UInt32, length: Int)? {
    let lead = text[start]
    let length = lead.leadingOneBitCount
    guard 2...4 ~= length, length <= text.count - start else { return nil }
    var codePoint = UInt32(lead) & (0x7F >> UInt32(length))
    for position in start + 1..<start + length {
        guard text[position] & 0xC0 == 0x80 else { return nil }
        codePoint = codePoint << 6 | UInt32(text[position]) & 0x3F
    }
    let shortest: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
    guard codePoint >= shortest, codePoint <= 0x10FFFF, codePoint >> 11 != 0x1B else { return nil }
    return (codePoint, length)
}

extension UInt8 {
    fileprivate var leadingOneBitCount: Int { (~self).leadingZeroBitCount }
}

// MARK: - Words

extension TextEncoder {
    private mutating func emit(_ id: Int32) {
        if count < ids.count { ids[count] = id }
        count += 1
    }

    /// Cuts the word into the longest pieces from its start on, or makes it the unknown token where that fails.
    private mutating func endWord() {
        guard wordCharacters > 0 else { return markCount = 0 }
        let wordStart = count
        var start = 0
        if wordCharacters > Self.longestWord {
            emit(specialTokens.unknown)
            start = wordBytes
        }
        var root = trie.root
        while start < wordBytes {
            guard let (id, end) = longestPiece(from: start, below: root) else {
                count = wordStart
                emit(specialTokens.unknown)
                break
            }
            emit(id)
            start = end
            root = continuation
        }
        wordBytes = 0
        wordCharacters = 0
        markCount = 0
    }

    @inline(__always)
    private func longestPiece(from start: Int, below root: VocabularyTrie.Node) -> (id: Int32, end: Int)? {
        var longest: (id: Int32, end: Int)?
        var node = root
        var position = start
        while position < wordBytes {
            node = node.child(along: word[position], in: trie.nodes)
            if node.bits == VocabularyTrie.Node.none.bits { break }
            position += 1
            if let id = node.id { longest = (id, position) }
        }
        return longest
    }
}
