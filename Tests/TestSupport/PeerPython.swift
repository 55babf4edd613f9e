import Foundation
import XCTest

/// The Python with the packages of `Tests/peers/requirements.txt`, which say whether camtl's files are what others
/// expect. `make test` installs it and names it in `CAMTL_PEERS_PYTHON`.
public enum PeerPython {
    /// A script that ended with an error.
    public struct Failure: Error, CustomStringConvertible {
        /// The script's command line after the interpreter, less a script given as text.
        public let arguments: [String]
        public let status: Int32
        /// All that it wrote, standard output first.
        public let output: String

        public var description: String { "python \(arguments.joined(separator: " ")): status \(status)\n\(output)" }
    }

    /// Where the scripts are that are files: `Tests/peers`.
    public static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("peers")

    /// Runs a script given as text, and gives back its standard output.
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
        try start(["-c", script] + arguments, shown: arguments, environment)
    }

    /// Runs a script of ``folder`` as ``run(_:_:environment:)`` does a text.
    @discardableResult
    public static func run(
        file: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> String {
        try start(
            [folder.appendingPathComponent(file).path] + arguments, shown: [file] + arguments, environment)
    }

    private static func start(
        _ arguments: [String], shown: [String], _ environment: [String: String]
    ) throws -> String {
        let own = ProcessInfo.processInfo.environment
        guard let interpreter = own["CAMTL_PEERS_PYTHON"] else {
            throw XCTSkip("skipped: needs the peers of make test")
        }
        // Files, which no amount of output can block.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let streams = ["out", "err"].map { folder.appendingPathComponent($0) }
        for stream in streams { try Data().write(to: stream) }

        let process = Process()
        process.executableURL = URL(fileURLWithPath: interpreter)
        process.arguments = ["-E", "-s"] + arguments
        let fixed = [
            "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        ]
        process.environment = own.merging(fixed) { $1 }.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: streams[0])
        process.standardError = try FileHandle(forWritingTo: streams[1])
        try process.run()
        process.waitUntilExit()
        let (output, messages) = (try text(of: streams[0]), try text(of: streams[1]))
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw Failure(arguments: shown, status: process.terminationStatus, output: output + messages)
        }
        return output
    }

    private static func text(of url: URL) throws -> String {
        String(decoding: try Data(contentsOf: url), as: UTF8.self)
    }
}
