import Foundation
import Torch
import XCTest

final class PyTorchCheckpointTests: FileTestCase {
    private typealias Pickle = PickleAssembler

    func testReadsEveryElementType() throws {
        try Fixture.assertContents(of: Fixture.url("every_dtype.zip.pt"), equal: "every_dtype.zip.pt")
        try Fixture.assertContents(of: Fixture.url("every_dtype.legacy.bin"), equal: "every_dtype.legacy.bin")
    }

    func testCopiesViewsOfSharedStoragesIntoRowMajorOrder() throws {
        try Fixture.assertContents(of: Fixture.url("views.zip.pt"), equal: "views.zip.pt")
        try Fixture.assertContents(of: Fixture.url("views.legacy.bin"), equal: "views.legacy.bin")
    }

    func testReadsStateDictsOfModulesInEveryProtocol() throws {
        for name in ["state_dict", "parameters", "protocol3", "protocol4", "protocol5"] {
            for suffix in ["zip.pt", "legacy.bin"] {
                try Fixture.assertContents(of: Fixture.url("\(name).\(suffix)"), equal: "\(name).\(suffix)")
            }
        }
    }

    func testFindsAStateDictBesideTheOtherThingsOfATrainingRun() throws {
        for name in ["nested_state_dict.pt", "nested_model.pt", "nested_model_state_dict.pt"] {
            try Fixture.assertContents(of: Fixture.url(name), equal: name)
        }
    }

    func testTensorsOfTheTopLevelGoBeforeANestedStateDict() throws {
        try Fixture.assertContents(of: Fixture.url("mixed.pt"), equal: "mixed.pt")
    }

    func testReadsArchivesOfTheSizeThatNeedsZip64() throws {
        try Fixture.assertContents(of: Fixture.url("zip64.pt"), equal: "zip64.pt")
    }

    func testAPickleThatCallsAFunctionIsRefusedAndNotRun() throws {
        // The name that make_fixtures.py puts into the pickled commands.
        let mark = "camtl-test-pickle-was-run"
        let cases = [
            ("system.zip.pt", "posix.system"), ("system.legacy.bin", "posix.system"), ("eval.pt", "builtins.eval"),
        ]
        for (name, function) in cases {
            XCTAssertNotNil(try Data(contentsOf: Fixture.url(name)).range(of: Data(mark.utf8)), name)
            XCTAssertEqual(try refusal(of: Fixture.url(name)).problem, .forbiddenGlobal(function))
            try assertRefused(Fixture.url(name), saying: "Nothing in the file was run")
            XCTAssertFalse(FileManager.default.fileExists(atPath: mark), "\(name) was run")
        }
    }

    func testObjectsThatAreNotTensorsAreRefusedByName() throws {
        let cases = [
            ("numpy_scalar.pt", "numpy._core.multiarray.scalar"), ("module.pt", "torch.nn.modules.linear.Linear"),
            ("complex.pt", "torch.ComplexFloatStorage"),
        ]
        for (name, global) in cases {
            XCTAssertEqual(try refusal(of: Fixture.url(name)).problem, .forbiddenGlobal(global))
        }
    }

    func testANameWithControlCharactersIsShownEscaped() throws {
        let url = try file(Pickle.checkpoint(Pickle.global("\u{1B}[2J", "x")))
        try assertRefused(url, saying: "\"\\u{1B}[2J.x\"")
    }

    func testCheckpointsWithoutTensorsAreRefused() throws {
        guard case .noTensors(let keys) = try refusal(of: Fixture.url("no_tensors.pt")).problem else {
            return XCTFail("refused for another reason")
        }
        XCTAssertEqual(keys.first, "\"epoch\"")
        try assertRefused(Fixture.url("list.pt"), saying: "not a dict of tensors")
    }

    func testArchivesThatTorchSaveDoesNotWriteAreRefused() throws {
        try assertRefused(Fixture.url("deflated.pt"), saying: "compressed or encrypted")
        try assertRefused(Fixture.url("big_endian.pt"), saying: "big-endian")
        try assertRefused(Fixture.url("no_pickle.pt"), saying: "no data.pkl")
        try assertRefused(Fixture.url("missing_storage.pt"), saying: "the storage \"0\" is missing")
    }

