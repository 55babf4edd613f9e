import Files
import Foundation

/// The keys of `tokenizer_config.json` and `special_tokens_map.json` that decide which ids come out, as transformers
/// names them.
enum TokenizerSettings {
    static let maskKey = "mask_token"
    private static let lowercaseKey = "do_lower_case"

    /// What the configuration says of the case; nil where it says nothing.
    static func lowercase(_ file: JSONFile) throws -> Bool? {
        try flag(lowercaseKey, file)
    }

    /// The special tokens' roles with BERT's texts for them.
    private static let roles = [
        ("unk_token", SpecialTokens.unknownText), ("sep_token", SpecialTokens.separatorText),
        ("pad_token", SpecialTokens.paddingText), ("cls_token", SpecialTokens.classificationText),
        (maskKey, SpecialTokens.maskText),
    ]

    /// Flags with the one value that is BERT's.
    private static let flags = [
        ("tokenize_chinese_chars", true), ("do_basic_tokenize", true), ("clean_text", true),
        ("split_special_tokens", false), ("add_bos_token", false), ("add_eos_token", false),
    ]

    /// Tokenizers of transformers that do what BERT's does, with `Fast` at their end or without.
    private static let classes: Set = [
        "BertTokenizer", "BertTokenizerLegacy", "ConvBertTokenizer", "ElectraTokenizer", "LayoutLMTokenizer",
        "MobileBertTokenizer",
    ]
    /// Those that do what `tokenizer.json` says.
    private static let generic: Set = ["PreTrainedTokenizer", "TokenizersBackend"]

    /// Checks that nothing asks for other ids than BERT's.
    ///
    /// - Throws: `TokenizationError.invalidConfiguration`.
    static func check(_ file: JSONFile, _ lowercase: Bool) throws {
        func refuse(_ key: String, _ value: some CustomStringConvertible, _ expected: String) -> TokenizationError {
            file.fault("\(key) is \(value), which is not supported; BERT's is \(expected)")
        }
        if let strips = try flag("strip_accents", file), strips != lowercase {
            throw file.fault(
                "strip_accents is \(strips) with \(lowercaseKey) \(lowercase), which is not supported; "
                    + "both must be true or both false")
        }
        for (key, expected) in flags {
            if let found = try flag(key, file), found != expected {
                throw file.fault("\(key) is \(found), which is not supported")
            }
        }
        for (key, expected) in roles {
            guard let value = file.root[key], !value.isNull else { continue }
            let text = try TokenEntry(value, file).content
            if text != expected { throw refuse(key, text.debugDescription, expected) }
        }
        for (key, expected) in [("truncation_side", "right"), ("wordpieces_prefix", "##")] {
            if let value = file.root[key], !value.isNull, value.string != expected {
                throw refuse(key, value, expected)
            }
        }
        if let names = file.root["model_input_names"]?.elements?.map(\.string), !names.contains("token_type_ids") {
            throw file.fault(
                "model_input_names lacks token_type_ids, which is not supported: BERT's inputs have the type of each "
                    + "token, 1 in a second text")
        }
    }

    /// Checks that the tokenizer is one that does what BERT's does.
    static func checkClass(_ file: JSONFile, _ lowercase: Bool, _ tokenizer: TokenizerFile?) throws {
        if let code = file.root["auto_map"]?["AutoTokenizer"], !code.isNull {
            throw file.fault("auto_map: the tokenizer is code of its own, which is not supported")
        }
        guard let value = file.root["tokenizer_class"], !value.isNull else { return }
        let name = value.string.map { $0.hasSuffix("Fast") ? String($0.dropLast(4)) : $0 } ?? ""
        if generic.contains(name) {
            // These take the case from the tokenizer's own file.
            if let tokenizer, tokenizer.lowercase != lowercase {
                throw file.fault(
                    "\(lowercaseKey) is \(lowercase), and the normalizer of \(TokenizerFile.name) has lowercase "
                        + "\(tokenizer.lowercase); they have to agree")
            }
        } else if !classes.contains(name) {
            throw file.fault("tokenizer_class is \(value), which is not supported; BERT's is BertTokenizer")
        }
    }

    /// Checks that no word is kept whole that is not found as an added token.
    static func checkNeverSplit(_ file: JSONFile, _ tokens: [AddedToken]) throws {
        guard let value = file.root["never_split"], !value.isNull else { return }
        let found = Set((tokens.map(\.content) + SpecialTokens.all).map { Array($0.utf8) })
        let words = value.elements?.map(\.string)
        guard words?.allSatisfy({ $0.map { found.contains(Array($0.utf8)) } ?? false }) == true else {
            throw file.fault("never_split is \(value), which is not supported: add such words as tokens")
        }
    }

    private static func flag(_ key: String, _ file: JSONFile) throws -> Bool? {
        guard let value = file.root[key], !value.isNull else { return nil }
        guard let flag = value.bool else { throw file.fault("\(key) is \(value); it has to be true or false") }
        return flag
    }
}
