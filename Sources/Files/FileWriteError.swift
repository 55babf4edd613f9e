import Foundation

/// A file that could not be written.
public struct FileWriteError: Error, Equatable, CustomStringConvertible {
    /// Why a file could not be written.
    public enum Reason: Equatable, Sendable, CustomStringConvertible {
        /// The system refused; its `errno`.
        case system(Int32)
        /// Something that is not a regular file, such as a folder or a device, has that path.
        case notARegularFile
        /// What has that path is not an earlier version of what was to be written, or has files of others in it.
        case occupied

        /// Without advice: what a message of one's own is made of.
        public var description: String {
            switch self {
            case .notARegularFile: "a folder or a device has this path"
            case .occupied: "what has this path is not an earlier version of it, or holds other files, too"
            case .system(let code): String(cString: strerror(code))
            }
        }
    }

    /// The path of the file that was to be written.
    public let path: String
    /// Why it could not be.
    public let reason: Reason

    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String {
        "\(path): not written: \(reason)\(advice)."
    }

    private var advice: String {
        switch reason {
        case .notARegularFile: "; choose another"
        case .occupied: "; move it away, or choose another folder"
        case .system(ENOSPC), .system(EDQUOT): "; free some space, or choose another folder"
        case .system(EACCES), .system(EPERM), .system(EROFS): "; make its folder writable, or choose another"
        case .system(ENOENT), .system(ENOTDIR): "; create its folder first, or check the path"
        case .system(ENAMETOOLONG): "; choose a shorter name"
        case .system(EFBIG): "; raise the file size limit (ulimit -f), or choose a disk that takes larger files"
        case .system: ""
        }
    }
}
