import Files
import Foundation

/// A `tokenizer.json`, in which the PyPI package `tokenizers` keeps a whole tokenizer: newer folders of transformers
/// have it in place of `vocab.txt`.
struct TokenizerFile {
    static let name = "tokenizer.json"

    let vocabulary: Vocabulary
    /// What its normaliser does, where `tokenizer_config.json` says nothing of it.
    let lowercase: Bool?
    let stripAccents: Bool?
    let tokenizeChineseCharacters: Bool?

    /// - Throws: `TokenizationError` if the file can't be read, or is not of a WordPiece tokenizer as BERT's is.
    init(contentsOf url: URL) throws {
        func fail(_ reason: String) -> TokenizationError { .invalidConfiguration(path: url.path, reason: reason) }
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw TokenizationError.unreadable(path: url.path, reason: error.localizedDescription)
        }
        if let misplaced = MisplacedContent(data) {
            throw TokenizationError.unreadable(path: url.path, reason: "\(misplaced)")
        }
        guard let fields = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
            let model = fields["model"] as? [String: Any], let ids = model["vocab"] as? [String: Int]
        else { throw fail("this is no tokenizer's JSON object with a \"model\" and its \"vocab\"") }

        let expected = [
            ("type", "WordPiece"), ("continuing_subword_prefix", "##"), ("unk_token", SpecialTokens.unknownText),
            ("max_input_chars_per_word", "\(TextEncoder.longestWord)"),
        ]
        for (key, value) in expected {
            if let found = model[key], "\(found)" != value {
                throw fail("\"\(key)\" is \(found), which is not supported; BERT's is \(value)")
            }
        }
        vocabulary = try Vocabulary(tokens: Self.tokens(ids, fail))

        let normalizer = fields["normalizer"] as? [String: Any] ?? [:]
        if let type = normalizer["type"] as? String, type != "BertNormalizer" {
            throw fail("its normalizer is \(type), which is not supported; BERT's is BertNormalizer")
        }
        lowercase = normalizer["lowercase"] as? Bool
        stripAccents = normalizer["strip_accents"] as? Bool
        tokenizeChineseCharacters = normalizer["handle_chinese_chars"] as? Bool
    }

    /// The tokens in the order of their ids, which have to be 0, 1, 2 and so on.
    private static func tokens(_ ids: [String: Int], _ fail: (String) -> TokenizationError) throws -> [String] {
        var tokens: [String?] = Array(repeating: nil, count: ids.count)
        for (token, id) in ids {
            guard tokens.indices.contains(id), tokens[id] == nil else {
                // Two spellings of one letter are one key to Foundation, which leaves an id without its token.
                throw fail(
                    "its \(ids.count) tokens don't have the ids 0 to \(ids.count - 1), or differ in how a letter is "
                        + "composed alone: put the model's vocab.txt into the folder")
            }
            tokens[id] = token
        }
        return tokens.compactMap { $0 }
    }
}
