import ArgumentParser
import Foundation
import Tasks

/// A command line without a subcommand before it is parsed: a file of settings is replaced by the flags that it
/// stands for, and a name that is none is refused with the nearest right one.
struct CommandLineReading {
    /// What there is to parse.
    let arguments: [String]

    /// Flags that the argument parser adds.
    private static let parserFlags = [
        "help", "help-hidden", "version", "generate-completion-script", "experimental-dump-help",
    ]

    /// - Parameter settings: every setting there is.
    /// - Throws: `CommandError`, `ValidationError`.
    init(_ given: [String], settings: [Setting]) throws {
        if let file = given.first, file.hasSuffix(".json") {
            guard given.count == 1 else {
                throw ValidationError("\(file): a file of settings stands alone; put the other flags into it")
            }
            arguments = try SettingsFile(path: file).arguments(known: settings)
            return
        }
        if let word = given.first, !word.hasPrefix("-"), word != "help" {
            let nearest = nearestName(to: word, among: Subcommands.names)
            throw ValidationError(
                "\(word): there is no such command"
                    + (nearest.map { "; did you mean \($0)?" } ?? ", and settings are given by flags"))
        }
        let known = settings.map(\.name) + CommandLineReading.parserFlags
        let unknown = given.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }
            .map { $0.dropFirst(2).prefix { $0 != "=" } }.filter { !known.contains(String($0)) }
        guard unknown.isEmpty else {
            let messages = unknown.map { name in
                let nearest = nearestName(to: String(name), among: settings.map(\.name))
                return "--\(name): there is no such flag" + (nearest.map { "; did you mean --\($0)?" } ?? "")
            }
            throw ValidationError(messages.joined(separator: "\n"))
        }
        arguments = given
    }
}
