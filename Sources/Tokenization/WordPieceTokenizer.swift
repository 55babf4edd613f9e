/// BERT's WordPiece tokenization: the same ids as the PyPI package `tokenizers` (`BertWordPieceTokenizer`), with the
/// truncation of the original slow `BertTokenizer`.
///
/// A text is cleaned, for an uncased vocabulary stripped of accents and put in lower case, split at white space and
/// around punctuation and Chinese characters, and each word is cut greedily into the vocabulary's longest pieces. The
/// special tokens' names in a text (`[MASK]`, ...) stand for those tokens.
public struct WordPieceTokenizer: Sendable {
    public let vocabulary: Vocabulary
    /// Whether text is put in lower case and stripped of accents.
    public let lowercase: Bool
    let specialTokens: SpecialTokens
    private let continuation: VocabularyTrie.Node

    /// Throws `TokenizationError.missingSpecialTokens` unless the vocabulary has `[CLS]`, `[SEP]`, `[UNK]` and `[PAD]`.
    public init(vocabulary: Vocabulary, lowercase: Bool) throws {
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        specialTokens = try SpecialTokens(in: vocabulary)
        continuation = vocabulary.trie.node(at: "##".utf8)
    }

    /// The id of the token that fills up the shorter sequences of a batch.
    public var paddingID: Int32 { specialTokens.padding }

    /// Encodes a text, or a pair of texts.
    ///
    /// When there are more than `maxLength` tokens, special ones included, tokens are cut from the end of the longer
    /// text, one at a time; of texts equally long, from the second. Special tokens are never cut, so there may be up to
    /// three tokens whatever `maxLength`.
    public func encode(_ text: String, pair: String? = nil, maxLength: Int? = nil) -> Encoding {
        withBytes(of: text) { text in
            guard let pair else { return encode(utf8: text, maxLength: maxLength) }
            return withBytes(of: pair) { encode(utf8: text, pair: $0, maxLength: maxLength) }
        }
    }

    /// The same for texts given as UTF-8, without copies. Bytes that are not UTF-8 are left out of the text.
    public func encode(
        utf8 text: ArraySlice<UInt8>, pair: ArraySlice<UInt8>? = nil, maxLength: Int? = nil
    ) -> Encoding {
        text.withUnsafeBytes { text in
            guard let pair else { return encode(utf8: text, maxLength: maxLength) }
            return pair.withUnsafeBytes { encode(utf8: text, pair: $0, maxLength: maxLength) }
        }
    }

    /// The same for texts given as UTF-8, without copies. Bytes that are not UTF-8 are left out of the text.
    public func encode(
        utf8 text: UnsafeRawBufferPointer, pair: UnsafeRawBufferPointer? = nil, maxLength: Int? = nil
    ) -> Encoding {
        let specialCount = pair == nil ? 2 : 3
        let room = maxLength.map { max($0, specialCount) - specialCount } ?? Int.max
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: min(room, text.count)) { first in
            let firstCount = encode(text, into: first)
            guard let pair else { return assemble(first[..<firstCount], [Int32]?.none) }
            return withUnsafeTemporaryAllocation(of: Int32.self, capacity: min(room, pair.count)) { second in
                let secondCount = encode(pair, into: second)
                let (firstKept, secondKept) = Self.truncated(firstCount, secondCount, to: room)
                return assemble(first[..<firstKept], second[..<secondKept])
            }
        }
    }

    /// The tokens' texts; `[UNK]` for an id outside the vocabulary.
    public func tokens(of ids: [Int32]) -> [String] {
        ids.map { vocabulary.token(of: $0) ?? SpecialTokens.unknownText }
    }
}

extension WordPieceTokenizer {
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

    private func assemble(_ first: some Collection<Int32>, _ second: (some Collection<Int32>)?) -> Encoding {
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

    /// Writes the ids of the text's pieces into `ids` until it is full, and returns how many there are. A text of n
    /// bytes has at most n pieces.
    private func encode(_ text: UnsafeRawBufferPointer, into ids: UnsafeMutableBufferPointer<Int32>) -> Int {
        let characters = lowercase ? CharacterTable.uncased : CharacterTable.cased
        return vocabulary.trie.withPointers { trie in
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
    private func withBytes<Result>(of text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // A copy of the reference, which `withUTF8` may replace by one to contiguous UTF-8.
        var text = text
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
