import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// A test with a folder, in which lies what a server serves, and what is downloaded.
class DownloadTestCase: XCTestCase {
    private(set) var folder = URL(fileURLWithPath: "/")
    /// What was told during downloads.
    let events = Events()

    final class Events {
        var list: [DownloadEvent] = []

        var retries: [String] {
            list.compactMap { if case .retrying(_, let reason, _) = $0 { reason } else { nil } }
        }
    }

    var cache: URL { folder.appendingPathComponent("home/hub") }

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl download \(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    /// Serves a file.
    func serve(_ content: Data, at path: String) throws {
        try LoopbackServer.write(content, to: path, in: folder)
    }

    /// Bytes that are the same every time.
    func bytes(_ count: Int) -> Data {
        Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) })
    }

    /// A small model on the hub: its files by name.
    @discardableResult
    func serveModel(_ name: String, weights: [String] = ["model.safetensors"]) throws -> [String: Data] {
        var files = [
            "config.json": Data("{\"model_type\": \"bert\"}\n".utf8), "vocab.txt": Data("[PAD]\n[UNK]\n".utf8),
            "tokenizer_config.json": Data("{\"do_lower_case\": false}".utf8), "README.md": Data("# A model\n".utf8),
            "tf_model.h5": bytes(100),
        ]
        for file in weights { files[file] = bytes(300_000) + Data(file.utf8) }
        for (file, content) in files { try serve(content, at: "hub/\(name)/\(file)") }
        return files
    }

    /// Settings for a hub, as the environment gives them.
    func settings(_ endpoint: String, _ more: [String: String] = [:]) throws -> HubSettings {
        let own = ["HF_ENDPOINT": endpoint, "HF_HOME": folder.appendingPathComponent("home").path]
        return try HubSettings(environment: own.merging(more) { $1 })
    }

    func models(_ endpoint: String, _ more: [String: String] = [:]) throws -> HubModels {
        HubModels(try settings(endpoint, more)) { [events] in events.list.append($0) }
    }

    func name(_ text: String) throws -> ModelName { try XCTUnwrap(ModelName(text)) }

    /// Checks that `body` fails, with a message that has all of `parts`.
    func assertFails(
        _ parts: String..., file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> Void
    ) {
        XCTAssertThrowsError(try body(), file: file, line: line) { error in
            for part in parts where !"\(error)".contains(part) {
                XCTFail("\"\(error)\" lacks \"\(part)\"", file: file, line: line)
            }
        }
    }

    /// The names in a folder, in order; none if there is no such folder.
    func names(in folder: URL) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    }
}