    // MARK: Pickles that PyTorch would not write

    func testTheAssembledCheckpointIsRead() throws {
        let tensor = Pickle.tensor(offset: 1, shape: [3], strides: [1])
        let file = try CheckpointFile.open(try file(Pickle.checkpoint(Pickle.dictionary(Pickle.text("x"), tensor))))
        XCTAssertEqual(file.names, ["x"])
        XCTAssertEqual(
            try file.withBytes(of: "x") { bytes in
                (0..<3).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }, [1, 2, 3])
    }

    func testTensorsThatReachBeyondTheirStorageAreRefused() throws {
        let cases: [(tensor: [UInt8], phrase: String)] = [
            (Pickle.tensor(shape: [5], strides: [1]), "reaches beyond its storage of 4 elements"),
            (Pickle.tensor(offset: 1, shape: [4], strides: [1]), "reaches beyond"),
            (Pickle.tensor(shape: [2], strides: [4]), "reaches beyond"),
            (Pickle.tensor(shape: [3, 2], strides: [.max, .max]), "reaches beyond"),
            (Pickle.tensor(offset: .max, shape: [2], strides: [1]), "reaches beyond"),
            (Pickle.tensor(offset: .max, shape: [1], strides: [1]), "reaches beyond"),
            (Pickle.tensor(shape: [.max, .max], strides: [0, 0]), "impossible shape"),
            (Pickle.tensor(shape: [1 << 40], strides: [0]), "repeats a storage that is much smaller"),
            (Pickle.tensor(offset: -1, shape: [1], strides: [1]), "lacks a valid storage"),
            (Pickle.tensor(shape: [-1], strides: [1]), "lacks a valid storage"),
            (Pickle.tensor(shape: [2], strides: [-1]), "lacks a valid storage"),
            (Pickle.tensor(shape: [2], strides: []), "lacks a valid storage"),
            (Pickle.tensor(shape: .init(repeating: 1, count: 65), strides: .init(repeating: 1, count: 65)), "lacks"),
            (Pickle.tensor(in: Pickle.none, shape: [1], strides: [1]), "lacks a valid storage"),
        ]
        for (tensor, phrase) in cases {
            let checkpoint = Pickle.checkpoint(Pickle.dictionary(Pickle.text("x"), tensor))
            try assertRefused(try file(checkpoint), saying: phrase)
        }
        try assertRefused(Fixture.url("endless.pt"), saying: "repeats a storage that is much smaller")
    }

    func testATensorMayRepeatASmallStorage() throws {
        let tensor = Pickle.tensor(offset: 3, shape: [2, 1000], strides: [0, 0])
        let file = try CheckpointFile.open(try file(Pickle.checkpoint(Pickle.dictionary(Pickle.text("x"), tensor))))
        let bytes = try file.withBytes(of: "x") { Array($0) }
        let three = withUnsafeBytes(of: Float(3)) { Array($0) }
        XCTAssertEqual(bytes, Array(repeatElement(three, count: 2000).joined()))
    }

    func testATensorWithoutElementsNeedsNoPlaceInItsStorage() throws {
        let tensor = Pickle.tensor(offset: 1 << 60, shape: [0, 3], strides: [3, 1])
        let file = try CheckpointFile.open(try file(Pickle.checkpoint(Pickle.dictionary(Pickle.text("x"), tensor))))
        XCTAssertEqual(file.info("x"), TensorInfo(dtype: .float32, shape: [0, 3]))
        XCTAssertEqual(try file.withBytes(of: "x") { $0.count }, 0)
    }

