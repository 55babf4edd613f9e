import Files
import Foundation
import XCTest

final class AtomicFileTests: XCTestCase {
    private var folder = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private func file(_ bytes: [UInt8]) throws -> URL {
        let url = folder.appendingPathComponent("checkpoint")
        try Data(bytes).write(to: url)
        return url
    }

    func testWritesANewFileAndReplacesAnOldOne() throws {
        let url = folder.appendingPathComponent("report.txt")
        try writeAtomically(to: url) { sink in
            try sink.write("first line\n")
            try sink.write([0x61, 0x62] as [UInt8])
        }
        XCTAssertEqual(try String(contentsOf: url, encoding: .utf8), "first line\nab")

        // More than the sink holds back, in pieces of all sizes.
        let pieces = [1, 70_000, 65_536, 65_535, 2, 200_000].map { [UInt8](repeating: UInt8($0 % 251), count: $0) }
        try writeAtomically(to: url) { sink in
            for piece in pieces { try sink.write(piece) }
        }
        XCTAssertEqual(try Data(contentsOf: url), Data(pieces.joined()))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["report.txt"])
    }

    func testANewFileHasTheUsualPermissions() throws {
        let mask = umask(0o027)
        defer { umask(mask) }
        let url = folder.appendingPathComponent("report.txt")
        try writeAtomically(to: url) { try $0.write("text") }
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        XCTAssertEqual(attributes[.posixPermissions] as? Int, 0o640)
    }

    func testAnErrorOfTheCallerLeavesTheFolderAsItWas() throws {
        struct Refusal: Error {}
        let url = try file([1, 2, 3])
        XCTAssertThrowsError(
            try writeAtomically(to: url) { sink in
                try sink.write([UInt8](repeating: 9, count: 100_000))
                throw Refusal()
            }
        ) { XCTAssertTrue($0 is Refusal, "\($0)") }
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testAWriteThatFailsLeavesTheFolderAsItWasEvenIfItsErrorIsDropped() throws {
        // A limit on the size of files fails writes as a full disk does; without this, it would end the process.
        let oldHandler = signal(SIGXFSZ, SIG_IGN)
        defer { signal(SIGXFSZ, oldHandler) }
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        var limit = rlimit()
        XCTAssertEqual(getrlimit(resource, &limit), 0)
        let oldLimit = limit
        limit.rlim_cur = 16 << 20

        let url = try file([1, 2, 3])
        XCTAssertEqual(setrlimit(resource, &limit), 0)
        let result = Result {
            try writeAtomically(to: url) { sink in
                for _ in 0..<17 { try? sink.write([UInt8](repeating: 9, count: 1 << 20)) }
                try? sink.write("the end")
            }
        }
        limit = oldLimit
        XCTAssertEqual(setrlimit(resource, &limit), 0)

        XCTAssertThrowsError(try result.get()) { error in
            XCTAssertEqual((error as? FileWriteError)?.reason, .system(EFBIG))
            XCTAssertEqual((error as? FileWriteError)?.path, url.path)
        }
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testAMissingFolderIsReportedWithAdvice() throws {
        let url = folder.appendingPathComponent("missing/report.txt")
        XCTAssertThrowsError(try writeAtomically(to: url) { try $0.write("text") }) { error in
            XCTAssertEqual((error as? FileWriteError)?.reason, .system(ENOENT))
            XCTAssertTrue("\(error)".hasPrefix(url.path), "\(error)")
            XCTAssertTrue("\(error)".contains("create its folder first"), "\(error)")
        }
    }

    func testFoldersAndDevicesAreNotReplaced() throws {
        let link = folder.appendingPathComponent("null")
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "/dev/null")
        for url in [folder, link] {
            XCTAssertThrowsError(try writeAtomically(to: url) { try $0.write("text") }) { error in
                XCTAssertEqual((error as? FileWriteError)?.reason, .notARegularFile)
            }
        }
    }

    func testAFileThatIsOpenKeepsItsContentWhenItIsReplaced() throws {
        let url = folder.appendingPathComponent("x")
        func write(_ value: UInt8) throws {
            try writeAtomically(to: url) { try $0.write([UInt8](repeating: value, count: 10_000)) }
        }
        try write(1)
        let old = try MappedFile(path: url.path)
        try write(2)
        XCTAssertEqual(old.withBytes { Set($0) }, [1])
        XCTAssertEqual(try MappedFile(path: url.path).withBytes { Set($0) }, [2])
    }

    func testWritersAtTheSameTimeDoNotMixTheirContents() throws {
        let url = folder.appendingPathComponent("report.txt")
        DispatchQueue.concurrentPerform(iterations: 16) { index in
            do {
                try writeAtomically(to: url) { sink in
                    for _ in 0..<20 { try sink.write([UInt8](repeating: UInt8(index), count: 10_000)) }
                }
            } catch {
                XCTFail("\(error)")
            }
        }
        let content = try Data(contentsOf: url)
        XCTAssertEqual(content.count, 200_000)
        XCTAssertEqual(Set(content).count, 1)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["report.txt"])
    }

    func testADraftIsWrittenInAnyOrderAndReadBackBeforeItIsInPlace() throws {
        let url = try file([1, 2, 3])
        let draft = try FileDraft(for: url)
        try draft.write([3, 4] as [UInt16], at: 4)
        try draft.write([1, 2] as [UInt16], at: 0)
        XCTAssertEqual(try draft.withContents { $0.withBytes { Array($0.bindMemory(to: UInt16.self)) } }, [1, 2, 3, 4])
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        try draft.moveIntoPlace()
        XCTAssertEqual(try Data(contentsOf: url).count, 8)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testADraftThatIsGivenUpLeavesNothing() throws {
        let url = try file([1, 2, 3])
        try FileDraft(for: url).write([1, 2] as [UInt16], at: 1 << 20)
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testWhetherAFileCanBeWrittenIsFoundOutWithoutATrace() throws {
        let url = try file([1, 2, 3])
        XCTAssertNoThrow(try checkWritable(url))
        XCTAssertNoThrow(try checkWritable(folder.appendingPathComponent("new")))
        let wrong: [(URL, FileWriteError.Reason)] = [
            (folder, .notARegularFile), (folder.appendingPathComponent("none/new"), .system(ENOENT)),
            (url.appendingPathComponent("new"), .system(ENOTDIR)),
            (folder.appendingPathComponent(String(repeating: "a", count: 256)), .system(ENAMETOOLONG)),
        ]
        for (url, reason) in wrong {
            XCTAssertThrowsError(try checkWritable(url)) { XCTAssertEqual(($0 as? FileWriteError)?.reason, reason) }
        }
        XCTAssertEqual(try Data(contentsOf: url), Data([1, 2, 3]))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["checkpoint"])
    }

    func testFoldersAreMadeWithThoseAboveThem() throws {
        let deep = folder.appendingPathComponent("a/b/c")
        try makeFolder(deep)
        try makeFolder(deep)
        var isFolder: ObjCBool = false
        XCTAssertTrue(FileManager.default.fileExists(atPath: deep.path, isDirectory: &isFolder) && isFolder.boolValue)
        let inFile = try file([1]).appendingPathComponent("a/b")
        XCTAssertThrowsError(try makeFolder(inFile)) {
            XCTAssertEqual($0 as? FileWriteError, FileWriteError(path: inFile.path, reason: .system(ENOTDIR)))
        }
    }
}
