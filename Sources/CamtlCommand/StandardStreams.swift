import ArgumentParser
import Files
import Foundation

/// Reads what standard input has by now, and waits if it has nothing yet; nothing at its end.
///
/// - Throws: `CommandError`.
func readStandardInput() throws -> Data {
    do {
        return try readBytes(STDIN_FILENO)
    } catch {
        throw CommandError("standard input: it can't be read: \(error)")
    }
}

/// Writes results to standard output.
///
/// - Throws: `FileWriteError`; where nobody reads any more, as after `| head`, the `ExitCode` of a process that SIGPIPE
///   ends, for which nothing is said.
func writeToStandardOutput(_ data: Data) throws {
    guard !data.withUnsafeBytes({ writeBytes($0, to: STDOUT_FILENO) }) else { return }
    let code = errno
    if code == EPIPE { throw ExitCode(128 + SIGPIPE) }
    throw FileWriteError(path: "standard output", reason: .system(code))
}

/// Writes results to standard output, as `writeToStandardOutput(_: Data)` does.
func writeToStandardOutput(_ text: String) throws { try writeToStandardOutput(Data(text.utf8)) }

/// Keeps the numbers of standard streams that the process was started without from files: what goes to standard error
/// would be written into one of them. To use such a stream is an error all the same.
func reserveStandardStreams() {
    for (stream, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(stream, F_GETFD) == -1 {
        // The lowest number that is free, which is this stream's.
        _ = open("/dev/null", mode)
    }
}
