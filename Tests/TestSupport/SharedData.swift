import Foundation
import XCTest

/// Reference material that is not part of the package: `CAMTL_SHARED_DIR`, or the folder `shared` beside the package's.
public enum SharedData {
    /// A file or folder of it.
    ///
    /// - Throws: `XCTSkip` if it isn't there.
    public static func url(_ path: String) throws -> URL {
        let shared = ProcessInfo.processInfo.environment["CAMTL_SHARED_DIR"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
                .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("shared")
        let url = shared.appendingPathComponent(path)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw XCTSkip("skipped: needs ../shared/\(path)")
        }
        return url
    }
}
