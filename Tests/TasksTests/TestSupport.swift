import Foundation
import Tokenization
import XCTest

@testable import Tasks

enum TestData {
    static let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The reference material that is not part of the package.
    static var shared: URL {
        ProcessInfo.processInfo.environment["CAMTL_SHARED_DIR"].map { URL(fileURLWithPath: $0) }
            ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
    }

    static func sharedFile(_ path: String) throws -> URL {
        let url = shared.appendingPathComponent(path)
        guard FileManager.default.fileExists(atPath: url.path) else { throw XCTSkip("needs ../shared/\(path)") }
        return url
    }

    /// Numbers the original code computed.
    static func golden(_ name: String) throws -> Data {
        let folders = [
            ProcessInfo.processInfo.environment["CAMTL_GOLDEN_DIR"].map { URL(fileURLWithPath: $0) },
            shared.appendingPathComponent("golden"),
            packageRoot.appendingPathComponent("Tests/Fixtures/golden"),
        ]
        let files = folders.compactMap { $0?.appendingPathComponent(name) }
        guard let file = files.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
            throw XCTSkip("needs ../shared/golden/\(name)")
        }
        return try Data(contentsOf: file)
    }

    /// A tokenizer of a few English words.
    static func tokenizer(moreTokens: [String] = [], lowercase: Bool = true) throws -> WordPieceTokenizer {
        let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "dog", "sleep", "##s", ".", "\""]
        return try WordPieceTokenizer(vocabulary: Vocabulary(tokens: tokens + moreTokens), lowercase: lowercase)
    }
}

/// A test with a directory of its own.
class DirectoryTestCase: XCTestCase {
    private(set) var directory = URL(fileURLWithPath: "/")

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("tasks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: directory)
    }

    /// Writes a file into the test's directory, which serves as a data directory.
    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to path: String) throws -> URL {
        let url = directory.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
        return url
    }

    @discardableResult
    func write(_ text: String, to path: String) throws -> URL {
        try write(text.utf8, to: path)
    }

    /// The message of what `body` throws, with the test's directory written as `<data>`.
    func message(of body: () throws -> some Any, file: StaticString = #filePath, line: UInt = #line) -> String {
        do {
            _ = try body()
            XCTFail("nothing was thrown", file: file, line: line)
            return ""
        } catch {
            return "\(error)".replacingOccurrences(of: directory.path, with: "<data>")
        }
    }
}

/// Steele, Lea and Flood's SplitMix64, so that a failure comes again.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
