import Files
import Foundation

/// A JSON object in one of a tokenizer's files.
struct JSONFile {
    let url: URL
    let root: JSONText

    /// - Throws: `TokenizationError` if the file can't be read, or is no JSON object.
    init(_ url: URL) throws {
        self.url = url
        let data = try contents(of: url)
        do {
            root = try JSONText(data)
        } catch let fault as JSONText.Fault {
            throw TokenizationError.invalidConfiguration(path: url.path, reason: "not a JSON object: \(fault)")
        }
        if root.members == nil { throw fault("not a JSON object, but \(root)") }
    }

    /// nil where there is no such file.
    init?(ifThere url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        try self.init(url)
    }

    var name: String { url.lastPathComponent }

    func fault(_ reason: String) -> TokenizationError { .invalidConfiguration(path: url.path, reason: reason) }

    /// The members, where a key that is there several times has its last value.
    var members: [(key: String, value: JSONText)] {
        var places: [[UInt8]: Int] = [:]
        var result: [(String, JSONText)] = []
        for member in root.members ?? [] {
            let key = Array(member.key.utf8)
            if let place = places[key] {
                result[place].1 = member.value
            } else {
                places[key] = result.count
                result.append((member.key, member.value))
            }
        }
        return result
    }
}

/// A token as a file has it: plainly its text, or an object with properties.
struct TokenEntry {
    var content: String
    var id: Int?
    var isSingleWord = false
    var stripsLeft = false
    var stripsRight = false
    /// nil where the file does not say: a special token is not normalised, another is.
    var isNormalized: Bool?
    var isSpecial: Bool?

    /// Whether both have the same bytes: two spellings of one letter, which are equal strings, are two tokens.
    func hasSameText(_ other: TokenEntry) -> Bool { content.utf8.elementsEqual(other.content.utf8) }

    init(content: String, id: Int?) {
        self.content = content
        self.id = id
    }

    init(_ value: JSONText, id: Int? = nil, _ file: JSONFile) throws {
        if let text = value.string {
            self.init(content: text, id: id)
            return
        }
        guard let content = value["content"]?.string else {
            throw file.fault("a token is \(value); it has to be a text, or an object with \"content\"")
        }
        func flag(_ key: String) throws -> Bool? {
            guard let found = value[key], !found.isNull else { return nil }
            guard let flag = found.bool else {
                throw file.fault("the token \(content.debugDescription) has \"\(key)\": \(found)")
            }
            return flag
        }
        self.init(content: content, id: id)
        if let found = value["id"] {
            guard let number = found.integer else {
                throw file.fault("the token \(content.debugDescription) has \"id\": \(found)")
            }
            self.id = number
        }
        isSingleWord = try flag("single_word") ?? false
        stripsLeft = try flag("lstrip") ?? false
        stripsRight = try flag("rstrip") ?? false
        isNormalized = try flag("normalized")
        isSpecial = try flag("special")
    }
}
