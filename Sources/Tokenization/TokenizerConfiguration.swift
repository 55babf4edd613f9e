import Files
import Foundation

extension WordPieceTokenizer {
    /// The files of which a model's folder needs one.
    public static let files = [TokenizerFolder.vocabularyFile, TokenizerFile.name]

    /// The others that decide ids, where a folder has them.
    public static let optionalFiles = [
        TokenizerFolder.configurationFile, TokenizerFolder.addedTokensFile, TokenizerFolder.specialTokensFile,
    ]

    /// The files that ``writeConfiguration(to:maxLength:)`` writes.
    public static let writtenFiles = [TokenizerFolder.vocabularyFile, TokenizerFolder.configurationFile]

    /// Reads the tokenizer of a model's folder: `vocab.txt` or, without one, the vocabulary of a `tokenizer.json` of
    /// the PyPI package `tokenizers`; and where they are there `tokenizer_config.json`, `added_tokens.json`,
    /// `special_tokens_map.json`, and what else `tokenizer.json` says.
    ///
    /// Without `do_lower_case` in `tokenizer_config.json`, `tokenizer.json` has the say where it is there; else the
    /// tokenizer is uncased, as transformers' `BertTokenizer` is then, unless each letter from A to Z is a token: an
    /// uncased vocabulary has no use for those.
    ///
    /// Throws `TokenizationError` when a file can't be read, the vocabulary is not usable, or a file is malformed, asks
    /// for what this tokenizer doesn't do, or contradicts another.
    public init(folder: URL) throws {
        let files = try TokenizerFolder(folder)
        do {
            try self.init(
                vocabulary: files.vocabulary, lowercase: files.lowercase, addedTokens: files.addedTokens,
                findsMask: files.findsMask)
        } catch let error as TokenizationError {
            throw error.located(in: folder)
        }
    }

    /// Writes the folder's `vocab.txt`, byte for byte as it was read, and a `tokenizer_config.json` that transformers
    /// loads, with the added tokens. `maxLength` is the most tokens that the model takes. Throws
    /// `TokenizationError.unwritable`.
    public func writeConfiguration(to folder: URL, maxLength: Int = 512) throws {
        var configuration: [String: Any] = [
            "do_lower_case": lowercase,
            "model_max_length": maxLength,
            "strip_accents": NSNull(),
            "tokenize_chinese_chars": true,
            "tokenizer_class": "BertTokenizer",
            "cls_token": SpecialTokens.classificationText,
            TokenizerSettings.maskKey: findsMask ? SpecialTokens.maskText : NSNull(),
            "pad_token": SpecialTokens.paddingText,
            "sep_token": SpecialTokens.separatorText,
            "unk_token": SpecialTokens.unknownText,
        ]
        if !addedTokens.isEmpty {
            let tokens = addedTokens.map { token in
                let properties: [String: Any] = [
                    "content": token.content, "single_word": token.isSingleWord, "lstrip": token.stripsLeft,
                    "rstrip": token.stripsRight, "normalized": token.isNormalized, "special": token.isSpecial,
                ]
                return ("\(token.id)", properties)
            }
            configuration[TokenizerFolder.decoderKey] = Dictionary(uniqueKeysWithValues: tokens)
        }
        try write(Data(vocabulary.fileContents), to: folder.appendingPathComponent(TokenizerFolder.vocabularyFile))
        let json = try JSONSerialization.data(withJSONObject: configuration, options: [.prettyPrinted, .sortedKeys])
        try write(json + Data("\n".utf8), to: folder.appendingPathComponent(TokenizerFolder.configurationFile))
    }

    private func write(_ contents: Data, to file: URL) throws {
        do {
            try contents.write(to: file, options: .atomic)
        } catch {
            throw TokenizationError.unwritable(path: file.path, reason: error.localizedDescription)
        }
    }
}
