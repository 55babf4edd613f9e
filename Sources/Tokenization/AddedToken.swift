/// A token that is looked for in the text itself, before the text is cut into words: one that somebody added to a
/// tokenizer, or a special token with properties of its own.
///
/// The properties are those of the PyPI package `tokenizers`.
public struct AddedToken: Sendable, Equatable, Codable {
    /// The token's text.
    public var content: String
    /// That of the vocabulary where it has the text, else the vocabulary's size or more.
    public var id: Int32
    /// Whether it is no token within a longer word.
    public var isSingleWord: Bool
    /// Whether it takes the white space before it.
    public var stripsLeft: Bool
    /// Whether it takes the white space after it.
    public var stripsRight: Bool
    /// Whether it is looked for, itself normalised, in the text as it is after normalisation.
    public var isNormalized: Bool
    /// Whether it is one of the tokens that decoding leaves out. It decides no ids.
    public var isSpecial: Bool

    public init(
        content: String, id: Int32, isSingleWord: Bool = false, stripsLeft: Bool = false, stripsRight: Bool = false,
        isNormalized: Bool, isSpecial: Bool
    ) {
        self.content = content
        self.id = id
        self.isSingleWord = isSingleWord
        self.stripsLeft = stripsLeft
        self.stripsRight = stripsRight
        self.isNormalized = isNormalized
        self.isSpecial = isSpecial
    }

    /// The longest content in bytes. It bounds the work at each place of a text.
    static let longestContent = 1000

    /// Whether the fast path of special tokens gives the same ids. White space separates words whoever takes it.
    var isPlain: Bool { !isSingleWord && !isNormalized }

    /// Whether it takes no white space either, as BERT's special tokens.
    var isBare: Bool { isPlain && !stripsLeft && !stripsRight }

    /// Whether both are found at the same places, if they have the same text.
    func isFound(as other: AddedToken) -> Bool {
        isSingleWord == other.isSingleWord && stripsLeft == other.stripsLeft && stripsRight == other.stripsRight
            && isNormalized == other.isNormalized
    }

    /// Checks that tokens can be added to a vocabulary.
    ///
    /// - Throws: `TokenizationError.badAddedToken` unless each has a text of its own and the id that the packages give
    ///   it: the vocabulary's, or the next after those of the vocabulary and of the added tokens before it.
    static func check(_ tokens: [AddedToken], _ vocabulary: Vocabulary) throws {
        func fail(_ token: AddedToken, _ reason: String) -> TokenizationError {
            .badAddedToken(token.content, reason: reason)
        }
        var contents: Set<[UInt8]> = []
        var next = Int32(vocabulary.count)
        for token in tokens.sorted(by: { $0.id < $1.id }) {
            guard !token.content.isEmpty, token.content.utf8.count <= longestContent else {
                throw fail(token, "an added token has 1 to \(longestContent) bytes")
            }
            guard contents.insert(Array(token.content.utf8)).inserted else { throw fail(token, "it is there twice") }
            let expected = vocabulary.id(of: token.content) ?? next
            guard token.id == expected else {
                throw fail(token, "its id is \(token.id), and \(expected) is the one that it would be given")
            }
            if expected == next { next += 1 }
        }
    }
}
