import Foundation
import XCTest

/// The built command.
enum Program {
    static let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct NotThere: Error, CustomStringConvertible {
        let path: String
        var description: String { "CAMTL_PROGRAM is \(path), and there is no such program" }
    }

    /// `CAMTL_PROGRAM`, or what `make build` leaves. Without either, the test is skipped.
    static func url() throws -> URL {
        if let path = ProcessInfo.processInfo.environment["CAMTL_PROGRAM"] {
            guard FileManager.default.isExecutableFile(atPath: path) else { throw NotThere(path: path) }
            return URL(fileURLWithPath: path)
        }
        let built = packageRoot.appendingPathComponent(".build/release/camtl")
        guard FileManager.default.isExecutableFile(atPath: built.path) else {
            throw XCTSkip("needs the built program: run `make build`, or set CAMTL_PROGRAM to one")
        }
        return built
    }
}

/// How a run of the program ended, and what it said.
struct Outcome {
    let status: Int32
    /// Whether a signal ended it: a crash.
    let wasKilled: Bool
    let output: Data
    /// Standard error.
    let messages: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [Substring] { text.split(separator: "\n") }
}

/// A run of the program that has been started. Its streams are files, which no amount of output can block.
final class RunningProgram {
    private let process = Process()
    private let exited = DispatchSemaphore(value: 0)
    private let output: URL
    private let messages: URL

    var processIdentifier: Int32 { process.processIdentifier }

    struct TookTooLong: Error, CustomStringConvertible {
        let arguments: [String]
        var description: String { "camtl \(arguments.joined(separator: " ")): still running, and ended by the test" }
    }

    /// - Parameters:
    ///   - folder: where the program runs.
    ///   - streams: a folder for what it reads and writes on its standard streams.
    ///   - environment: added to the test's own, less what would lead to the user's caches, and less how the tests'
    ///     own threads wait.
    init(
        _ arguments: [String], in folder: URL, streams: URL, input: Data = Data(), environment: [String: String]
    ) throws {
        let name = UUID().uuidString
        func stream(_ suffix: String, _ contents: Data) throws -> URL {
            let url = streams.appendingPathComponent("\(name).\(suffix)")
            try contents.write(to: url)
            return url
        }
        output = try stream("out", Data())
        messages = try stream("err", Data())
        process.executableURL = try Program.url()
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("CAMTL_") && !$0.key.hasPrefix("HF_") && $0.key != "GOMP_SPINCOUNT" }
            .merging(["HOME": folder.path, "OMP_NUM_THREADS": "1"]) { $1 }
            .merging(environment) { $1 }
        process.standardInput = try FileHandle(forReadingFrom: stream("in", input))
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: messages)
        process.terminationHandler = { [exited] _ in exited.signal() }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// What it has said so far on standard error.
    func messagesSoFar() throws -> String { String(decoding: try Data(contentsOf: messages), as: UTF8.self) }

    var isRunning: Bool { process.isRunning }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits until it has said `text`, for a minute at most, or has ended.
    func wait(for text: String) throws {
        for _ in 0..<6000 where process.isRunning {
            if try messagesSoFar().contains(text) { return }
            usleep(10_000)
        }
    }

    /// Waits for its end.
    func finish(within seconds: Double = 120) throws -> Outcome {
        guard exited.wait(timeout: .now() + seconds) == .success else {
            throw TookTooLong(arguments: process.arguments ?? [])
        }
        return Outcome(
            status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            output: try Data(contentsOf: output),
            messages: String(decoding: try Data(contentsOf: messages), as: UTF8.self))
    }
}
