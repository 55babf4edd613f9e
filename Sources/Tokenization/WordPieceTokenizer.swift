/// BERT's WordPiece tokenization: the same ids as the PyPI package `tokenizers` (`BertWordPieceTokenizer`), with the
/// truncation of the original slow `BertTokenizer`.
///
/// A text is cleaned, for an uncased vocabulary stripped of accents and put in lower case, split at white space and
/// around punctuation and Chinese characters, and each word is cut greedily into the vocabulary's longest pieces. The
/// special tokens' names in a text (`[MASK]`, ...) stand for those tokens, as added tokens' texts do for theirs.
public struct WordPieceTokenizer: Sendable {
    public let vocabulary: Vocabulary
    /// Whether text is put in lower case and stripped of accents.
    public let lowercase: Bool
    /// The tokens that are looked for in a text beside BERT's special ones, or with other properties than those have,
    /// in the order of their ids.
    public var addedTokens: [AddedToken] { foundTokens.added }
    /// Whether `[MASK]` in a text stands for that token, if the vocabulary has it.
    public let findsMask: Bool
    let specialTokens: SpecialTokens
    let continuation: VocabularyTrie.Node
    let foundTokens: FoundTokens
    /// Whether the encoder's own search for special tokens does not find the same.
    private let needsFoundTokens: Bool

    /// A tokenizer of these parts.
    ///
    /// - Parameters:
    ///   - vocabulary: its tokens.
    ///   - lowercase: whether text is put in lower case and stripped of accents.
    ///   - addedTokens: tokens that were added to it, with the ids that follow the vocabulary's or those that it has
    ///     for them.
    ///   - findsMask: whether `[MASK]` in a text stands for that token.
    /// - Throws: `TokenizationError.missingSpecialTokens` unless the vocabulary has `[CLS]`, `[SEP]`, `[UNK]` and
    ///   `[PAD]`; `TokenizationError.badAddedToken` for one that can't be found in a text, or has the id of another.
    public init(
        vocabulary: Vocabulary, lowercase: Bool, addedTokens: [AddedToken] = [], findsMask: Bool = true
    ) throws {
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.findsMask = findsMask
        var special = try SpecialTokens(in: vocabulary, hasMask: findsMask)
        let known = special.texts
        func isKnown(_ token: AddedToken) -> Bool { known[token.content] == token.id }
        // Equal to what is done without them.
        let added = addedTokens.filter { !($0.isBare && isKnown($0)) }
        try AddedToken.check(added, vocabulary)
        let others = known.filter { name, _ in !added.contains { $0.content == name } }
        let bare = others.map { AddedToken(content: $0, id: $1, isNormalized: false, isSpecial: true) }
        let all = try AddedTokens(
            added + bare, characters: lowercase ? CharacterTable.uncased : CharacterTable.cased)
        foundTokens = FoundTokens(added: added.sorted { $0.id < $1.id }, all: all)
        needsFoundTokens = !added.allSatisfy { $0.isPlain && isKnown($0) }
        special.areFoundInText = !needsFoundTokens
        specialTokens = special
        continuation = vocabulary.trie.node(at: "##".utf8)
    }

    /// One more than the highest id: the least rows that a table of the tokens' embeddings needs.
    public var tokenCount: Int { max(vocabulary.count, addedTokens.last.map { Int($0.id) + 1 } ?? 0) }

    /// The id of the token that fills up the shorter sequences of a batch.
    public var paddingID: Int32 { specialTokens.padding }

    /// The id of the token that stands for a word that can't be cut into pieces.
    public var unknownID: Int32 { specialTokens.unknown }

    /// Encodes a text, or a pair of texts.
    ///
    /// When there are more than `maxLength` tokens, special ones included, tokens are cut from the longer text, one at
    /// a time; of texts equally long, from the second. Special tokens are never cut, so there may be up to three tokens
    /// whatever `maxLength`.
    ///
    /// - Parameter truncationSide: the end of a text that tokens are cut from.
    public func encode(
        _ text: String, pair: String? = nil, maxLength: Int? = nil, truncationSide: TruncationSide = .end
    ) -> Encoding {
        withBytes(of: text) { text in
            guard let pair else { return encode(utf8: text, maxLength: maxLength, truncationSide: truncationSide) }
            return withBytes(of: pair) {
                encode(utf8: text, pair: $0, maxLength: maxLength, truncationSide: truncationSide)
            }
        }
    }

