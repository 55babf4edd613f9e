import Foundation

/// Keeps other processes that lock a folder out of it for as long as this exists. The system lets go of it when the
/// process ends, however it does.
public final class FolderLock {
    private let descriptor: Int32

    /// - Returns: nil if another process has the folder locked.
    /// - Throws: ``FileWriteError`` if there is no such folder.
    public init?(_ folder: URL) throws {
        descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileWriteError(path: folder.path, reason: .system(errno)) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
        return nil
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
