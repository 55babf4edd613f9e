import Files
import Foundation

/// The files of a model's folder that say how its texts are made into ids.
///
/// What they say of added tokens is taken as `transformers` 5 does. Where they contradict each other, and for all that
/// is not done here, they are refused by name.
struct TokenizerFolder {
    static let vocabularyFile = "vocab.txt"
    static let configurationFile = "tokenizer_config.json"
    static let addedTokensFile = "added_tokens.json"
    static let specialTokensFile = "special_tokens_map.json"

    let vocabulary: Vocabulary
    let lowercase: Bool
    let findsMask: Bool
    private(set) var addedTokens: [AddedToken] = []

    private let settings: JSONFile?
    private let specialTokens: JSONFile?
    private let tokenizer: TokenizerFile?

    /// - Throws: `TokenizationError`.
    init(_ folder: URL) throws {
        func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
        settings = try JSONFile(ifThere: url(Self.configurationFile))
        specialTokens = try JSONFile(ifThere: url(Self.specialTokensFile))
        let files = FileManager.default
        let list = url(Self.vocabularyFile)
        tokenizer =
            files.fileExists(atPath: url(TokenizerFile.name).path)
            ? try TokenizerFile(contentsOf: url(TokenizerFile.name)) : nil
        if let tokenizer, !files.fileExists(atPath: list.path) {
            vocabulary = try tokenizer.vocabulary()
        } else {
            vocabulary = try Vocabulary(contentsOf: list)
            try tokenizer?.check(vocabulary, in: list)
        }
        let chosen = try settings.flatMap { try TokenizerSettings.lowercase($0) }
        lowercase = chosen ?? tokenizer?.lowercase ?? !vocabulary.isCased
        for file in [settings, specialTokens].compactMap({ $0 }) { try TokenizerSettings.check(file, lowercase) }
        if let settings { try TokenizerSettings.checkClass(settings, lowercase, tokenizer) }
        findsMask = settings?.root[TokenizerSettings.maskKey]?.isNull != true
        let added = try JSONFile(ifThere: url(Self.addedTokensFile))
        addedTokens = try tokens(added)
        if let settings { try TokenizerSettings.checkNeverSplit(settings, addedTokens) }
    }
}

extension Vocabulary {
    /// Whether all capital letters from A to Z are tokens.
    fileprivate var isCased: Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).allSatisfy { id(of: String(UnicodeScalar($0))) != nil }
    }
}

// MARK: - Added tokens

extension TokenizerFolder {
    static let decoderKey = "added_tokens_decoder"

    /// All tokens that are looked for in a text.
    private func tokens(_ added: JSONFile?) throws -> [AddedToken] {
        let named = try namedTokens()
        var entries: [TokenEntry]
        if let settings, let decoder = settings.root[Self.decoderKey], !decoder.isNull {
            entries = try (decoder.members ?? []).map { member in
                guard let id = Int(member.key) else {
                    throw settings.fault("\"\(Self.decoderKey)\" has the key \(member.key.debugDescription), no id")
                }
                return try TokenEntry(member.value, id: id, settings)
            }
            try checkAgreement(of: entries, with: added)
        } else {
            entries = try listedTokens(added, named)
        }
        for entry in named where !entries.contains(where: entry.hasSameText) { entries.append(entry) }
        return try withIDs(entries)
    }

    /// The tokens of `added_tokens.json` and of `tokenizer.json`, which has the say where both have one.
    private func listedTokens(_ added: JSONFile?, _ named: [TokenEntry]) throws -> [TokenEntry] {
        var entries: [TokenEntry] = []
        for (content, value) in added?.members ?? [] {
            guard let id = value.integer else {
                throw TokenizationError.invalidConfiguration(
                    path: added?.url.path ?? "", reason: "\(content.debugDescription) has the id \(value)")
            }
            var entry = TokenEntry(content: content, id: id)
            // Transformers knows only those as special that tokenizer_config.json names.
            entry.isSpecial = named.contains { $0.isSpecial == true && entry.hasSameText($0) }
            entry.isNormalized = entry.isSpecial == false
            entries.append(entry)
        }
        for token in tokenizer?.addedTokens ?? [] {
            if let place = entries.firstIndex(where: token.hasSameText) {
                guard entries[place].id == token.id else {
                    throw conflict(token, "\(Self.addedTokensFile) and \(TokenizerFile.name) give it different ids")
                }
                entries[place] = token
            } else {
                entries.append(token)
            }
        }
        return entries
    }

