import Foundation

/// A file that the user named to write results to.
///
/// A regular file, or one that is not there yet, is written whole or not at all, a symbolic link to one stays a link.
/// What is a pipe, a terminal or another device of characters, such as `/dev/stdout`, is written to as it is, and never
/// replaced.
public struct OutputFile {
    private let place: Place

    private enum Place {
        case file(URL)
        case stream(OutputStream)
    }

    /// Opens what is to be written to as it is; a named pipe is waited for until it has a reader.
    ///
    /// - Throws: ``FileWriteError`` if it can't be written.
    public init(_ url: URL) throws(FileWriteError) {
        let path: String
        switch FileTarget(url) {
        case .descriptor(let number):
            place = .stream(try OutputStream(fcntl(number, F_DUPFD_CLOEXEC, 0), path: url.path))
            return
        case .path(let resolved): path = resolved
        }
        if OutputFile.isStream(path) {
            place = .stream(try OutputStream(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), path: url.path))
        } else {
            do {
                try checkWritable(URL(fileURLWithPath: path))
            } catch {
                throw FileWriteError(path: url.path, reason: error.reason)
            }
            place = .file(URL(fileURLWithPath: path))
        }
    }

    /// Writes the content.
    ///
    /// - Throws: ``FileWriteError``, or what `body` throws.
    public func write(_ body: (inout FileSink) throws -> Void) throws {
        switch place {
        case .file(let url): try writeAtomically(to: url, body)
        case .stream(let stream): try stream.write(body)
        }
    }

    /// Finds out whether a file can be written, without a trace and without waiting.
    ///
    /// - Throws: ``FileWriteError``.
    public static func check(_ url: URL) throws(FileWriteError) {
        guard case .path(let path) = FileTarget(url), isStream(path) else {
            _ = try OutputFile(url)
            return
        }
        guard access(path, W_OK) == 0 else { throw FileWriteError(path: url.path, reason: .system(errno)) }
    }

    private static func isStream(_ path: String) -> Bool {
        let type = fileType(path)
        return type == S_IFIFO || type == S_IFCHR
    }
}

/// A pipe or a device that is open.
final class OutputStream {
    private let descriptor: Int32
    private let path: String

    fileprivate init(_ descriptor: Int32, path: String) throws(FileWriteError) {
        (self.descriptor, self.path) = (descriptor, path)
        guard descriptor >= 0 else { throw FileWriteError(path: path, reason: .system(errno)) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        guard writeBytes(bytes, to: descriptor) else { throw FileWriteError(path: path, reason: .system(errno)) }
    }
}

/// Writes all of the bytes, and waits where what they go to is full.
///
/// - Returns: false, with `errno`, if that fails.
public func writeBytes(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if !mayTryAgain(descriptor, POLLOUT) {
            return false
        }
    }
    return true
}
