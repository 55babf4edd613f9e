/// Cuts texts into word pieces that know where they come from.
///
/// Where `TextEncoder` does all in one pass, this normalises first, as the PyPI package `tokenizers` does, since a
/// piece's place in the text follows from what normalisation made of each of its characters.
///
/// Lives within the scope of the buffers it points into.
struct PieceFinder {
    let trie: VocabularyTrie.Pointers
    /// The node of `##`, below which lie the pieces that continue a word.
    let continuation: VocabularyTrie.Node
    let unknown: Int32
    /// What is done with the characters of a normalised text: the table for cased text.
    let characters: CharacterTable.Pointers
    let addedTokens: AddedTokens

    private(set) var pieces = TokenizedText()
    private var normalizer: TextNormalizer<AlignedText>
    private var word: Int32 = 0
    /// The number of all words, where they are given apart.
    private var fixedWord: Int32?

    /// - Parameters:
    ///   - textCharacters: what is done with the characters of a text.
    ///   - characters: the table for cased text.
    ///   - count: the number of pieces that there will be, about.
    init(
        trie: VocabularyTrie.Pointers, continuation: VocabularyTrie.Node, unknown: Int32,
        textCharacters: CharacterTable.Pointers, characters: CharacterTable.Pointers, addedTokens: AddedTokens,
        reserving count: Int
    ) {
        self.trie = trie
        self.continuation = continuation
        self.unknown = unknown
        self.characters = characters
        self.addedTokens = addedTokens
        normalizer = TextNormalizer(characters: textCharacters, output: AlignedText())
        pieces.reserve(count)
    }

    /// Appends a text's pieces.
    ///
    /// - Parameter word: the number of all its words; nil to count them on.
    mutating func append(_ text: UnsafeRawBufferPointer, word fixedWord: Int32? = nil) {
        self.fixedWord = fixedWord
        let addedTokens = addedTokens
        addedTokens.splitText(text) { id, range in
            append(id, ByteSpan(start: Int32(range.lowerBound), end: Int32(range.upperBound)))
            endWord()
        } piece: { range in
            normalizer.output.removeAll()
            normalizer.normalize(UnsafeRawBufferPointer(rebasing: text[range]), start: Int32(range.lowerBound))
            let normalized = normalizer.output
            normalized.bytes.withUnsafeBytes { bytes in
                normalized.spans.withUnsafeBufferPointer { spans in
                    addedTokens.splitNormalized(bytes) { id, range in
                        append(id, Self.span(of: range, spans))
                        endWord()
                    } piece: { range in
                        cut(
                            UnsafeRawBufferPointer(rebasing: bytes[range]),
                            UnsafeBufferPointer(rebasing: spans[range]))
                    }
                }
            }
        }
    }

    private mutating func append(_ id: Int32, _ span: ByteSpan) {
        pieces.ids.append(id)
        pieces.starts.append(span.start)
        pieces.ends.append(span.end)
        pieces.words.append(fixedWord ?? word)
    }

    private mutating func endWord() { word &+= 1 }

    @inline(__always)
    private static func span(of range: Range<Int>, _ spans: UnsafeBufferPointer<ByteSpan>) -> ByteSpan {
        ByteSpan(start: spans[range.lowerBound].start, end: spans[range.upperBound - 1].end)
    }
}

// MARK: - Words

extension PieceFinder {
    /// Cuts a normalised text into words and these into pieces. Nothing in it is dropped or replaced any more.
    private mutating func cut(_ text: UnsafeRawBufferPointer, _ spans: UnsafeBufferPointer<ByteSpan>) {
        var start = 0
        var characterCount = 0
        var position = 0
        while position < text.count {
            let (kind, length) = character(of: text, at: position)
            switch kind {
            case .space, .isolated:
                appendWord(start..<position, characterCount, text, spans)
                if kind == .isolated { appendWord(position..<position + length, 1, text, spans) }
                start = position + length
                characterCount = 0
            default:
                characterCount += 1
            }
            position += length
        }
        appendWord(start..<position, characterCount, text, spans)
    }

    @inline(__always)
    private func character(
        of text: UnsafeRawBufferPointer, at position: Int
    ) -> (kind: CharacterTable.Action.Kind, length: Int) {
        let byte = text[position]
        if characters.byteActions[Int(byte)] >= CharacterTable.ByteAction.firstLetter { return (.letter, 1) }
        if byte < 0x80 { return (characters.action(of: UInt32(byte)).kind, 1) }
        guard let (codePoint, length) = decodeMultibyte(text, at: position) else { return (.letter, 1) }
        return (characters.action(of: codePoint).kind, length)
    }

    /// Cuts a word into the longest pieces from its start on, or makes it the unknown token where that fails.
    private mutating func appendWord(
        _ range: Range<Int>, _ characterCount: Int, _ text: UnsafeRawBufferPointer,
        _ spans: UnsafeBufferPointer<ByteSpan>
    ) {
        if range.isEmpty { return }
        defer { endWord() }
        if characterCount > TextEncoder.longestWord { return append(unknown, Self.span(of: range, spans)) }
        let count = pieces.count
        var start = range.lowerBound
        var root = trie.root
        while start < range.upperBound {
            guard let (id, end) = longestPiece(of: text, start..<range.upperBound, below: root) else {
                pieces.truncate(to: count)
                return append(unknown, Self.span(of: range, spans))
            }
            append(id, Self.span(of: start..<end, spans))
            start = end
            root = continuation
        }
    }

    @inline(__always)
    private func longestPiece(
        of text: UnsafeRawBufferPointer, _ range: Range<Int>, below root: VocabularyTrie.Node
    ) -> (id: Int32, end: Int)? {
        var longest: (id: Int32, end: Int)?
        var node = root
        for position in range {
            node = node.child(along: text[position], in: trie.nodes)
            if node.bits == VocabularyTrie.Node.none.bits { break }
            if let id = node.id { longest = (id, position + 1) }
        }
        return longest
    }
}
