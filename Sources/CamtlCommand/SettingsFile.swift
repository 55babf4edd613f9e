import ArgumentParser
import Files
import Foundation
import Tasks

/// A file of settings in place of flags: a JSON object whose keys are the flags' names. The file that a run leaves is
/// one, and so are the original's.
struct SettingsFile {
    private let path: String
    private let text: String
    private let values: [String: JSONValue]

    /// - Throws: `CommandError` if it can't be read, or is no JSON object.
    init(path: String) throws {
        self.path = path
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw CommandError("\(path): \(isThere ? "this file of settings can't be read" : "there is no such file")")
        }
        if let misplaced = MisplacedContent(data) { throw CommandError("\(path): \(misplaced)") }
        text = String(decoding: data, as: UTF8.self)
        do {
            values = try JSONDecoder().decode([String: JSONValue].self, from: data)
        } catch DecodingError.dataCorrupted {
            throw CommandError("\(path):\(SettingsFile.lineOfFault(in: data)): this is not JSON from here on")
        } catch {
            throw CommandError("\(path): this is no JSON object; the keys of settings are flags' names")
        }
    }

    /// The line, from 1, where the data stops being JSON; the last if it just ends too early.
    private static func lineOfFault(in data: Data) -> Int {
        var end = data.count
        do {
            _ = try JSONSerialization.jsonObject(with: data)
        } catch {
            // Only the text of this parser's error has the place.
            let text = (error as NSError).userInfo["NSDebugDescription"] as? String
            if let place = text?.firstMatch(of: /character (\d+)/)?.1 { end = min(Int(place) ?? end, end) }
        }
        return 1 + data.prefix(end).filter { $0 == UInt8(ascii: "\n") }.count
    }

    /// The text of a setting, or nil if it has none.
    func text(_ name: String) -> String? {
        if case .text(let text) = values[name] { text } else { nil }
    }

    /// The command line that says the same.
    ///
    /// - Parameter known: every setting there is.
    /// - Throws: `CommandError` with every key that is unknown, and every value of a wrong kind.
    func arguments(known: [Setting]) throws -> [String] {
        var problems = Problems()
        var arguments: [String] = []
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            let place = "\(path):\(line(of: key)): \"\(key)\""
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
    private static func words(_ setting: Setting, _ value: JSONValue) -> [String]? {
        let flag = "--" + setting.name
        switch (setting.kind, value) {
        case (_, .null): return []
        case (.flag, .flag(let isSet)), (.flagOrText, .flag(let isSet)): return isSet ? [flag] : []
        case (.integer, .integer(let digits)), (.number, .integer(let digits)): return ["\(flag)=\(digits)"]
        case (.number, .number(let number)): return ["\(flag)=\(number)"]
        case (.text, .text(let text)), (.flagOrText, .text(let text)), (.list, .text(let text)):
            return ["\(flag)=\(text)"]
        case (.list, .list(let elements)):
            let texts = elements.compactMap { if case .text(let text) = $0 { text } else { nil } }
            return texts.count == elements.count ? texts.map { "\(flag)=\($0)" } : nil
        default: return nil
        }
    }

    /// The line that a key stands on, from 1.
    private func line(of key: String) -> Int {
        let pattern = "\"" + NSRegularExpression.escapedPattern(for: key) + "\"\\s*:"
        guard let place = text.range(of: pattern, options: .regularExpression) else { return 1 }
        return 1 + text[..<place.lowerBound].filter(\.isNewline).count
    }
}

/// Any JSON value.
private enum JSONValue: Decodable, CustomStringConvertible {
    case null
    case flag(Bool)
    /// Its digits.
    case integer(String)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .flag(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer("\(value)")
        } else if let value = try? container.decode(UInt64.self) {
            self = .integer("\(value)")
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object
        }
    }

    var description: String {
        switch self {
        case .null: "null"
        case .flag(let value): "\(value)"
        case .integer(let digits): digits
        case .number(let value): "\(value)"
        case .text(let value): value.debugDescription
        case .list(let values): "[\(values.map(\.description).joined(separator: ", "))]"
        case .object: "an object"
        }
    }
}
