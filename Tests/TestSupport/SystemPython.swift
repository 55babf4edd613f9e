import Foundation

/// The user's own Python, without any package: what the project's scripts need.
public enum SystemPython {
    /// A file of the project's `Scripts`.
    public static func script(named name: String) -> URL {
        URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Scripts/\(name)")
    }

    /// Runs Python with a command line, such as a script's path and its arguments, or `-c` and a script's text.
    ///
    /// - Returns: its exit status, whatever that is, and what it wrote on both streams.
    public static func run(_ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-B"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}