    func testStoragesThatDoNotFitTogetherAreRefused() throws {
        func one(_ storage: [UInt8]) -> [UInt8] {
            Pickle.dictionary(Pickle.text("x"), Pickle.tensor(in: storage, shape: [1], strides: [1]))
        }
        let half = Pickle.storage(type: "HalfStorage")
        let cases: [(root: [UInt8], keys: [String], phrase: String)] = [
            (one(Pickle.storage(count: 5)), ["s"], "has two sizes"),
            (one(Pickle.storage(count: .max)), ["s"], "has two sizes"),
            (one(Pickle.storage(count: -4)), ["s"], "lacks a valid type, key or size"),
            (one(Pickle.storage("other")), ["s"], "has no tensor, or is listed twice"),
            (one(Pickle.storage()), ["s", "s"], "has no tensor, or is listed twice"),
            (one(Pickle.storage()), [], "the tensor \"x\" has no storage"),
            (one(Pickle.storage(view: Pickle.tuple())), ["s"], "a view of another"),
            (Pickle.dictionary(Pickle.storage(), half), ["s"], "two types or sizes"),
        ]
        for (root, keys, phrase) in cases {
            try assertRefused(try file(Pickle.checkpoint(root, keys: keys)), saying: phrase)
        }
    }

    func testConjugatedTensorsAreRefused() throws {
        let metadata = Pickle.dictionary(Pickle.text("conj"), Pickle.none)
        let tensor = Pickle.tensor(shape: [1], strides: [1], metadata: metadata)
        let checkpoint = Pickle.checkpoint(Pickle.dictionary(Pickle.text("x"), tensor))
        try assertRefused(try file(checkpoint), saying: "conjugated or negated")
    }

    func testMalformedPicklesAreRefused() throws {
        let cases: [(pickle: String, phrase: String)] = [
            ("", "without its operands"), ("t", "without its mark"), ("R", "without its operands"),
            ("(R", "without its operands"), ("NN(R", "without its operands"), ("NNR", "calls what is not a function"),
            ("h\u{7}", "recalls what it did not memorize"), ("q\u{0}", "memorizes nothing"),
            ("NNa", "appends to what is not a list"), ("NNNs", "sets items of what is not a dict"),
            ("}(NNNu", "sets items of what is not a dict"), ("]Nb", "sets attributes of what is not a dict"),
            ("NQ", "lacks a valid type, key or size"), ("\u{1}", "operation (1) that no state dict uses"),
            ("ctorch\nfloat32\n)R", "unexpected arguments"),
            ("ccollections\nOrderedDict\n(NtR", "unexpected arguments"),
            ("ctorch._utils\n_rebuild_parameter\n)R", "not made of a tensor"),
            ("c" + String(repeating: "x", count: 2000), "too long"),
        ]
        for (pickle, phrase) in cases {
            try assertRefused(try file(Pickle.checkpoint(Array(pickle.utf8))), saying: phrase)
        }
        try assertRefused(try file(Pickle.checkpoint([0x80, 6])), saying: "protocol other than 2 to 5")
        try assertRefused(try file(Pickle.checkpoint([0x4E, 0x4E, 0x93])), saying: "not text")
        try assertRefused(try file(Pickle.checkpoint([0x8C, 1, 0xFF])), saying: "not UTF-8")
    }

    func testValuesThatContainThemselvesAreReleased() throws {
        let selfContaining = Array("]q\u{0}h\u{0}a".utf8)
        let root = Pickle.dictionary(
            Pickle.text("list"), selfContaining, Pickle.text("x"), Pickle.tensor(shape: [4], strides: [1]))
        XCTAssertEqual(try CheckpointFile.open(try file(Pickle.checkpoint(root))).names, ["x"])
    }

    func testValuesNestedDeeperThanTheCallStackAreRead() throws {
        let nested = Array(")".utf8) + [UInt8](repeating: 0x85, count: 500_000)
        let root = Pickle.dictionary(
            Pickle.text("deep"), nested, Pickle.text("x"), Pickle.tensor(shape: [4], strides: [1]))
        XCTAssertEqual(try CheckpointFile.open(try file(Pickle.checkpoint(root))).names, ["x"])
    }

    func testAnEndlessPickleIsRefused() throws {
        let root = [UInt8](repeating: UInt8(ascii: "N"), count: 1 << 20)
        try assertRefused(try file(Pickle.checkpoint(root)), saying: "takes more than 1048576 operations")
    }
}
