/// The tokens that a tokenizer looks for in texts: an object, since with each copy of a tokenizer every array of its own
/// is counted, which the encoding of short texts takes notice of.
final class FoundTokens: Sendable {
    /// Those beside BERT's special ones, or with other properties than those have.
    let added: [AddedToken]
    /// All of them.
    let all: AddedTokens

    init(added: [AddedToken], all: AddedTokens) {
        self.added = added
        self.all = all
    }
}

/// A tokenizer's added tokens, ready to be found in texts.
///
/// As in the PyPI package `tokenizers`, those that are not normalised are found first, in the text as it is; what lies
/// between them is normalised, and searched for the others. Of the tokens that begin at a place the longest is
/// taken, and no place belongs to two.
struct AddedTokens: Sendable {
    /// In the order of their ids.
    let list: [AddedToken]
    private let asIs: TokenSet
    private let normalized: TokenSet?

    /// - Parameter tokens: all that are looked for, the special ones included.
    /// - Throws: `TokenizationError.badAddedToken`.
    init(_ tokens: [AddedToken], characters: CharacterTable) throws {
        list = tokens.sorted { $0.id < $1.id }
        asIs = try TokenSet(list.filter { !$0.isNormalized }.map { ($0, Array($0.content.utf8)) })
        let others = list.filter(\.isNormalized)
        normalized = others.isEmpty ? nil : try TokenSet(others.map { ($0, characters.normalized($0.content)) })
    }

    /// Calls `token` for each token in the text and `piece` for what is between, in the text's order.
    ///
    /// - Parameter piece: is given the bytes, and whether they are normalised. Both return whether to go on.
    func split(
        _ text: UnsafeRawBufferPointer, _ characters: CharacterTable,
        token: (Int32) -> Bool, piece: (UnsafeRawBufferPointer, _ isNormalized: Bool) -> Bool
    ) {
        _ = asIs.split(text) { id, _ in
            token(id)
        } piece: { range in
            let part = UnsafeRawBufferPointer(rebasing: text[range])
            guard let normalized else { return piece(part, false) }
            return characters.normalized(part).withUnsafeBytes { bytes in
                normalized.split(bytes) { id, _ in
                    token(id)
                } piece: {
                    piece(UnsafeRawBufferPointer(rebasing: bytes[$0]), true)
                }
            }
        }
    }

    /// Calls `token` for each token that is found in the text as it is, and `piece` for what is between, in the text's
    /// order, each with its place in the text.
    func splitText(
        _ text: UnsafeRawBufferPointer, token: (Int32, Range<Int>) -> Void, piece: (Range<Int>) -> Void
    ) {
        _ = asIs.split(text) { id, range in
            token(id, range)
            return true
        } piece: { range in
            piece(range)
            return true
        }
    }

    /// The same for the tokens that are found in a normalised text.
    func splitNormalized(
        _ text: UnsafeRawBufferPointer, token: (Int32, Range<Int>) -> Void, piece: (Range<Int>) -> Void
    ) {
        guard let normalized else { return piece(0..<text.count) }
        _ = normalized.split(text) { id, range in
            token(id, range)
            return true
        } piece: { range in
            piece(range)
            return true
        }
    }
}

/// Tokens that are looked for together.
private struct TokenSet: Sendable {
    private let tokens: [AddedToken]
    private let trie: VocabularyTrie
    /// Whether a token begins with a byte.
    private let isFirst: [Bool]

    /// - Parameter tokens: each with the bytes that it is found by. Of those found by the same, the first counts.
    init(_ tokens: [(token: AddedToken, pattern: [UInt8])]) throws {
        var patterns: Set<[UInt8]> = []
        let kept = tokens.filter { patterns.insert($0.pattern).inserted }
        var text: [UInt8] = []
        var ranges: [Range<Int>] = []
        var isFirst = [Bool](repeating: false, count: 256)
        for (token, pattern) in kept {
            guard let first = pattern.first, pattern.count <= AddedToken.longestContent * 4 else {
                throw TokenizationError.badAddedToken(token.content, reason: "nothing is left of it in a text")
            }
            isFirst[Int(first)] = true
            ranges.append(text.count..<text.count + pattern.count)
            text += pattern
        }
        self.tokens = kept.map(\.token)
        self.isFirst = isFirst
        trie = try VocabularyTrie(text: text, tokens: ranges)
    }

