import ArgumentParser
import Files
import Foundation

/// Standard input, output and error: what becomes of the process when they are closed, full or without a reader.
enum StandardStreams {
    /// Takes what may be wrong with the streams out of the process' way. Call it before anything is opened.
    ///
    /// A stream that is closed is opened such that each use of it is an error: the next file to be opened would take
    /// its number, and all that is said would be written into that. A reader that has gone, and a file that the
    /// system's limit lets grow no further, are told by errors and not by the end of the process.
    static func settle() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // All lower ones are open, so that it gets this number.
            let opened = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
            if opened >= 0, opened != descriptor { close(opened) }
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }
}

/// Writes to standard error what can be written there: a log on a full disk, or a terminal that is gone, ends no run.
func writeToStandardError(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

/// Reads what standard input has by now, and waits if it has nothing yet; nothing at its end.
///
/// - Throws: `CommandError` if it can't be read.
func readStandardInput() throws -> Data {
    do {
        return try readBytes(STDIN_FILENO)
    } catch {
        throw CommandError("standard input can't be read: \(error)")
    }
}

/// Writes what a command is there for to standard output, at once.
///
/// - Throws: `FileWriteError` if it can't be written. That of a pipe without a reader ends the command quietly; see
///   ``endingQuietly(_:)``.
func writeToStandardOutput(_ bytes: some Collection<UInt8>) throws(FileWriteError) {
    let isWritten = ContiguousArray(bytes).withUnsafeBytes { writeBytes($0, to: STDOUT_FILENO) }
    if !isWritten { throw FileWriteError(path: "standard output", reason: .system(errno)) }
}

/// Runs a command, and ends it without a word when nobody reads what it writes any more, as `head` does when it has
/// enough: with the status that a shell gives for SIGPIPE.
func endingQuietly(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as FileWriteError where error.reason == .system(EPIPE) {
        throw ExitCode(128 + SIGPIPE)
    }
}
