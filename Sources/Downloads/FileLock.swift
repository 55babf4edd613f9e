import Files
import Foundation

/// A lock that processes share by a file, the way Python's `filelock` takes it: the system gives it back when the
/// process ends, however it ends.
final class FileLock {
    private let descriptor: Int32

    /// Waits until no other process has the lock.
    ///
    /// - Parameters:
    ///   - url: The lock's file, which is made if need be, with its folder.
    ///   - waiting: Is called once if there is something to wait for.
    /// - Throws: `FileWriteError`.
    init(_ url: URL, waiting: () -> Void) throws {
        var hasTold = false
        var absences = 0
        while true {
            // Its last owner may have removed it.
            try makeFolder(url.deletingLastPathComponent())
            let descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o664)
            if descriptor < 0, errno == ENOENT, absences < 100 {
                absences += 1
                continue
            }
            guard descriptor >= 0 else { throw FileWriteError(path: url.path, reason: .system(errno)) }
            while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                guard errno == EWOULDBLOCK || errno == EINTR else {
                    let code = errno
                    close(descriptor)
                    throw FileWriteError(path: url.path, reason: .system(code))
                }
                if !hasTold { waiting() }
                hasTold = true
                usleep(100_000)
            }
            // The one that had the lock may have removed its file, so that the next would lock another one.
            var (mine, current) = (stat(), stat())
            if fstat(descriptor, &mine) == 0, stat(url.path, &current) == 0, mine.st_ino == current.st_ino,
                mine.st_dev == current.st_dev
            {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }
}
