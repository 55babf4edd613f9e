import ArgumentParser
import Files
import Foundation
import Tasks

/// A file of settings in place of flags: a JSON object whose keys are the flags' names. The file that a run leaves is
/// one, and so are the original's.
struct SettingsFile {
    private let path: String
    private let members: [JSONText.Member]

    /// - Parameter isNamed: whether the user named the file, which may then be a pipe.
    /// - Throws: `CommandError` if it can't be read, or is no JSON object.
    init(path: String, isNamed: Bool = true) throws {
        self.path = path
        let url = URL(fileURLWithPath: path)
        let data: Data
        do {
            data = isNamed ? try readNamedFile(url) : try readFile(url)
        } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw CommandError(
                "\(path): " + (isThere ? "this file of settings can't be read: \(error)" : "there is no such file"))
        }
        if let misplaced = MisplacedContent(data) { throw CommandError("\(path): \(misplaced)") }
        do {
            guard let members = try JSONText(data).members else {
                throw CommandError("\(path): this is no JSON object; the keys of settings are flags' names")
            }
            self.members = members
        } catch let fault as JSONText.Fault {
            throw CommandError("\(path):\(fault.line): this is not JSON from here on: \(fault.reason)")
        }
    }

    /// The text of a setting, or nil if it has none.
    func text(_ name: String) -> String? {
        members.last { $0.key == name }?.value.string
    }

    /// The command line that says the same.
    ///
    /// - Parameter known: every setting there is.
    /// - Throws: `CommandError` with every key that is unknown, and every value of a wrong kind.
    func arguments(known: [Setting]) throws -> [String] {
        var problems = Problems()
        var arguments: [String] = []
        var found: Set<String> = []
        for member in members.sorted(by: { ($0.key, $0.line) < ($1.key, $1.line) }) {
            let (key, value) = (member.key, member.value)
            let place = "\(path):\(member.line): \"\(key)\""
            guard found.insert(key).inserted else {
                problems.add("\(place) is there a second time")
                continue
            }
            guard let setting = known.first(where: { $0.name == key }) else {
                let nearest = nearestName(to: key, among: known.map(\.name))
                problems.add("\(place) is no setting" + (nearest.map { "; did you mean \"\($0)\"?" } ?? ""))
                continue
            }
            if let words = SettingsFile.words(setting, value) {
                arguments += words
            } else {
                problems.add("\(place) is \(value); it has to be \(setting.kind.rawValue)")
            }
        }
        try problems.throwIfAny()
        return arguments
    }

    /// What stands for a setting on the command line, or nil if the value is of a wrong kind.
    private static func words(_ setting: Setting, _ value: JSONText) -> [String]? {
        let flag = "--" + setting.name
        switch (setting.kind, value) {
        case (_, .null): return []
        case (.flag, .bool(let isSet)), (.flagOrText, .bool(let isSet)): return isSet ? [flag] : []
        case (.integer, .number(let text)):
            return wholeNumber(text).map { ["\(flag)=\($0)"] }
        case (.number, .number(let text)): return ["\(flag)=\(wholeNumber(text) ?? text)"]
        case (.text, .string(let text)), (.flagOrText, .string(let text)), (.list, .string(let text)):
            return ["\(flag)=\(text)"]
        case (.list, .array(let elements)):
            let texts = elements.compactMap(\.string)
            return texts.count == elements.count ? texts.map { "\(flag)=\($0)" } : nil
        default: return nil
        }
    }

    /// The digits of a whole number, however it is spelt.
    private static func wholeNumber(_ text: String) -> String? {
        if let value = UInt64(text) { return "\(value)" }
        return Double(text).flatMap { Int(exactly: $0) }.map { "\($0)" }
    }
}
