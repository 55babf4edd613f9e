import Foundation

/// The bytes of a regular file, one that lies where such files are looked for.
///
/// - Throws: `SystemError` if it can't be read or is not a regular file: a pipe in its place is not waited for.
public func readFile(_ url: URL) throws(SystemError) -> Data {
    // Without O_NONBLOCK opening a pipe would wait for a writer.
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .last }
    defer { close(descriptor) }
    switch try fileStatus(of: descriptor).st_mode & S_IFMT {
    case S_IFREG: return try readToEnd(descriptor)
    case S_IFDIR: throw SystemError(code: EISDIR)
    default: throw SystemError(code: EINVAL, description: "Not a regular file")
    }
}

/// The bytes of a file that the user named: a regular one, or all that comes through a pipe, a socket that is already
/// open, or a terminal, such as `/dev/stdin`.
///
/// - Throws: `SystemError` if it can't be read, or is a device that may never end.
public func readNamedFile(_ url: URL) throws(SystemError) -> Data {
    let descriptor =
        switch FileTarget(url) {
        case .descriptor(let number): fcntl(number, F_DUPFD_CLOEXEC, 0)
        case .path(let path): open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        }
    guard descriptor >= 0 else { throw .last }
    defer { close(descriptor) }
    let status = try fileStatus(of: descriptor)
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw SystemError(code: EISDIR)
    case S_IFBLK: throw SystemError(code: EINVAL, description: "This is a device")
    case S_IFCHR:
        guard isatty(descriptor) == 1 || isSameFile(url, URL(fileURLWithPath: "/dev/null")) else {
            throw SystemError(code: EINVAL, description: "This is a device")
        }
    default: break
    }
    return try readToEnd(descriptor)
}

/// Whether a path leads to a regular file.
public func isRegularFile(_ url: URL) -> Bool { isOfType(S_IFREG, url) }

/// Whether a path leads to a pipe.
public func isPipe(_ url: URL) -> Bool { isOfType(S_IFIFO, url) }

private func isOfType(_ type: mode_t, _ url: URL) -> Bool {
    var status = stat()
    return stat(url.path, &status) == 0 && status.st_mode & S_IFMT == type
}

/// Whether two paths lead to one file or folder, by links or otherwise; false if there is nothing at one of them.
public func isSameFile(_ one: URL, _ other: URL) -> Bool {
    var (first, second) = (stat(), stat())
    return stat(one.path, &first) == 0 && stat(other.path, &second) == 0
        && first.st_dev == second.st_dev && first.st_ino == second.st_ino
}

/// Reads what a descriptor has by now, and waits if it has nothing yet.
///
/// - Returns: at most `limit` bytes; none at the end.
public func readBytes(_ descriptor: Int32, limit: Int = 1 << 16) throws(SystemError) -> Data {
    var buffer = Data(count: limit)
    while true {
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 { return buffer.prefix(count) }
        guard mayTryAgain(descriptor, POLLIN) else { throw .last }
    }
}

private func readToEnd(_ descriptor: Int32) throws(SystemError) -> Data {
    let size = Int(try fileStatus(of: descriptor).st_size)
    var result = Data()
    while true {
        // One more than a regular file has, so that its end is seen with its last byte.
        let part = try readBytes(descriptor, limit: max(1 << 16, min(size, 1 << 26) + 1))
        if part.isEmpty { return result }
        result.append(part)
    }
}

private func fileStatus(of descriptor: Int32) throws(SystemError) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .last }
    return status
}

/// Whether the call that has just failed is to be made again, once the descriptor is ready if it wasn't.
func mayTryAgain(_ descriptor: Int32, _ events: Int32) -> Bool {
    if errno == EINTR { return true }
    guard errno == EAGAIN else { return false }
    // Another process may have made a pipe that the two share return at once.
    var ready = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    return poll(&ready, 1, -1) >= 0 || errno == EINTR
}

/// Where a path leads.
enum FileTarget {
    /// A file that this process has open: `/dev/stdin`, `/dev/fd/3`. Opened by its path it would be another one, which
    /// begins at its beginning.
    case descriptor(Int32)
    /// The path without symbolic links; there may be nothing.
    case path(String)

    init(_ url: URL) {
        var path = url.absoluteURL.path
        // As many links as the system follows.
        for _ in 0..<40 {
            let split = URL(fileURLWithPath: path)
            guard let real = realpath(split.deletingLastPathComponent().path, nil) else { break }
            let folder = String(cString: real)
            free(real)
            let name = split.lastPathComponent
            if folder == "/proc/\(getpid())/fd", let number = Int32(name) {
                self = .descriptor(number)
                return
            }
            path = folder == "/" ? "/" + name : folder + "/" + name
            guard let link = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
            path = link.hasPrefix("/") ? link : folder + "/" + link
        }
        self = .path(path)
    }
}
