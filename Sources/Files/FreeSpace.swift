import Foundation

/// The bytes that the disk of a path has room for; nil where that can't be found out.
///
/// - Parameter path: of a file or a folder, or of one whose folder, or that one's, is there.
public func freeSpace(at path: String) -> Int? {
    var url = URL(fileURLWithPath: path)
    var status = statvfs()
    while statvfs(url.path, &status) != 0 {
        guard errno == ENOENT, url.path != "/" else { return nil }
        url.deleteLastPathComponent()
    }
    let blocks = Int(clamping: status.f_bavail)
    let (size, overflow) = blocks.multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return overflow ? .max : size
}

/// Finds out whether a disk has room, before work that would end when it is full.
///
/// - Throws: ``FileWriteError`` with `ENOSPC` if there is less than `size` bytes.
public func checkSpace(for size: Int, at path: String) throws(FileWriteError) {
    guard let free = freeSpace(at: path), free < size else { return }
    throw FileWriteError(path: path, reason: .system(ENOSPC))
}
