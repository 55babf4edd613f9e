import ArgumentParser
import Foundation
import Training

/// A flag with its value in a run.
struct Setting {
    /// What the flag's value is in a file of settings.
    enum Kind: String {
        case flag = "true or false"
        case integer = "a whole number"
        case number = "a number"
        case text = "text"
        case list = "a list of text"
        /// The flag alone, or with a value.
        case flagOrText = "text, or true"
    }

    /// Without the dashes.
    let name: String
    let kind: Kind
    let value: SettingsRecord.Value

    init(_ name: String, _ value: Bool) { self.init(name, .flag, .flag(value)) }
    init(_ name: String, _ value: Int?) { self.init(name, .integer, value.map { .integer($0) }) }
    init(_ name: String, _ value: UInt64) { self.init(name, .integer, .natural(value)) }
    init(_ name: String, _ value: Double?) { self.init(name, .number, value.map { .number($0) }) }
    init(_ name: String, _ value: String?) { self.init(name, .text, value.map { .text($0) }) }
    init(_ name: String, _ value: [String]) { self.init(name, .list, value.isEmpty ? nil : .list(value)) }

    init(_ name: String, _ kind: Kind, _ value: SettingsRecord.Value?) {
        self.name = name
        self.kind = kind
        self.value = value ?? .absent
    }

    /// A file's or folder's absolute path, so that the settings mean the same from anywhere.
    init(_ name: String, path: String?) {
        self.init(name, path.map { URL(fileURLWithPath: $0).path })
    }
}

/// A group of flags.
protocol SettingsGroup: ParsableArguments {
    /// Every flag of the group with its value.
    var settings: [Setting] { get }
    /// Adds what is wrong with the values.
    func check(_ problems: inout Problems)
}

extension SettingsGroup {
    func check(_ problems: inout Problems) {}
}

/// What is wrong with a command line, said in one message.
struct Problems {
    /// Beyond any use, and far enough from where counting ends.
    static let highestCount = 1_000_000_000

    private var list: [String] = []

    mutating func add(_ problem: String) { list.append(problem) }

    mutating func catching<Result>(_ body: () throws -> Result) -> Result? {
        do { return try body() } catch {
            list.append("\(error)")
            return nil
        }
    }

    /// Wants numbers of a range.
    mutating func check(_ name: String, _ count: Int?, from lowest: Int = 1, to highest: Int = highestCount) {
        if let count, !(lowest...highest).contains(count) {
            add("--\(name) is \(count); it has to be from \(lowest) to \(highest)")
        }
    }

    func throwIfAny() throws {
        if !list.isEmpty { throw CommandError(list.joined(separator: "\n")) }
    }
}

/// A message for the user, without the usage text behind it.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
