import Foundation
import Synchronization
import XCTest

/// The Python with the packages of `Tests/peers/requirements.txt`, which say whether camtl's files are what others
/// expect. `make test` installs it and names it in `CAMTL_PEERS_PYTHON`.
public enum PeerPython {
    /// A script that ended with an error.
    public struct Failure: Error, CustomStringConvertible {
        /// The script's command line after the interpreter, less a script given as text.
        public let arguments: [String]
        /// Negative for a signal.
        public let status: Int32
        /// All that it wrote, standard output first.
        public let output: String

        public var description: String { "python \(arguments.joined(separator: " ")): status \(status)\n\(output)" }
    }

    /// Where the scripts are that are files: `Tests/peers`.
    public static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("peers")

    /// Runs a script given as text, in a process of its own, and gives back its standard output.
    ///
    /// It runs without a network, on the CPU, in one thread; modules of the user's own are not seen.
    ///
    /// - Parameters:
    ///   - script: the script's text; `sys.argv[1:]` are the arguments.
    ///   - environment: added to the test's own.
    /// - Throws: `XCTSkip` without `CAMTL_PEERS_PYTHON`; ``Failure`` if the script ends with another status than 0.
    @discardableResult
    public static func run(
        _ script: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> String {
        try run(Script(text: script, file: nil, arguments: arguments), shown: arguments, environment)
    }

    /// Runs a script of ``folder`` as ``run(_:_:environment:)`` does a text.
    @discardableResult
    public static func run(
        file: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> String {
        let path = folder.appendingPathComponent(file).path
        let script = Script(
            text: try String(contentsOfFile: path, encoding: .utf8), file: path, arguments: arguments)
        return try run(script, shown: [file] + arguments, environment)
    }

    /// A script, as `serve.py` takes it.
    private struct Script: Encodable {
        let text: String
        let file: String?
        let arguments: [String]
        /// The files for its standard output and error.
        var streams: [String] = []

        /// What follows the interpreter in a command line.
        var commandLine: [String] { (file.map { [$0] } ?? ["-c", text]) + arguments }
    }

    private static func run(
        _ script: Script, shown: [String], _ environment: [String: String]
    ) throws -> String {
        // Files, which no amount of output can block.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let streams = ["out", "err"].map { folder.appendingPathComponent($0) }
        for stream in streams { try Data().write(to: stream) }
        var script = script
        script.streams = streams.map(\.path)

        let status: Int32
        if environment.isEmpty {
            status = try server.withLock { server in
                // One that fails is not asked again.
                let running = try server.take() ?? Server()
                let status = try running.run(script)
                server = running
                return status
            }
        } else {
            // What packages are imported with may depend on it.
            let process = try process(script.commandLine, environment)
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = try FileHandle(forWritingTo: streams[0])
            process.standardError = try FileHandle(forWritingTo: streams[1])
            try process.run()
            process.waitUntilExit()
            status = (process.terminationReason == .exit ? 1 : -1) * process.terminationStatus
        }
        let (output, messages) = (try text(of: streams[0]), try text(of: streams[1]))
        guard status == 0 else { throw Failure(arguments: shown, status: status, output: output + messages) }
        return output
    }

    /// An interpreter that is yet to be started.
    private static func process(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Process {
        let own = ProcessInfo.processInfo.environment
        guard let interpreter = own["CAMTL_PEERS_PYTHON"] else {
            throw XCTSkip("skipped: needs the peers of make test")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: interpreter)
        process.arguments = ["-E", "-s"] + arguments
        let fixed = [
            "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        ]
        process.environment = own.merging(fixed) { $1 }.merging(environment) { $1 }
        return process
    }

    private static let server = Mutex<Server?>(nil)

    /// An interpreter that runs script after script, `serve.py`. It ends with the test's process.
    private final class Server: Sendable {
        private let (input, output) = (Pipe(), Pipe())

        init() throws {
            let process = try process([folder.appendingPathComponent("serve.py").path])
            process.standardInput = input
            process.standardOutput = output
            try process.run()
        }

        /// Runs a script, and gives back its exit status, negative for a signal.
        func run(_ script: Script) throws -> Int32 {
            try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(script) + Data("\n".utf8))
            var line = Data()
            while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8), !byte.isEmpty {
                line += byte
            }
            guard let status = Int32(String(decoding: line, as: UTF8.self)) else {
                throw Failure(arguments: ["serve.py"], status: -1, output: "it has ended")
            }
            return status
        }
    }

    private static func text(of url: URL) throws -> String {
        String(decoding: try Data(contentsOf: url), as: UTF8.self)
    }
}
