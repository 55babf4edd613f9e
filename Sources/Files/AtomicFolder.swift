import Foundation

/// Writes a folder such that its path names either what was there before or the whole new one, never a part.
///
/// The content goes to a new folder beside it, which is flushed to the storage device and then takes its place. On any
/// error that folder is removed, and what was at `url` stays as it was; a process that is killed leaves it, for
/// ``removeUnfinished(in:)``.
///
/// - Parameters:
///   - url: The folder to write; the one it is in must exist.
///   - isReplaceable: Whether the folder that is at `url` may be replaced, and is removed with all that is in it.
///     Nothing else is ever replaced: no file, no symbolic link, and by default no folder.
///   - body: Writes the content into the folder it is given.
/// - Throws: ``FileWriteError``, with the reason `occupied` for what may not be replaced; or what `body` throws.
public func writeFolderAtomically(
    to url: URL, replacing isReplaceable: (URL) -> Bool = { _ in false }, _ body: (URL) throws -> Void
) throws {
    let parent = url.deletingLastPathComponent()
    let draft = parent.appendingPathComponent(unfinishedName(suffix: ".folder"))
    func fail() -> FileWriteError { FileWriteError(path: url.path, reason: .system(errno)) }
    guard mkdir(draft.path, 0o777) == 0 else { throw fail() }
    defer { try? FileManager.default.removeItem(at: draft) }
    try body(draft)
    flushFolder(draft.path)
    if !moveToFreePlace(draft.path, url.path) {
        guard errno == EEXIST || errno == ENOTEMPTY else { throw fail() }
        guard fileType(url.path) == S_IFDIR, isReplaceable(url) else {
            throw FileWriteError(path: url.path, reason: .occupied)
        }
        // The two change places, so that there is one at any moment.
        guard renameat2(draft.path, url.path, renameExchange) else { throw fail() }
    }
    flushFolder(parent.path)
}

/// Whether a path is a folder, and no link to one, that holds nothing but regular files of these names, or nothing.
public func isFolder(_ url: URL, ofFilesNamed names: Set<String>) -> Bool {
    guard fileType(url.path) == S_IFDIR, let found = try? FileManager.default.contentsOfDirectory(atPath: url.path)
    else { return false }
    return found.allSatisfy { names.contains($0) && fileType(url.appendingPathComponent($0).path) == S_IFREG }
}

/// The type of what has a path, a symbolic link being one; nil if there is nothing.
func fileType(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// Renames, but replaces nothing; false with `errno`, which is `EEXIST` if something has the path.
private func moveToFreePlace(_ path: String, _ place: String) -> Bool {
    if renameat2(path, place, renameNoReplace) { return true }
    guard errno == EINVAL || errno == ENOSYS else { return false }
    // The file system can't tell by itself.
    guard fileType(place) == nil else {
        errno = EEXIST
        return false
    }
    return rename(path, place) == 0
}

private let renameNoReplace: CUnsignedInt = 1
private let renameExchange: CUnsignedInt = 2

/// Linux's renameat2; false, with `errno`, where it fails or the system has none.
private func renameat2(_ one: String, _ other: String, _ flags: CUnsignedInt) -> Bool {
    typealias Function = @convention(c) (CInt, UnsafePointer<CChar>, CInt, UnsafePointer<CChar>, CUnsignedInt) -> CInt
    // glibc's header hides this function from Swift.
    guard let symbol = dlsym(nil, "renameat2") else {
        errno = ENOSYS
        return false
    }
    return unsafeBitCast(symbol, to: Function.self)(AT_FDCWD, one, AT_FDCWD, other, flags) == 0
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
    let names = try files.contentsOfDirectory(atPath: draft.path).sorted()
    for file in names { try checkReplaceable(folder.appendingPathComponent(file)) }
    for file in names {
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
    // What can't be removed now is left to removeUnfinished(in:).
    try? FileManager.default.removeItem(at: condemned)
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
    // No other name that only looks alike: somebody else's files may have it.
    name.wholeMatch(of: /\.camtl-[0-9a-f]{1,16}\.(tmp|folder)/) != nil
}

/// A name that no other process takes.
func unfinishedName(suffix: String) -> String { ".camtl-" + String(UInt64.random(in: 0 ... .max), radix: 16) + suffix }
