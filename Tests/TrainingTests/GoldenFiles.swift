import Foundation
import Torch
import XCTest

/// Numbers that the original code computed: in `$CAMTL_GOLDEN_DIR`, or in `golden` of the shared folder
/// (`$CAMTL_SHARED_DIR`, or `../shared` beside the package), or among the fixtures.
enum GoldenFiles {
    private static let folder: URL = {
        func folder(_ variable: String) -> URL? {
            ProcessInfo.processInfo.environment[variable].map { URL(fileURLWithPath: $0) }
        }
        if let folder = folder("CAMTL_GOLDEN_DIR") { return folder }
        let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let shared = folder("CAMTL_SHARED_DIR")
            ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
        let golden = shared.appendingPathComponent("golden")
        let fixtures = packageRoot.appendingPathComponent("Tests/Fixtures/golden")
        return FileManager.default.fileExists(atPath: golden.path) ? golden : fixtures
    }()

    /// - Throws: `XCTSkip` if there is no such file.
    static func url(_ name: String) throws -> URL {
        let url = folder.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: url.path) else { throw XCTSkip("needs ../shared/golden/\(name)") }
        return url
    }
}

extension CheckpointFile {
    func elements<Element: TensorElement>(_ name: String, _: Element.Type = Element.self) throws -> [Element] {
        let info = try XCTUnwrap(info(name), "the golden file has no tensor \(name)")
        return try withBytes(of: name) { try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype).elements() }
    }
}
