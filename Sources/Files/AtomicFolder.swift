import Foundation

/// Writes a folder such that its path names either what was there before or the whole new one, never a part.
///
/// The content goes to a new folder beside it, which is flushed to the storage device and then takes its place. On any
/// error that folder is removed, and what was at `url` stays as it was; a process that is killed leaves it, for
/// ``removeUnfinished(in:)``.
///
/// - Parameters:
///   - url: The folder to write; the one it is in must exist.
///   - body: Writes the content into the folder it is given.
/// - Throws: ``FileWriteError``, or what `body` throws.
public func writeFolderAtomically(to url: URL, _ body: (URL) throws -> Void) throws {
    let parent = url.deletingLastPathComponent()
    let draft = parent.appendingPathComponent(unfinishedName(suffix: ".folder"))
    func fail() -> FileWriteError { FileWriteError(path: url.path, reason: .system(errno)) }
    guard mkdir(draft.path, 0o777) == 0 else { throw fail() }
    defer { try? FileManager.default.removeItem(at: draft) }
    try body(draft)
    flushFolder(draft.path)
    // Where there is a folder already, the two change places, so that there is one at any moment.
    if rename(draft.path, url.path) != 0 {
        guard errno == ENOTEMPTY || errno == EEXIST, exchange(draft.path, url.path) else { throw fail() }
    }
    flushFolder(parent.path)
}

/// Makes two paths change places at once; false, with `errno`, where the system can't.
private func exchange(_ one: String, _ other: String) -> Bool {
    typealias Function = @convention(c) (CInt, UnsafePointer<CChar>, CInt, UnsafePointer<CChar>, CUnsignedInt) -> CInt
    // glibc's header hides this function from Swift.
    guard let symbol = dlsym(nil, "renameat2") else {
        errno = ENOSYS
        return false
    }
    let renameExchange: CUnsignedInt = 2
    return unsafeBitCast(symbol, to: Function.self)(AT_FDCWD, one, AT_FDCWD, other, renameExchange) == 0
}

/// Writes files into a folder that exists, in place of those of their names. They are all there before the first is
/// replaced: an error leaves the folder as it was.
///
/// - Parameters:
///   - folder: Where the files go.
///   - body: Writes them into the folder it is given.
/// - Throws: ``FileWriteError``, or what `body` throws.
public func writeFilesAtomically(into folder: URL, _ body: (URL) throws -> Void) throws {
    let files = FileManager.default
    let draft = folder.appendingPathComponent(unfinishedName(suffix: ".folder"))
    try writeFolderAtomically(to: draft, body)
    defer { try? files.removeItem(at: draft) }
    for file in try files.contentsOfDirectory(atPath: draft.path).sorted() {
        let target = folder.appendingPathComponent(file).path
        guard rename(draft.appendingPathComponent(file).path, target) == 0 else {
            throw FileWriteError(path: target, reason: .system(errno))
        }
    }
    flushFolder(folder.path)
}

/// Removes a folder such that a process that is killed meanwhile leaves all of it under its name or nothing.
public func removeFolderAtomically(_ url: URL) throws {
    let condemned = url.deletingLastPathComponent().appendingPathComponent(unfinishedName(suffix: ".folder"))
    guard rename(url.path, condemned.path) == 0 else {
        throw FileWriteError(path: url.path, reason: .system(errno))
    }
    try FileManager.default.removeItem(at: condemned)
}

/// Removes what processes that were killed have left in a folder, of files and folders they were writing or removing.
/// No other process may be writing there.
public func removeUnfinished(in folder: URL) {
    let files = FileManager.default
    for name in (try? files.contentsOfDirectory(atPath: folder.path)) ?? [] where isUnfinished(name) {
        try? files.removeItem(at: folder.appendingPathComponent(name))
    }
}

private func isUnfinished(_ name: String) -> Bool {
    name.hasPrefix(".camtl-") && (name.hasSuffix(".tmp") || name.hasSuffix(".folder"))
}

/// A name that no other process takes.
func unfinishedName(suffix: String) -> String { ".camtl-" + String(UInt64.random(in: 0 ... .max), radix: 16) + suffix }