    /// Calls `found` for each token and `piece` for what is between, with their places in the text; a token's takes
    /// in the white space that it strips. Both return whether to go on, as this does. Each byte is looked at a bounded
    /// number of times.
    func split(
        _ text: UnsafeRawBufferPointer, token found: (Int32, Range<Int>) -> Bool, piece: (Range<Int>) -> Bool
    ) -> Bool {
        if tokens.isEmpty { return text.isEmpty || piece(0..<text.count) }
        return trie.withPointers { trie in
            isFirst.withUnsafeBufferPointer { isFirst in
                // Where what is given out ends, and where the last white space after a token does.
                var (done, spaceEnd) = (0, 0)
                var position = 0
                while position < text.count {
                    guard isFirst[Int(text[position])],
                        let (index, end) = Self.longest(text, from: position, in: trie)
                    else {
                        position += 1
                        continue
                    }
                    let token = tokens[index]
                    var (start, stop) = (position, end)
                    position = end
                    if token.isSingleWord, text.hasWordEnd(at: start) || text.hasWordStart(at: stop) { continue }
                    if token.stripsLeft { start = text.spaceStart(before: start, from: done) }
                    if token.stripsRight {
                        // White space that tokens themselves are made of is gone through once.
                        spaceEnd = stop <= spaceEnd ? spaceEnd : text.spaceEnd(after: stop)
                        stop = max(stop, spaceEnd)
                    }
                    if done < start, !piece(done..<start) { return false }
                    if !found(token.id, start..<stop) { return false }
                    done = stop
                }
                return done >= text.count || piece(done..<text.count)
            }
        }
    }

    @inline(__always)
    private static func longest(
        _ text: UnsafeRawBufferPointer, from start: Int, in trie: VocabularyTrie.Pointers
    ) -> (index: Int, end: Int)? {
        var longest: (Int, Int)?
        var node = trie.root
        var position = start
        while position < text.count {
            node = node.child(along: text[position], in: trie.nodes)
            if node.bits == VocabularyTrie.Node.none.bits { break }
            position += 1
            if let id = node.id { longest = (Int(id), position) }
        }
        return longest
    }
}

extension UnsafeRawBufferPointer {
    /// The character that begins at `position`, with its length; nil at the end and where the bytes are not UTF-8.
    fileprivate func character(at position: Int) -> (scalar: Unicode.Scalar, length: Int)? {
        guard position < count else { return nil }
        if self[position] < 0x80 { return (Unicode.Scalar(self[position]), 1) }
        guard let (codePoint, length) = decodeMultibyte(self, at: position), let scalar = Unicode.Scalar(codePoint)
        else { return nil }
        return (scalar, length)
    }

    /// The character that ends before `position`.
    fileprivate func character(before position: Int) -> (scalar: Unicode.Scalar, length: Int)? {
        var start = position - 1
        while start > 0, position - start < 4, self[start] & 0xC0 == 0x80 { start -= 1 }
        guard start >= 0, let found = character(at: start), start + found.length == position else { return nil }
        return found
    }

    fileprivate func hasWordEnd(at position: Int) -> Bool {
        character(before: position)?.scalar.isWordCharacter ?? false
    }

    fileprivate func hasWordStart(at position: Int) -> Bool {
        character(at: position)?.scalar.isWordCharacter ?? false
    }

    /// Where the white space before `end` begins, not before `start`.
    fileprivate func spaceStart(before end: Int, from start: Int) -> Int {
        var position = end
        while position > start, let (scalar, length) = character(before: position), scalar.properties.isWhitespace {
            position -= length
        }
        return Swift.max(position, Swift.min(start, end))
    }

    /// Where the white space after `start` ends.
    fileprivate func spaceEnd(after start: Int) -> Int {
        var position = start
        while let (scalar, length) = character(at: position), scalar.properties.isWhitespace { position += length }
        return position
    }
}

extension Unicode.Scalar {
    /// Whether a regular expression's `\w` takes it: Unicode Technical Standard #18, annex C.
    fileprivate var isWordCharacter: Bool {
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }
}