    /// The same for texts given as UTF-8, without copies. Bytes that are not UTF-8 are left out of the text.
    public func encode(
        utf8 text: ArraySlice<UInt8>, pair: ArraySlice<UInt8>? = nil, maxLength: Int? = nil,
        truncationSide: TruncationSide = .end
    ) -> Encoding {
        text.withUnsafeBytes { text in
            guard let pair else { return encode(utf8: text, maxLength: maxLength, truncationSide: truncationSide) }
            return pair.withUnsafeBytes {
                encode(utf8: text, pair: $0, maxLength: maxLength, truncationSide: truncationSide)
            }
        }
    }

    /// The same for texts given as UTF-8, without copies. Bytes that are not UTF-8 are left out of the text.
    public func encode(
        utf8 text: UnsafeRawBufferPointer, pair: UnsafeRawBufferPointer? = nil, maxLength: Int? = nil,
        truncationSide side: TruncationSide = .end
    ) -> Encoding {
        let room = maxLength.map { Self.room(for: $0, isPair: pair != nil) } ?? Int.max
        // What is cut from the end need not be encoded.
        func capacity(_ text: UnsafeRawBufferPointer) -> Int { side == .end ? min(room, text.count) : text.count }
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: capacity(text)) { first in
            let firstIDs = first[..<encode(text, into: first)]
            guard let pair else { return sequence(of: side.kept(min(firstIDs.count, room), of: firstIDs)) }
            return withUnsafeTemporaryAllocation(of: Int32.self, capacity: capacity(pair)) { second in
                let secondIDs = second[..<encode(pair, into: second)]
                let (firstKept, secondKept) = Self.truncated(firstIDs.count, secondIDs.count, to: room)
                return sequence(of: side.kept(firstKept, of: firstIDs), and: side.kept(secondKept, of: secondIDs))
            }
        }
    }

    /// The token's text; `[UNK]` for an id that no token has.
    public func token(of id: Int32) -> String {
        vocabulary.token(of: id) ?? addedTokens.first { $0.id == id }?.content ?? SpecialTokens.unknownText
    }

    /// The tokens' texts, as ``token(of:)`` gives them.
    public func tokens(of ids: [Int32]) -> [String] { ids.map(token(of:)) }
}

extension WordPieceTokenizer {
    /// How many tokens of texts a sequence of `maxLength` tokens has room for beside the special ones.
    private static func room(for maxLength: Int, isPair: Bool) -> Int {
        let specialCount = numberOfSpecialTokens(isPair: isPair)
        return max(maxLength, specialCount) - specialCount
    }

    /// How many tokens of each text remain when `room` is all there is: what cutting the longer one, or of two equally
    /// long the second, one token at a time comes to.
    ///
    /// A count above `room` may be given as `room`: the result is the same.
    static func truncated(_ first: Int, _ second: Int, to room: Int) -> (first: Int, second: Int) {
        if first <= room - second { return (first, second) }
        let secondHalf = room / 2
        let firstHalf = room - secondHalf
        if first <= firstHalf { return (first, room - first) }
        if second <= secondHalf { return (room - second, second) }
        return (firstHalf, secondHalf)
    }

    /// Writes the ids of the text's pieces into `ids` until it is full, and returns how many there are. A text of n
    /// bytes has at most n pieces.
    private func encode(_ text: UnsafeRawBufferPointer, into ids: UnsafeMutableBufferPointer<Int32>) -> Int {
        let characters = lowercase ? CharacterTable.uncased : CharacterTable.cased
        if !needsFoundTokens { return encode(text, characters, into: ids) }
        var count = 0
        foundTokens.all.split(text, characters) { id in
            if count < ids.count {
                ids[count] = id
                count += 1
            }
            return count < ids.count
        } piece: { piece, isNormalized in
            // Normalised text has no accents and no capitals any more, which the table for cased text leaves as it is.
            let table = isNormalized ? CharacterTable.cased : characters
            count += encode(piece, table, into: UnsafeMutableBufferPointer(rebasing: ids[count...]))
            return count < ids.count
        }
        return count
    }

    private func encode(
        _ text: UnsafeRawBufferPointer, _ characters: CharacterTable, into ids: UnsafeMutableBufferPointer<Int32>
    ) -> Int {
        vocabulary.trie.withPointers { trie in
            characters.withPointers { characters in
                TextEncoder.withScratch { scratch in
                    var encoder = TextEncoder(
                        trie: trie, continuation: continuation, specialTokens: specialTokens, characters: characters,
                        scratch: scratch, ids: ids)
                    return encoder.encode(text)
                }
            }
        }
    }
}

extension WordPieceTokenizer {
    func withBytes<Result>(of text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // A copy of the reference, which `withUTF8` may replace by one to contiguous UTF-8.
        var text = text
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
