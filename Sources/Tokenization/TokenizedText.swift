/// The pieces of a text, without the special tokens around it, and where each comes from.
///
/// All four lists have an element a piece.
public struct TokenizedText: Sendable, Equatable {
    /// The pieces' ids.
    public var ids: [Int32]
    /// Of each piece, the bytes of the text that it was made from: `starts[i]` ..< `ends[i]`. They are whole
    /// characters. What normalisation removes has a place in a piece only between characters of it: an accent that
    /// follows a piece's last character is not part of it. Where one character becomes several, such as the letters of
    /// a Hangul syllable, pieces of it have the same bytes.
    public var starts: [Int32]
    public var ends: [Int32]
    /// Of each piece, the number of its word, from 0, as BERT's pre-tokenizer cuts the text: at white space and around
    /// punctuation, Chinese characters, and the special and added tokens that are found in it.
    public var words: [Int32]

    public init(ids: [Int32] = [], starts: [Int32] = [], ends: [Int32] = [], words: [Int32] = []) {
        self.ids = ids
        self.starts = starts
        self.ends = ends
        self.words = words
    }

    /// The number of pieces.
    public var count: Int { ids.count }

    /// The bytes of the text that piece `index` was made from.
    public func bytes(of index: Int) -> Range<Int> { Int(starts[index])..<Int(ends[index]) }

    mutating func truncate(to count: Int) {
        let excess = self.count - count
        if excess <= 0 { return }
        ids.removeLast(excess)
        starts.removeLast(excess)
        ends.removeLast(excess)
        words.removeLast(excess)
    }

    mutating func reserve(_ count: Int) {
        ids.reserveCapacity(count)
        starts.reserveCapacity(count)
        ends.reserveCapacity(count)
        words.reserveCapacity(count)
    }
}

extension WordPieceTokenizer {
    /// The pieces of a text, without special tokens around it: the ids that `encode` gives, with the offsets and the
    /// words of transformers' `BertTokenizerFast` (`offset_mapping`, in bytes instead of characters, and `word_ids()`).
    ///
    /// Bytes that are not UTF-8 are left out of the text. A text has fewer than 2^31 bytes.
    public func tokenize(utf8 text: UnsafeRawBufferPointer) -> TokenizedText {
        withPieceFinder(reserving: text.count / 4 + 8) { $0.append(text) }
    }

    /// The same for a string. Offsets are those of its UTF-8.
    public func tokenize(_ text: String) -> TokenizedText {
        withBytes(of: text) { tokenize(utf8: $0) }
    }

    /// The pieces of words that are given apart, as transformers' `is_split_into_words=True` takes them.
    ///
    /// A word of the list is cut as a text is; all its pieces have its index in the list as the number of their word,
    /// and offsets within it. A word of which nothing is left, such as one of white space or of removed characters, has
    /// no piece.
    ///
    /// - Parameter words: the words' UTF-8.
    public func tokenize<Word: Collection<UInt8>>(words: some Collection<Word>) -> TokenizedText {
        withPieceFinder(reserving: words.count + words.count / 2) { finder in
            var index: Int32 = 0
            for word in words {
                let isDone: Void? = word.withContiguousStorageIfAvailable {
                    finder.append(UnsafeRawBufferPointer($0), word: index)
                }
                if isDone == nil { Array(word).withUnsafeBytes { finder.append($0, word: index) } }
                index += 1
            }
        }
    }

    private func withPieceFinder(reserving count: Int, _ body: (inout PieceFinder) -> Void) -> TokenizedText {
        vocabulary.trie.withPointers { trie in
            CharacterTable.cased.withPointers { cased in
                (lowercase ? CharacterTable.uncased : CharacterTable.cased).withPointers { characters in
                    var finder = PieceFinder(
                        trie: trie, continuation: continuation, unknown: specialTokens.unknown,
                        textCharacters: characters, characters: cased, addedTokens: foundTokens.all, reserving: count)
                    body(&finder)
                    return finder.pieces
                }
            }
        }
    }
}

extension WordPieceTokenizer {
    /// The pieces as a model reads them: `[CLS] first [SEP]`, and with a second part `second [SEP]`, whose tokens and
    /// separator are of type 1.
    public func sequence(of first: some Collection<Int32>, and second: (some Collection<Int32>)?) -> Encoding {
        let firstCount = first.count + 2
        let count = firstCount + (second.map { $0.count + 1 } ?? 0)
        var inputIDs: [Int32] = []
        inputIDs.reserveCapacity(count)
        inputIDs.append(specialTokens.classification)
        inputIDs.append(contentsOf: first)
        inputIDs.append(specialTokens.separator)
        if let second {
            inputIDs.append(contentsOf: second)
            inputIDs.append(specialTokens.separator)
        }
        var tokenTypeIDs = [Int32](repeating: 0, count: count)
        for index in firstCount..<count { tokenTypeIDs[index] = 1 }
        return Encoding(inputIDs: inputIDs, tokenTypeIDs: tokenTypeIDs)
    }

    /// The same of one part.
    public func sequence(of first: some Collection<Int32>) -> Encoding {
        sequence(of: first, and: [Int32]?.none)
    }

    /// How many special tokens ``sequence(of:and:)`` puts around its parts.
    public func numberOfSpecialTokens(isPair: Bool) -> Int { Self.numberOfSpecialTokens(isPair: isPair) }

    static func numberOfSpecialTokens(isPair: Bool) -> Int { isPair ? 3 : 2 }
}
