/// What a download tells while it goes on.
public enum DownloadEvent: Sendable, Equatable {
    /// A file is going to be fetched: all of its `size` bytes, if that is known, but the first `present`, which an
    /// earlier try left.
    case started(file: String, present: Int, size: Int?)
    /// So many of a file's bytes are there.
    case progressed(file: String, received: Int, size: Int?)
    /// A try failed for that reason, and the next begins after that many seconds.
    case retrying(file: String, reason: String, delay: Double)
    /// A file has all its bytes, and they are what the server says they are, as far as it says so.
    case finished(file: String, size: Int)
    /// Another process has the lock on a file that is to be fetched.
    case waiting(file: String)
    /// Something else to know.
    case note(String)
}
