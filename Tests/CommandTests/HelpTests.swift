import Foundation
import XCTest

final class HelpTests: CommandTestCase {
    /// What the help text says of a flag.
    private struct Entry {
        let name: String
        let text: String
        /// "off" where none is given.
        var standard: String {
            if text.contains("(required") {
                return text.components(separatedBy: "(")[1].components(separatedBy: ")")[0]
            }
            guard let place = text.range(of: "default: ") else { return "off" }
            return text[place.upperBound...].components(separatedBy: ")")[0]
        }
    }

    /// The flags by the titles of their groups.
    private func help() throws -> [String: [Entry]] {
        var result: [String: [Entry]] = [:]
        var title = ""
        for line in try camtl(["--help"], environment: ["COLUMNS": "200"]).text.split(separator: "\n") {
            if line.hasSuffix(":"), !line.hasPrefix(" ") {
                title = String(line.dropLast())
            } else if line.hasPrefix("  --") {
                let words = line.drop { $0 == " " || $0 == "-" }.split(separator: " ", maxSplits: 1)
                var text = (words.count > 1 ? String(words[1]) : "").drop { $0 == " " }
                if text.hasPrefix("<") || text.hasPrefix("[<") { text = text.drop { $0 != " " } }
                result[title, default: []].append(Entry(name: String(words[0]), text: String(text)))
            } else if line.hasPrefix("    "), let entry = result[title]?.popLast() {
                let more = line.trimmingCharacters(in: .whitespaces)
                result[title, default: []].append(Entry(name: entry.name, text: "\(entry.text) \(more)"))
            }
        }
        return result
    }

    private static let groups = [
        "MODEL", "DATA", "TRAINING", "EVALUATION AND PREDICTION", "CHECKPOINTS AND LOGGING", "SAMPLING", "DEVICES",
        "DEPRECATED",
    ]

    func testHelpHasEveryFlagInAGroupWithASentence() throws {
        let help = try help()
        let entries = HelpTests.groups.flatMap { help[$0] ?? [] }
        XCTAssertEqual(
            entries.map(\.name).sorted(),
            ((UsageText.flags + UsageText.furtherFlags).map(\.name) + UsageText.newFlags).sorted())
        for entry in entries {
            XCTAssert(entry.text.contains("."), "--\(entry.name) has no sentence: \(entry.text)")
        }
    }

    func testHelpGivesTheOriginalsDefaults() throws {
        let entries = try help().values.joined()
        for flag in UsageText.flags + UsageText.furtherFlags {
            let entry = entries.first { $0.name == flag.name }
            XCTAssertEqual(entry?.standard, flag.standard, "--\(flag.name)")
        }
    }

    func testDocumentationsTableHasTheHelpTextsFlagsGroupsAndDefaults() throws {
        let file = Program.packageRoot.appendingPathComponent("Documentation/CommandLine.md")
        var table: [String: [String]] = [:]
        var title = ""
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("### ") { title = line.dropFirst(4).uppercased() }
            guard line.hasPrefix("| `--") else { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            XCTAssertEqual(cells.count, 6, "\(line)")
            XCTAssertFalse(cells[3].isEmpty, "what \(cells[1]) does is not said")
            table[title, default: []].append("\(cells[1].replacingOccurrences(of: "`", with: "")) \(cells[2])")
        }
        let help = try help()
        for group in HelpTests.groups {
            XCTAssertEqual(table[group], help[group]?.map { "--\($0.name) \($0.standard)" }, group)
        }
        XCTAssertEqual(table.keys.sorted(), HelpTests.groups.sorted())
    }

    func testHelpOfSubcommandsListsTheirFlags() throws {
        for (subcommand, flags) in [
            "predict": ["model_name_or_path", "input", "output"], "tokenize": ["model_name_or_path"],
            "data": ["tasks", "data_dir", "model_name_or_path", "tokenizer_name", "max_seq_length", "seed", "json"],
            "bench": ["measure", "bench_steps", "json", "write_batches", "sampling", "per_device_train_batch_size"],
            "convert": ["model_name_or_path", "output_dir", "tasks", "encoder_type", "tokenizer_name"],
        ] {
            let help = try camtl([subcommand, "--help"]).text
            for flag in flags { XCTAssert(help.contains("--\(flag) "), "\(subcommand) --help lacks --\(flag)") }
            XCTAssertEqual(try camtl(["help", subcommand]).text, help)
        }
    }

    func testVersionIsThatOfTheChanges() throws {
        let changes = try String(
            contentsOf: Program.packageRoot.appendingPathComponent("CHANGELOG.md"), encoding: .utf8)
        let newest = try XCTUnwrap(changes.split(separator: "\n").first { $0.hasPrefix("## ") }).dropFirst(3)
        for arguments in [["--version"], ["predict", "--version"]] {
            let said = try camtl(arguments).text
            let version = try XCTUnwrap(said.wholeMatch(of: /camtl (\d+\.\d+\.\d+(?:-dev)?)\n/), said).output.1
            XCTAssertEqual(newest == "Unreleased", version.hasSuffix("-dev"), said)
            XCTAssert(newest == "Unreleased" || newest.hasPrefix(version), "\(said)\(newest)")
        }
    }
}
