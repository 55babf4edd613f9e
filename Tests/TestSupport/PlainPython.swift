import Foundation

/// The scripts beside this file that need no package.
public enum PlainPython {
    /// A script that ended with an error.
    public struct Failure: Error {
        public let script: String
        public let status: Int32
    }

    static let launcher = URL(fileURLWithPath: "/usr/bin/env")

    static func arguments(_ script: String, _ arguments: [String]) -> [String] {
        let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        return ["python3", "-E", "-s", folder.appendingPathComponent(script).path] + arguments
    }

    /// Makes archives, as `make_archives.py` says.
    ///
    /// - Throws: ``Failure`` if it ends with an error.
    public static func makeArchives(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = launcher
        process.arguments = self.arguments("make_archives.py", arguments)
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 {
            throw Failure(script: "make_archives.py", status: process.terminationStatus)
        }
    }
}
