import Files
import Foundation

/// A `tokenizer.json`, in which the PyPI package `tokenizers` keeps a whole tokenizer: newer folders of transformers
/// have it in place of `vocab.txt`.
struct TokenizerFile {
    static let name = "tokenizer.json"

    /// The tokens with their ids, in the file's order.
    let ids: [(token: String, id: Int)]
    /// What its normaliser does.
    let lowercase: Bool
    let addedTokens: [TokenEntry]
    private let file: JSONFile

    /// - Throws: `TokenizationError` if the file can't be read, or is not of a WordPiece tokenizer as BERT's is.
    init(contentsOf url: URL) throws {
        let file = try JSONFile(url)
        self.file = file
        guard let model = file.root["model"], let vocabulary = model["vocab"]?.members else {
            throw file.fault("this is no tokenizer's JSON object with a \"model\" and its \"vocab\"")
        }
        let expected = [
            ("type", "WordPiece"), ("continuing_subword_prefix", "##"), ("unk_token", SpecialTokens.unknownText),
            ("max_input_chars_per_word", "\(TextEncoder.longestWord)"),
        ]
        for (key, value) in expected {
            guard let found = model[key], !found.isNull else { continue }
            let text = found.string ?? "\(found)"
            if text != value {
                throw file.fault("\"\(key)\" is \(text), which is not supported; BERT's is \(value)")
            }
        }
        ids = try vocabulary.map { member in
            guard let id = member.value.integer, id >= 0 else {
                throw file.fault("the token \(member.key.debugDescription) has the id \(member.value)")
            }
            return (member.key, id)
        }
        let strangers = Self.steps.compactMap { Self.stranger($0, file) }
        if !strangers.isEmpty { throw file.fault(strangers.joined(separator: "; ")) }
        lowercase = try Self.lowercase(file)
        try Self.checkSteps(file)
        addedTokens = try (file.root["added_tokens"]?.elements ?? []).map { try TokenEntry($0, file) }
    }

    /// The tokens in the order of their ids, which have to be 0, 1, 2 and so on.
    func vocabulary() throws -> Vocabulary {
        var tokens: [String?] = Array(repeating: nil, count: ids.count)
        for (token, id) in ids {
            guard tokens.indices.contains(id) else {
                throw file.fault("its \(ids.count) tokens don't have the ids 0 to \(ids.count - 1)")
            }
            if let other = tokens[id] {
                throw file.fault("\(other.debugDescription) and \(token.debugDescription) both have the id \(id)")
            }
            tokens[id] = token
        }
        return try Vocabulary(tokens: tokens.compactMap { $0 })
    }

    /// Checks that a `vocab.txt` gives the same tokens the same ids.
    func check(_ vocabulary: Vocabulary, in list: URL) throws {
        let stray = ids.first { token, id in vocabulary.id(of: token).map(Int.init) != id && !token.isEmpty }
        if let (token, id) = stray {
            let other = vocabulary.id(of: token).map { "the id \($0)" } ?? "no such token"
            throw file.fault(
                "\(token.debugDescription) has the id \(id), and \(list.lastPathComponent) has \(other): remove the "
                    + "file of the two that is not the model's")
        }
        let found = Set(ids.map(\.id))
        for id in 0..<Int32(vocabulary.count) where !found.contains(Int(id)) {
            guard let token = vocabulary.token(of: id), !token.isEmpty, vocabulary.id(of: token) == id else { continue }
            throw file.fault(
                "it lacks \(token.debugDescription), which \(list.lastPathComponent) has with the id \(id): remove "
                    + "the file of the two that is not the model's")
        }
    }
}

// MARK: - The steps around the model

extension TokenizerFile {
    /// Whether the normaliser, which has to be BERT's, puts text in lower case and strips accents.
    private static func lowercase(_ file: JSONFile) throws -> Bool {
        let normalizer = found(steps[0], file)
        func flag(_ key: String) throws -> Bool? {
            guard let value = normalizer[key], !value.isNull else { return nil }
            guard let flag = value.bool else { throw file.fault("its normalizer's \"\(key)\" is \(value)") }
            return flag
        }
        let lowercase = try flag("lowercase") ?? true
        for key in ["clean_text", "handle_chinese_chars"] where try flag(key) == false {
            throw file.fault("its normalizer's \"\(key)\" is false, which is not supported; BERT's is true")
        }
        if let strips = try flag("strip_accents"), strips != lowercase {
            throw file.fault(
                "its normalizer's \"strip_accents\" is \(strips) with \"lowercase\" \(lowercase), which is not "
                    + "supported; both must be true or both false")
        }
        return lowercase
    }

    /// Checks what is put around a text, and how it is cut.
    private static func checkSteps(_ file: JSONFile) throws {
        let processor = found(steps[2], file)
        let isBERTs =
            processor["type"]?.string == "BertProcessing"
            ? processor["cls"]?.elements?.first?.string == SpecialTokens.classificationText
                && processor["sep"]?.elements?.first?.string == SpecialTokens.separatorText
            : template(processor["single"]) == ["[CLS]:0", "A:0", "[SEP]:0"]
                && template(processor["pair"]) == ["[CLS]:0", "A:0", "[SEP]:0", "B:1", "[SEP]:1"]
        if !isBERTs {
            throw file.fault(
                "its post_processor makes other inputs than BERT's [CLS] A [SEP] and [CLS] A [SEP] B [SEP], of the "
                    + "token types 0 and 1, which is not supported")
        }
        if let side = file.root["truncation"]?["direction"]?.string, side.lowercased() != "right" {
            throw file.fault("its truncation's \"direction\" is \(side), which is not supported; BERT's is Right")
        }
    }

    /// A step around the model: its key, that of the list in a sequence, and the types that do what BERT's does.
    private typealias Step = (key: String, list: String, types: [String])

    private static let steps: [Step] = [
        ("normalizer", "normalizers", ["BertNormalizer"]), ("pre_tokenizer", "pretokenizers", ["BertPreTokenizer"]),
        ("post_processor", "processors", ["TemplateProcessing", "BertProcessing"]),
    ]

    /// A step's object, or the one in a sequence of one.
    private static func found(_ step: Step, _ file: JSONFile) -> JSONText {
        var value = file.root[step.key] ?? .null
        while value["type"]?.string == "Sequence", let steps = value[step.list]?.elements, steps.count == 1 {
            value = steps[0]
        }
        return value
    }

    /// What is wrong with a step's type, or nil.
    private static func stranger(_ step: Step, _ file: JSONFile) -> String? {
        let value = found(step, file)
        let type = value["type"]?.string
        if let type, step.types.contains(type) { return nil }
        let parts = value[step.list]?.elements?.compactMap { $0["type"]?.string }.joined(separator: ", ")
        let name = type.map { $0 + (parts.map { " of \($0)" } ?? "") } ?? "none"
        return "its \(step.key) is \(name), which is not supported; BERT's is \(step.types[0])"
    }

    /// The parts of a template, such as `A:0`.
    private static func template(_ value: JSONText?) -> [String]? {
        value?.elements?.map { part in
            let content = part["Sequence"] ?? part["SpecialToken"]
            return "\(content?["id"]?.string ?? "?"):\(content?["type_id"]?.integer ?? -1)"
        }
    }
}
