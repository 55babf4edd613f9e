import Foundation
import TestSupport
import Torch
import XCTest

/// The files that the tests compare with: numbers that the original code computed.
///
/// They are looked for in `$CAMTL_GOLDEN_DIR`, then in `golden` of the shared folder (`$CAMTL_SHARED_DIR`, or
/// `../shared` beside the package), then among the fixtures, which are a part of them. What kinds of model, tasks,
/// batches and sizes there are is read from them, so that another set of the same layout does as well.
enum GoldenFiles {
    static let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let shared = environmentFolder("CAMTL_SHARED_DIR")
        ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")

    private static let folder: URL = {
        if let folder = environmentFolder("CAMTL_GOLDEN_DIR") { return folder }
        let golden = shared.appendingPathComponent("golden")
        let fixtures = packageRoot.appendingPathComponent("Tests/Fixtures/golden")
        return FileManager.default.fileExists(atPath: golden.path) ? golden : fixtures
    }()

    private static func environmentFolder(_ variable: String) -> URL? {
        ProcessInfo.processInfo.environment[variable].map { URL(fileURLWithPath: $0) }
    }

    private static func url(_ name: String) throws -> URL {
        let url = folder.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: url.path) else { throw XCTSkip("needs ../shared/golden/\(name)") }
        return url
    }

    /// - Throws: `XCTSkip` if there is no such file, as the other functions do.
    static func json<Value: Decodable>(_ name: String, as _: Value.Type = Value.self) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(contentsOf: url(name)))
    }

    static func tensors(_ name: String) throws -> GoldenTensors {
        GoldenTensors(try CheckpointFile.open(url(name + ".safetensors")))
    }

    /// Runs `body` for each of `cases`. Those that lack a file are named when the others are done.
    /// - Throws: `XCTSkip` with the files that were missing, or if there is no case.
    static func forEach<Case>(_ cases: [Case], _ body: (Case) throws -> Void) throws {
        if cases.isEmpty { throw XCTSkip("the golden files have no such case") }
        var missing: [String] = []
        for value in cases {
            do { try body(value) } catch let skip as XCTSkip { missing.append(skip.message ?? "") }
        }
        if missing.count == 1 { throw XCTSkip(missing[0]) }
        if !missing.isEmpty { throw XCTSkip("\(missing[0]) and \(missing.count - 1) more; the others were compared") }
    }
}

/// Tests that compute with libtorch, in one thread: more would only wait for one another on tensors this small, and for
/// long where other processes want the processors, too.
class ComputingTestCase: ProcessorChoiceTestCase {
    override class func setUp() { setThreadCount(1) }
}

/// A file of named tensors.
struct GoldenTensors {
    private let file: CheckpointFile

    init(_ file: CheckpointFile) { self.file = file }

    var names: [String] { file.names }

    /// What follows `prefix` in the names that begin with it.
    func names(after prefix: String) -> [String] {
        names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    func info(_ name: String) -> TensorInfo? { file.info(name) }

    func tensor(_ name: String) throws -> Tensor {
        let info = try XCTUnwrap(file.info(name), "the golden file has no tensor \(name)")
        return try file.withBytes(of: name) { try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype) }
    }

    func values(_ name: String) throws -> [Double] { try tensor(name).elements() }
}
