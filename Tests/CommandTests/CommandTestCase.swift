import Foundation
import XCTest

/// A test with a folder of its own, in which it runs the program.
class CommandTestCase: XCTestCase {
    /// Where everything of the test lies. There is a space in its path.
    private(set) var folder = URL(fileURLWithPath: "/")
    private var root = URL(fileURLWithPath: "/")
    private var streams: URL { root.appendingPathComponent("streams") }

    var encoder: URL { folder.appendingPathComponent("encoder") }
    var data: URL { folder.appendingPathComponent("glue") }
    var output: URL { folder.appendingPathComponent("output") }
    /// Encoded examples. Outside of `folder`, as a refused run may leave whole files there.
    var cache: URL { root.appendingPathComponent("cache") }

    override func setUpWithError() throws {
        _ = try Program.url()
        root = FileManager.default.temporaryDirectory.appendingPathComponent("camtl test \(UUID().uuidString)")
        folder = root.appendingPathComponent("work")
        for url in [folder, streams] {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        }
    }

    override func tearDownWithError() throws {
        if root.path != "/" { try FileManager.default.removeItem(at: root) }
    }

    func start(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> RunningProgram {
        try RunningProgram(
            arguments, in: folder, streams: streams, input: Data(input.utf8), environment: environment)
    }

    /// Runs the program to its end, whatever that is.
    func outcome(
        of arguments: [String], input: Data = Data(), environment: [String: String] = [:], within seconds: Double = 120
    ) throws -> Outcome {
        try RunningProgram(arguments, in: folder, streams: streams, input: input, environment: environment)
            .finish(within: seconds)
    }

    /// Runs the program, which has to succeed.
    @discardableResult
    func camtl(
        _ arguments: [String], input: String = "", environment: [String: String] = [:], within seconds: Double = 120,
        file: StaticString = #filePath, line: UInt = #line
    ) throws -> Outcome {
        let outcome = try outcome(
            of: arguments, input: Data(input.utf8), environment: environment, within: seconds)
        XCTAssert(
            outcome.status == 0 && !outcome.wasKilled,
            "camtl \(arguments.joined(separator: " ")): status \(outcome.status)\n\(outcome.messages)",
            file: file, line: line)
        return outcome
    }

    /// The command line of a run on the test's encoder and data that takes about a second; of a flag that is given
    /// again in `more`, the last counts.
    func arguments(tasks: [String] = ["rte"], output: URL? = nil, _ more: String...) -> [String] {
        [
            "--model_name_or_path", encoder.path, "--data_dir", data.path, "--cache_dir", cache.path,
            "--output_dir", (output ?? self.output).path, "--max_seq_length", "16", "--threads", "1",
            "--learning_rate", "2e-3", "--tasks",
        ] + tasks + more
    }

    /// The files and folders below a folder, hidden ones included, as paths relative to it with the files' content.
    func contents(of folder: URL) throws -> [String: Data] {
        var result: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            let url = folder.appendingPathComponent(path)
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
            result[path] = isFolder.boolValue ? Data() : try Data(contentsOf: url)
        }
        return result
    }

    /// The names in a folder, in order.
    func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    /// The numbers in a file of figures, less those that are null.
    func figures(_ url: URL) throws -> [String: Double] {
        // JSONSerialization loses a number's last bit on Linux.
        try JSONDecoder().decode([String: Double?].self, from: Data(contentsOf: url)).compactMapValues { $0 }
    }

    func json(_ url: URL) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: try Data(contentsOf: url))
        return try XCTUnwrap(object as? [String: Any])
    }
}

extension CommandTestCase {
    /// Runs the program on input that it has to refuse: with a status that is an error's and no crash's, one message
    /// that ends what it says and has all of `parts`, no result on standard output, and every file as it was.
    ///
    /// - Parameters:
    ///   - lines: how many lines the message has.
    ///   - printsResults: whether results of what came before the fault may stand on standard output.
    @discardableResult
    func assertRefuses(
        _ arguments: [String], _ parts: String..., input: Data = Data(), environment: [String: String] = [:],
        lines: Int = 1, printsResults: Bool = false, file: StaticString = #filePath, line: UInt = #line
    ) throws -> Outcome {
        let before = try contents(of: folder)
        let outcome = try outcome(of: arguments, input: input, environment: environment)
        func check(_ isRight: Bool, _ problem: String) {
            XCTAssert(isRight, "\(problem)\n\(outcome.messages)", file: file, line: line)
        }
        check(!outcome.wasKilled, "it crashed by signal \(outcome.status)")
        check(outcome.status != 0, "it went through")
        if !printsResults { check(outcome.output.isEmpty, "it wrote results: \(outcome.text)") }
        for problem in problems(ofRefusal: outcome.messages, parts, lines: lines) { check(false, problem) }

        let after = try contents(of: folder)
        let changed = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
        check(changed.isEmpty, "it left or changed \(changed)")
        if FileManager.default.fileExists(atPath: cache.path) {
            let unfinished = try names(in: cache).filter { !$0.hasSuffix(".features") }
            check(unfinished.isEmpty, "it left \(unfinished) in the cache")
        }
        return outcome
    }

    /// What is not as it should be in what the program says when it refuses something.
    private func problems(ofRefusal messages: String, _ parts: [String], lines: Int) -> [String] {
        let pieces = messages.components(separatedBy: "Error: ")
        guard pieces.count == 2 else { return ["it gave \(pieces.count - 1) messages and not one"] }
        // What the argument parser adds to a message of its own.
        let message = pieces[1].components(separatedBy: "\nUsage: ")[0]
        var problems = parts.filter { !message.contains($0) }.map { "the message lacks \"\($0)\"" }
        let count = message.split(separator: "\n").count
        if count != lines { problems.append("the message has \(count) lines, and \(lines) are right") }
        let traces = ["Fatal error", "Stack dump", "Exception raised", "frame #", "Error Domain", ".swift:", ".cpp:"]
        return problems + traces.filter(messages.contains).map { "it shows its inside: \($0)" }
    }
}
