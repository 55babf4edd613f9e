import Files
import Foundation

/// The tokens of a BERT model and their ids, as `vocab.txt` lists them: one token a line, a token's id its line's
/// number from 0.
///
/// Lines end in a line feed, white space at their end is no part of the token, and of equal tokens the last has the
/// say, as in the PyPI package `tokenizers`.
public struct Vocabulary: Sendable, Equatable {
    /// The bytes of `vocab.txt`, less a byte order mark: write them to get the same file again, hash them to recognise it.
    public let fileContents: [UInt8]
    private let ranges: [Range<Int>]
    let trie: VocabularyTrie

    /// Reads a `vocab.txt`. Throws `TokenizationError` when it can't be read, is not UTF-8, or is empty.
    public init(contentsOf url: URL) throws {
        let data = try contents(of: url)
        // Editors of Windows put a byte order mark before the first token, which is no part of it.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        try self.init(fileContents: [UInt8](data.starts(with: mark) ? data.dropFirst(3) : data), path: url.path)
    }

    /// A vocabulary of these tokens, the first with id 0. Throws `TokenizationError` when there is none, or when one of
    /// them contains a line feed or ends in white space.
    public init(tokens: [String]) throws {
        for (id, token) in tokens.enumerated() {
            let scalars = token.unicodeScalars
            if scalars.contains("\n") || scalars.last?.properties.isWhitespace == true {
                throw TokenizationError.invalidToken(token, id: id)
            }
        }
        let contents = tokens.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
        try self.init(fileContents: contents, path: "the list of tokens")
    }

    /// `path` names the source in errors.
    private init(fileContents: [UInt8], path: String) throws {
        var ranges: [Range<Int>] = []
        for line in fileContents.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard let text = String(validating: line, as: UTF8.self) else {
                throw TokenizationError.notUTF8(path: path, line: ranges.count + 1)
            }
            let trailing = text.unicodeScalars.reversed().prefix { $0.properties.isWhitespace }
            let trailingBytes = trailing.reduce(0) { $0 + UTF8.width($1) }
            ranges.append(line.startIndex..<line.endIndex - trailingBytes)
        }
        // What follows the last line feed is a line only when there is something.
        if fileContents.isEmpty || fileContents.last == UInt8(ascii: "\n") { ranges.removeLast() }
        guard ranges.contains(where: { !$0.isEmpty }) else { throw TokenizationError.emptyVocabulary(path: path) }
        self.fileContents = fileContents
        self.ranges = ranges
        trie = try VocabularyTrie(text: fileContents, tokens: ranges)
    }

    /// The number of lines, which is the number of ids: 0 ..< `count`.
    public var count: Int { ranges.count }

    /// The id of a token; nil when the vocabulary doesn't have it.
    public func id(of token: String) -> Int32? {
        trie.node(at: token.utf8).id
    }

    /// The token on an id's line; nil outside 0 ..< `count`.
    public func token(of id: Int32) -> String? {
        guard ranges.indices.contains(Int(id)) else { return nil }
        return String(decoding: fileContents[ranges[Int(id)]], as: UTF8.self)
    }

    /// Whether both give the same tokens the same ids, whatever their files' line endings.
    public static func == (one: Vocabulary, other: Vocabulary) -> Bool {
        one.count == other.count
            && zip(one.ranges, other.ranges).allSatisfy { one.fileContents[$0] == other.fileContents[$1] }
    }
}
