import Files
import Foundation

/// A run's settings by name, as they are saved with it. Saved settings can be given back to the program.
public struct SettingsRecord: Sendable, Equatable {
    /// A setting's value.
    public enum Value: Sendable, Equatable {
        /// Not given, and without a default of its own: `null`.
        case absent
        case flag(Bool)
        case integer(Int)
        /// A number that may be beyond the greatest `Int`.
        case natural(UInt64)
        /// A finite number.
        case number(Double)
        case text(String)
        case list([String])
    }

    /// The file's name in a run's output folder.
    public static let fileName = "run_config.json"

    /// Each setting once, in the order of the help text.
    public private(set) var entries: [(name: String, value: Value)]

    /// - Parameter entries: no name twice.
    public init(_ entries: [(name: String, value: Value)] = []) { self.entries = entries }

    public static func == (a: SettingsRecord, b: SettingsRecord) -> Bool {
        a.entries.elementsEqual(b.entries) { $0 == $1 }
    }

    /// Gives a value to a setting of the record that has none.
    public mutating func fill(_ name: String, with value: Value) {
        guard let place = entries.firstIndex(where: { $0.name == name }), entries[place].value == .absent else {
            return
        }
        entries[place].value = value
    }

    /// The settings as a JSON object, one on a line in their order.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let lines = try entries.map { name, value in
            let value = String(decoding: try encoder.encode(value), as: UTF8.self)
            return "  \"\(name)\": \(value)"
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    /// Writes the file into a folder, whole or not at all; nothing if there are no settings.
    func write(to folder: URL) throws {
        guard !entries.isEmpty else { return }
        let text = try json()
        try writeAtomically(to: folder.appendingPathComponent(SettingsRecord.fileName)) { try $0.write(text) }
    }
}

extension SettingsRecord.Value: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .absent: try container.encodeNil()
        case .flag(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .natural(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        }
    }
}
