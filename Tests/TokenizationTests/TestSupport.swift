import Foundation
import Tokenization
import XCTest

enum TestData {
    static let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file of the reference material that is not part of the package.
    static func sharedFile(_ path: String) throws -> URL {
        let shared =
            ProcessInfo.processInfo.environment["CAMTL_SHARED_DIR"].map { URL(fileURLWithPath: $0) }
            ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
        let url = shared.appendingPathComponent(path)
        guard FileManager.default.fileExists(atPath: url.path) else { throw XCTSkip("needs ../shared/\(path)") }
        return url
    }

    static func fixture(_ name: String) throws -> Data {
        try Data(contentsOf: packageRoot.appendingPathComponent("Tests/TokenizationTests/Fixtures/\(name)"))
    }

    static let specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    /// A tokenizer whose vocabulary is BERT's special tokens and these.
    static func tokenizer(_ tokens: [String], lowercase: Bool = true) throws -> WordPieceTokenizer {
        try WordPieceTokenizer(vocabulary: Vocabulary(tokens: specialTokens + tokens), lowercase: lowercase)
    }
}

extension WordPieceTokenizer {
    /// The tokens of a text between `[CLS]` and `[SEP]`.
    func words(_ text: String) -> [String] {
        tokens(of: Array(encode(text).inputIDs.dropFirst().dropLast()))
    }
}

/// A small generator that gives the same numbers in every run (SplitMix64, Steele et al. 2014).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}

/// A test with a directory of its own.
class DirectoryTestCase: XCTestCase {
    private(set) var directory = URL(fileURLWithPath: "/")

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("tokenization-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: directory)
    }

    @discardableResult
    func write(_ contents: some Sequence<UInt8>, to name: String) throws -> URL {
        let url = directory.appendingPathComponent(name)
        try Data(contents).write(to: url)
        return url
    }
}
