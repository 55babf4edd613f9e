import Files
import Foundation
import XCTest

/// Files that a user named may be pipes and devices.
final class NamedFileTests: XCTestCase {
    private var folder = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private func file(_ name: String, _ text: String) throws -> URL {
        let url = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: url)
        return url
    }

    private func fifo() throws -> URL {
        let url = folder.appendingPathComponent("fifo")
        XCTAssertEqual(mkfifo(url.path, 0o600), 0)
        return url
    }

    private func text(_ url: URL) throws -> String { try String(contentsOf: url, encoding: .utf8) }

    func testAFileAPipeAndAnOpenDescriptorAreReadToTheirEnds() throws {
        let long = String(repeating: "0123456789", count: 30_000)
        XCTAssertEqual(try readNamedFile(file("long", long)), Data(long.utf8))
        XCTAssertEqual(try readNamedFile(file("empty", "")), Data())
        XCTAssertEqual(try readNamedFile(URL(fileURLWithPath: "/dev/null")), Data())
        let named = try fifo()
        let writer = Thread { try? Data(long.utf8).write(to: named) }
        writer.start()
        XCTAssertEqual(try readNamedFile(named), Data(long.utf8))

        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("piped".utf8))
        try pipe.fileHandleForWriting.close()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        XCTAssertEqual(try readNamedFile(URL(fileURLWithPath: path)), Data("piped".utf8))
    }

    func testWhatMayNeverEndIsNotRead() throws {
        for path in ["/dev/zero", "/dev/urandom", folder.path, folder.appendingPathComponent("none").path] {
            XCTAssertThrowsError(try readNamedFile(URL(fileURLWithPath: path)), path)
        }
    }

    /// In a model's folder, a pipe would be waited for without end.
    func testOnlyARegularFileIsReadWhereOneIsLookedFor() throws {
        let named = try fifo()
        for url in [named, folder, URL(fileURLWithPath: "/dev/null")] { XCTAssertThrowsError(try readFile(url)) }
        XCTAssertEqual(try readFile(file("a", "text")), Data("text".utf8))
    }

    func testAPipeIsWrittenToAndStaysOne() throws {
        let named = try fifo()
        let reader = open(named.path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try OutputFile.check(named)
        try OutputFile(named).write { try $0.write("piped") }
        var bytes = [UInt8](repeating: 0, count: 10)
        XCTAssertEqual(read(reader, &bytes, 10), 5)
        XCTAssertEqual(String(decoding: bytes.prefix(5), as: UTF8.self), "piped")
        var status = stat()
        XCTAssertEqual(lstat(named.path, &status), 0)
        XCTAssertEqual(status.st_mode & S_IFMT, S_IFIFO)
    }

    func testAFullDeviceIsAnErrorAndNoDeviceIsReplaced() throws {
        try OutputFile(URL(fileURLWithPath: "/dev/null")).write { try $0.write("text") }
        XCTAssertThrowsError(try OutputFile(URL(fileURLWithPath: "/dev/full")).write { try $0.write("text") }) {
            XCTAssertEqual($0 as? FileWriteError, FileWriteError(path: "/dev/full", reason: .system(ENOSPC)))
        }
        for path in ["/dev/null", "/dev/full"] {
            var status = stat()
            XCTAssertEqual(lstat(path, &status), 0)
            XCTAssertEqual(status.st_mode & S_IFMT, S_IFCHR)
        }
        XCTAssertThrowsError(try OutputFile(folder)) {
            XCTAssertEqual($0 as? FileWriteError, .init(path: folder.path, reason: .notARegularFile))
        }
    }

    /// `--output /dev/stdout >> file` adds to the file.
    func testADescriptorThatIsAFileIsAddedTo() throws {
        let url = try file("log", "before\n")
        let handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
        let path = "/dev/fd/\(handle.fileDescriptor)"
        try OutputFile(URL(fileURLWithPath: path)).write { try $0.write("after\n") }
        XCTAssertEqual(try text(url), "before\nafter\n")
    }

    func testALinkStaysALinkAndLeadsToWhatIsWritten() throws {
        let target = try file("target", "old")
        for (name, path) in [("absolute", target.path), ("relative", "target"), ("new", "made")] {
            let link = folder.appendingPathComponent(name)
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: path)
            try OutputFile(link).write { try $0.write(name) }
            XCTAssertEqual(try FileManager.default.destinationOfSymbolicLink(atPath: link.path), path)
            XCTAssertEqual(try text(link), name)
        }
        XCTAssertEqual(try text(target), "relative")
        XCTAssertEqual(try text(folder.appendingPathComponent("made")), "new")
    }

    func testOneFileUnderTwoNamesIsFoundOut() throws {
        let (one, other) = (try file("a", ""), try file("b", ""))
        let link = folder.appendingPathComponent("c")
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "a")
        XCTAssert(isSameFile(one, link))
        XCTAssertFalse(isSameFile(one, other))
        XCTAssertFalse(isSameFile(folder.appendingPathComponent("x"), folder.appendingPathComponent("x")))
    }
}
