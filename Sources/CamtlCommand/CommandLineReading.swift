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
        guard !given.isEmpty else {
            throw ValidationError(
                "nothing to do: a run takes --model_name_or_path, --data_dir and --output_dir, and one or more of "
                    + "--do_train, --do_eval and --do_predict")
        }
        let unknown = CommandLineReading.unknownFlags(in: given, known: settings.map(\.name))
        guard unknown.isEmpty else { throw ValidationError(unknown.joined(separator: "\n")) }
        arguments = given
    }

    /// Refuses flags that a subcommand doesn't have, before its parser misses what was mistyped.
    ///
    /// - Throws: `CommandError` with each of them.
    static func check(_ given: [String], of subcommand: any ParsableCommand.Type) throws {
        let known = subcommand.helpMessage(includeHidden: true, columns: 1000).matches(of: /(?m)^  --([a-z0-9_]+)/)
        let unknown = unknownFlags(in: given, known: known.map { String($0.output.1) })
        guard unknown.isEmpty else {
            let name = subcommand.configuration.commandName ?? ""
            throw CommandError((unknown + ["`camtl \(name) --help` lists the flags"]).joined(separator: "\n"))
        }
    }

    /// A message for each flag that there isn't, with the nearest name.
    private static func unknownFlags(in given: [String], known: [String]) -> [String] {
        given.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }
            .map { String($0.dropFirst(2).prefix { $0 != "=" }) }
            .filter { !(known + parserFlags).contains($0) }
            .map { name in
                let nearest = nearestName(to: name, among: known)
                return "--\(name): there is no such flag" + (nearest.map { "; did you mean --\($0)?" } ?? "")
            }
    }
}
