import Files
import Foundation

extension WordPieceTokenizer {
    private static let vocabularyFile = "vocab.txt"
    private static let configurationFile = "tokenizer_config.json"

    /// The files of which a model's folder needs one.
    public static let files = [vocabularyFile, TokenizerFile.name]

    /// Reads `vocab.txt` and, where there is one, `tokenizer_config.json` of a model's folder. A folder without
    /// `vocab.txt` may have a `tokenizer.json` of the PyPI package `tokenizers` in its place.
    ///
    /// Without `do_lower_case` in `tokenizer_config.json`, `tokenizer.json` has the say where it is read; else the
    /// tokenizer is uncased, as transformers' `BertTokenizer` is then, unless each letter from A to Z is a token: an
    /// uncased vocabulary has no use for those.
    ///
    /// Throws `TokenizationError` when a file can't be read, the vocabulary is not usable, or the configuration is
    /// malformed or asks for what this tokenizer doesn't do.
    public init(folder: URL) throws {
        let file = folder.appendingPathComponent(Self.configurationFile)
        var settings = try TokenizerSettings(contentsOf: file)
        let list = folder.appendingPathComponent(Self.vocabularyFile)
        let whole = folder.appendingPathComponent(TokenizerFile.name)
        let files = FileManager.default
        let vocabulary: Vocabulary
        if !files.fileExists(atPath: list.path), files.fileExists(atPath: whole.path) {
            let tokenizer = try TokenizerFile(contentsOf: whole)
            vocabulary = tokenizer.vocabulary
            settings.complete(with: tokenizer)
        } else {
            vocabulary = try Vocabulary(contentsOf: list)
        }
        let lowercase = settings.lowercase ?? !vocabulary.isCased
        if let reason = settings.unsupportedSetting(lowercase: lowercase) {
            throw TokenizationError.invalidConfiguration(path: file.path, reason: reason)
        }
        try self.init(vocabulary: vocabulary, lowercase: lowercase)
    }

    /// Writes the folder's `vocab.txt`, byte for byte as it was read, and a `tokenizer_config.json` that transformers
    /// loads. `maxLength` is the most tokens that the model takes. Throws `TokenizationError.unwritable`.
    public func writeConfiguration(to folder: URL, maxLength: Int = 512) throws {
        let configuration: [String: Any] = [
            "do_lower_case": lowercase,
            "model_max_length": maxLength,
            "strip_accents": NSNull(),
            "tokenize_chinese_chars": true,
            "tokenizer_class": "BertTokenizer",
            "cls_token": SpecialTokens.classificationText,
            "mask_token": SpecialTokens.maskText,
            "pad_token": SpecialTokens.paddingText,
            "sep_token": SpecialTokens.separatorText,
            "unk_token": SpecialTokens.unknownText,
        ]
        try write(Data(vocabulary.fileContents), to: folder.appendingPathComponent(Self.vocabularyFile))
        let json = try JSONSerialization.data(withJSONObject: configuration, options: [.prettyPrinted, .sortedKeys])
        try write(json + Data("\n".utf8), to: folder.appendingPathComponent(Self.configurationFile))
    }

    private func write(_ contents: Data, to file: URL) throws {
        do {
            try contents.write(to: file, options: .atomic)
        } catch {
            throw TokenizationError.unwritable(path: file.path, reason: error.localizedDescription)
        }
    }
}

extension Vocabulary {
    /// Whether all capital letters from A to Z are tokens.
    fileprivate var isCased: Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).allSatisfy { id(of: String(UnicodeScalar($0))) != nil }
    }
}

/// The keys of `tokenizer_config.json` that decide which ids come out, as transformers names them.
private struct TokenizerSettings: Decodable {
    var lowercase: Bool?
    private var stripAccents: Bool?
    private var tokenizeChineseCharacters: Bool?
    private var unknownToken: Token?
    private var separatorToken: Token?
    private var paddingToken: Token?
    private var classificationToken: Token?
    private var maskToken: Token?

    private enum CodingKeys: String, CodingKey {
        case lowercase = "do_lower_case"
        case stripAccents = "strip_accents"
        case tokenizeChineseCharacters = "tokenize_chinese_chars"
        case unknownToken = "unk_token"
        case separatorToken = "sep_token"
        case paddingToken = "pad_token"
        case classificationToken = "cls_token"
        case maskToken = "mask_token"
    }

    /// The settings in a file, none when there is no such file.
    init(contentsOf file: URL) throws {
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        let data: Data
        do {
            data = try Data(contentsOf: file)
        } catch {
            throw TokenizationError.unreadable(path: file.path, reason: error.localizedDescription)
        }
        if let misplaced = MisplacedContent(data) {
            throw TokenizationError.unreadable(path: file.path, reason: "\(misplaced)")
        }
        do {
            self = try JSONDecoder().decode(TokenizerSettings.self, from: data)
        } catch DecodingError.typeMismatch(_, let context), DecodingError.keyNotFound(_, let context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            let reason = key.isEmpty ? "not a JSON object" : "\(key): \(context.debugDescription)"
            throw TokenizationError.invalidConfiguration(path: file.path, reason: reason)
        } catch {
            throw TokenizationError.invalidConfiguration(path: file.path, reason: "not a JSON object")
        }
    }

    /// Takes what is not set from a whole tokenizer.
    mutating func complete(with tokenizer: TokenizerFile) {
        lowercase = lowercase ?? tokenizer.lowercase
        stripAccents = stripAccents ?? tokenizer.stripAccents
        tokenizeChineseCharacters = tokenizeChineseCharacters ?? tokenizer.tokenizeChineseCharacters
    }

    /// What asks for other ids than BERT's; nil when nothing does.
    func unsupportedSetting(lowercase: Bool) -> String? {
        if let stripAccents, stripAccents != lowercase {
            return "strip_accents is \(stripAccents) with do_lower_case \(lowercase), which is not supported; "
                + "both must be true or both false"
        }
        if tokenizeChineseCharacters == false {
            return "tokenize_chinese_chars is false, which is not supported"
        }
        let tokens = [
            (CodingKeys.unknownToken, unknownToken, SpecialTokens.unknownText),
            (.separatorToken, separatorToken, SpecialTokens.separatorText),
            (.paddingToken, paddingToken, SpecialTokens.paddingText),
            (.classificationToken, classificationToken, SpecialTokens.classificationText),
            (.maskToken, maskToken, SpecialTokens.maskText),
        ]
        for (key, token, expected) in tokens {
            if let text = token?.text, text != expected {
                return "\(key.rawValue) is \(text.debugDescription), which is not supported; BERT's is \(expected)"
            }
        }
        return nil
    }
}

extension TokenizerSettings {
    /// A token's text, which transformers writes plainly or as the `content` of an object.
    private struct Token: Decodable {
        var text: String

        private enum CodingKeys: String, CodingKey {
            case text = "content"
        }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.text = text
            } else {
                text = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .text)
            }
        }
    }
}
