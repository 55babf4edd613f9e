import Foundation
import XCTest

/// A server on loopback with faults on demand, of `faulty_server.py`, which says what it serves.
public final class LoopbackServer {
    /// A request that the server got.
    public struct Request: Decodable, Sendable {
        /// `hub`, or `other` for the host that large files lie on.
        public let host: String
        public let method: String
        public let path: String
        /// By lower-case name.
        public let headers: [String: String]
    }

    /// A fault, as the server's script describes it.
    public typealias Fault = [String: any Sendable]

    private let process = Process()
    private let input = Pipe()
    private let folder: URL
    /// The address of the hub.
    public let hub: String
    /// The address of the other host.
    public let other: String

    /// The address of the files in `web`.
    public var web: String { hub + "/web" }

    /// Starts a server on what lies in `hub` and `web` in the folder.
    ///
    /// - Parameters:
    ///   - faults: for each path the faults of its next requests.
    ///   - token: what the hub asks for.
    ///   - moved: names under which the hub sends on to others.
    public init(
        _ folder: URL, faults: [String: [Fault]] = [:], token: String? = nil, moved: [String: String] = [:]
    ) throws {
        self.folder = folder
        var settings: [String: Any] = ["faults": faults, "moved": moved]
        settings["token"] = token
        try JSONSerialization.data(withJSONObject: settings).write(to: folder.appendingPathComponent("settings.json"))
        let output = Pipe()
        process.executableURL = PlainPython.launcher
        process.arguments = PlainPython.arguments("faulty_server.py", [folder.path])
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) {
            if byte.isEmpty { break }
            line += byte
        }
        let ports = String(decoding: line, as: UTF8.self).split(separator: " ")
        try XCTSkipIf(ports.count != 2, "needs python3, and ports on loopback")
        hub = "http://127.0.0.1:\(ports[0])"
        other = "http://127.0.0.1:\(ports[1])"
    }

    deinit {
        // The server ends with its input.
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// The requests so far.
    public func requests() throws -> [Request] {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("requests.jsonl")) else { return [] }
        return try data.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Request.self, from: $0) }
    }

    /// Writes a file that it serves, at a path such as `hub/OWNER/NAME/config.json`.
    public static func write(_ content: Data, to path: String, in folder: URL) throws {
        let url = folder.appendingPathComponent(path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try content.write(to: url)
    }
}
