import Foundation

/// What can be wrong with a vocabulary or with a tokenizer's configuration.
public enum TokenizationError: Error, Equatable, CustomStringConvertible {
    /// The file can't be read.
    case unreadable(path: String, reason: String)
    /// The file can't be written.
    case unwritable(path: String, reason: String)
    /// The vocabulary file is not UTF-8; `line` counts from 1.
    case notUTF8(path: String, line: Int)
    /// The vocabulary has no token.
    case emptyVocabulary(path: String)
    /// The vocabulary is larger than the tokenizer's index can address.
    case vocabularyTooLarge(tokens: Int)
    /// A token that would not come back the same from a vocabulary file.
    case invalidToken(String, id: Int)
    /// Tokens that BERT's inputs are made with are not in the vocabulary.
    case missingSpecialTokens([String])
    /// An added token that can't be honoured.
    case badAddedToken(String, reason: String)
    /// The tokenizer's configuration is malformed, or asks for something other than BERT's tokenization.
    case invalidConfiguration(path: String, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            return "can't read \(path): \(reason)"
        case .unwritable(let path, let reason):
            return "can't write \(path): \(reason)"
        case .notUTF8(let path, let line):
            return "\(path):\(line): not UTF-8; a vocabulary is a UTF-8 text file with one token a line"
        case .emptyVocabulary(let path):
            return "\(path) has no token; a vocabulary is a UTF-8 text file with one token a line"
        case .vocabularyTooLarge(let tokens):
            return "a vocabulary of \(tokens) tokens is too large to index; is it really a vocabulary?"
        case .invalidToken(let token, let id):
            return "token \(id), \(token.debugDescription), contains a line break or ends in white space, "
                + "so a vocabulary file can't hold it"
        case .missingSpecialTokens(let tokens):
            return "the vocabulary lacks \(tokens.joined(separator: ", ")); a BERT vocabulary has each on a line"
        case .badAddedToken(let token, let reason):
            return "the added token \(token.prefix(60).debugDescription): \(reason)"
        case .invalidConfiguration(let path, let reason):
            return "\(path): \(reason)"
        }
    }

    /// The same with the place of a folder's added token.
    func located(in folder: URL) -> TokenizationError {
        guard case .badAddedToken(let token, let reason) = self else { return self }
        return .invalidConfiguration(
            path: folder.path, reason: "the added token \(token.prefix(60).debugDescription): \(reason)")
    }
}
