import Foundation

/// What a text of JSON says, with the order of an object's members and the spelling of its numbers.
///
/// Keys are told apart by their bytes, as Python does: of two spellings of one letter, `é` as one character and as two,
/// each is a key. (A Swift dictionary takes them for one.)
public enum JSONText: Sendable {
    case null
    case bool(Bool)
    /// As it is spelt: a number of JSON, or Python's `Infinity`, `-Infinity` and `NaN`.
    case number(String)
    case string(String)
    case array([JSONText])
    case object([Member])

    /// A key with its value.
    public struct Member: Sendable {
        public let key: String
        public let value: JSONText
        /// The line of the key, counted from 1.
        public let line: Int
    }

    /// Where a text stops being JSON, and why.
    public struct Fault: Error, Equatable, CustomStringConvertible {
        /// Counted from 1.
        public let line: Int
        public let reason: String

        public var description: String { "line \(line) is not JSON: \(reason)" }
    }

    /// More levels of arrays and objects in each other are refused, so that no text can use up a thread's stack.
    public static let deepestNesting = 128

    /// Reads UTF-8, with or without a byte order mark before it.
    ///
    /// It is JSON as Python writes it: `Infinity`, `-Infinity` and `NaN` are numbers.
    ///
    /// - Throws: ``Fault``.
    public init(_ data: some Collection<UInt8>) throws {
        let read: JSONText? = try data.withContiguousStorageIfAvailable { bytes in
            try JSONText(buffer: UnsafeRawBufferPointer(bytes))
        }
        self = try read ?? Array(data).withUnsafeBytes { try JSONText(buffer: $0) }
    }

    private init(buffer: UnsafeRawBufferPointer) throws {
        var parser = JSONParser(buffer)
        self = try parser.document()
    }

    /// The members of an object; nil for anything else.
    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The elements of an array; nil for anything else.
    public var elements: [JSONText]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// A string's text; nil for anything else.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Whether it is true or false; nil for anything else.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// A whole number's value, however it is spelt (`3.0`); nil for anything else and for what is no `Int`.
    public var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The value of an object's key, the last one's where it has several; nil where there is none.
    public subscript(_ key: String) -> JSONText? {
        members?.last { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }

    /// The value as Foundation's reader gives it: a dictionary, an array, a string, a number or `NSNull`.
    public var foundationObject: Any {
        switch self {
        case .null: return NSNull()
        case .bool(let value): return NSNumber(value: value)
        case .number(let text):
            if let value = Int(text) { return NSNumber(value: value) }
            if let value = UInt64(text) { return NSNumber(value: value) }
            return NSNumber(value: Double(text) ?? .nan)
        case .string(let text): return text
        case .array(let elements): return elements.map(\.foundationObject)
        case .object(let members):
            return Dictionary(members.map { ($0.key, $0.value.foundationObject) }) { $1 }
        }
    }

    /// An object's text for people to read, keys in order: what `foundationObject` gave, in UTF-8 with a line feed.
    ///
    /// Numbers that are not finite are written as Python writes and reads them; to others the text is no JSON then, as
    /// the one that it came from was not.
    public static func data(of object: [String: Any]) throws -> Data {
        var isFinite = true
        /// Of no text of ours, as JSON has to escape it.
        let mark = "\u{1}"
        func replaced(_ value: Any) -> Any {
            switch value {
            case let value as [String: Any]: return value.mapValues(replaced)
            case let value as [Any]: return value.map(replaced)
            case let value as NSNumber where !value.doubleValue.isFinite:
                isFinite = false
                let number = value.doubleValue
                return mark + (number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity") + mark
            default: return value
            }
        }
        let data = try JSONSerialization.data(
            withJSONObject: object.mapValues(replaced),
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        if isFinite { return data + [0x0A] }
        let text = String(decoding: data, as: UTF8.self).replacing(/"\\u0001(NaN|-?Infinity)\\u0001"/) { $0.1 }
        return Data((text + "\n").utf8)
    }
}

extension JSONText {
    /// A text as JSON has a string, in quotation marks.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSONText: CustomStringConvertible {
    /// Short enough for a message.
    public var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): String(text.prefix(40))
        case .string(let text): (text.utf8.count > 80 ? text.prefix(60) + "…" : text).debugDescription
        case .array(let elements):
            elements.count > 8
                ? "a list of \(elements.count)" : "[\(elements.map(\.description).joined(separator: ", "))]"
        case .object: "an object"
        }
    }
}