    /// Checks that the other files have no other tokens than `added_tokens_decoder`, which has the say.
    private func checkAgreement(of entries: [TokenEntry], with added: JSONFile?) throws {
        let ids = Dictionary(entries.map { (Array($0.content.utf8), $0.id) }) { $1 }
        var others: [(TokenEntry, String)] = (tokenizer?.addedTokens ?? []).map { ($0, TokenizerFile.name) }
        for (content, value) in added?.members ?? [] {
            others.append((TokenEntry(content: content, id: value.integer), Self.addedTokensFile))
        }
        for (token, file) in others {
            let key = Array(token.content.utf8)
            if ids[key] == nil, SpecialTokens.all.contains(token.content) { continue }
            guard let id = ids[key], id == token.id else {
                throw conflict(
                    token, "\(file) has it with another id than \"\(Self.decoderKey)\" of \(Self.configurationFile), "
                        + "or that has it not at all")
            }
        }
        for token in tokenizer?.addedTokens ?? [] {
            let same = entries.first(where: token.hasSameText)
            if let same, !completed(same, id: 0).isFound(as: completed(token, id: 0)) {
                throw conflict(
                    token, "\(TokenizerFile.name) gives it other properties than \"\(Self.decoderKey)\" of "
                        + Self.configurationFile)
            }
        }
    }

    private func conflict(_ token: TokenEntry, _ reason: String) -> TokenizationError {
        .badAddedToken(token.content, reason: reason)
    }

    /// The special tokens that the configuration names, BERT's own less: those of roles, then the others in order.
    private func namedTokens() throws -> [TokenEntry] {
        var named: [TokenEntry] = []
        func add(_ value: JSONText, _ file: JSONFile, isKnownSpecial: Bool) throws {
            if value.isNull { return }
            var entry = try TokenEntry(value, file)
            if named.contains(where: entry.hasSameText) { return }
            if SpecialTokens.all.contains(entry.content), value.string != nil { return }
            entry.id = nil
            // A name that is given in the map of special tokens alone makes no token of added_tokens.json special.
            entry.isSpecial = isKnownSpecial
            if entry.isNormalized == nil { entry.isNormalized = false }
            named.append(entry)
        }
        // With added_tokens_decoder, the map is not read by transformers, and says the same where it wrote both.
        let files = [settings, specialTokens].compactMap { $0 }
        for file in files {
            let roles = file.members.filter {
                $0.key.hasSuffix("_token") && ($0.value.string ?? $0.value["content"]?.string) != nil
            }
            for (_, value) in roles { try add(value, file, isKnownSpecial: true) }
        }
        for file in files {
            for key in ["extra_special_tokens", "additional_special_tokens"] {
                guard let value = file.root[key], !value.isNull else { continue }
                guard let list = value.elements ?? value.members.map({ $0.map(\.value) }) else {
                    throw file.fault("\"\(key)\" is \(value); it has to be a list of tokens")
                }
                let isKnown = file.url == settings?.url || key == "extra_special_tokens"
                for token in list { try add(token, file, isKnownSpecial: isKnown) }
            }
        }
        return named
    }

    private func completed(_ entry: TokenEntry, id: Int32) -> AddedToken {
        let isSpecial = entry.isSpecial ?? false
        return AddedToken(
            content: entry.content, id: id, isSingleWord: entry.isSingleWord, stripsLeft: entry.stripsLeft,
            stripsRight: entry.stripsRight, isNormalized: entry.isNormalized ?? !isSpecial, isSpecial: isSpecial)
    }

    /// Gives those without an id the vocabulary's, or the next after the others', as the packages do.
    private func withIDs(_ entries: [TokenEntry]) throws -> [AddedToken] {
        let given = try entries.map { entry in
            try entry.id.map { id in
                guard let id = Int32(exactly: id), id >= 0 else { throw conflict(entry, "its id is \(id)") }
                return id
            }
        }
        var next = max(vocabulary.count, (given.compactMap { $0 }.max().map(Int.init) ?? -1) + 1)
        return try zip(entries, given).map { entry, id in
            if let id { return completed(entry, id: id) }
            if let id = vocabulary.id(of: entry.content) { return completed(entry, id: id) }
            guard vocabulary.id(of: SpecialTokens.maskText) != nil || !findsMask else {
                throw conflict(
                    entry, "no file gives it an id, nor \(SpecialTokens.maskText) that the vocabulary lacks: save the "
                        + "tokenizer with transformers again, which writes \"\(Self.decoderKey)\"")
            }
            defer { next += 1 }
            guard let id = Int32(exactly: next) else { throw conflict(entry, "its id would be \(next)") }
            return completed(entry, id: id)
        }
    }
}

/// The content of one of a tokenizer's files.
///
/// - Throws: `TokenizationError` if it can't be read, or something else stands in its place.
func contents(of url: URL) throws -> Data {
    let data: Data
    do {
        data = try readFile(url)
    } catch {
        throw TokenizationError.unreadable(path: url.path, reason: error.description)
    }
    if let misplaced = MisplacedContent(data) {
        throw TokenizationError.unreadable(path: url.path, reason: "\(misplaced)")
    }
    return data
}
