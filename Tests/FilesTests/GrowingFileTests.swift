import Files
import Foundation
import XCTest

final class GrowingFileTests: XCTestCase {
    private var url = URL(fileURLWithPath: "/")

    override func setUpWithError() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("growing-\(UUID().uuidString)")
    }

    override func tearDown() { try? FileManager.default.removeItem(at: url) }

    func testPiecesAreInTheFileAtOnce() throws {
        let file = try GrowingFile(creating: url)
        try file.append("ab".utf8)
        XCTAssertEqual(try Data(contentsOf: url), Data("ab".utf8))
        try file.append([0x63])
        XCTAssertEqual(try Data(contentsOf: url), Data("abc".utf8))
    }

    func testFileThatIsThereIsLeftAlone() throws {
        try Data("mine".utf8).write(to: url)
        XCTAssertThrowsError(try GrowingFile(creating: url)) {
            XCTAssertEqual(($0 as? FileWriteError)?.reason, .system(EEXIST))
        }
        XCTAssertEqual(try Data(contentsOf: url), Data("mine".utf8))
    }

    /// A limit on the size of files stands for a full disk: a part of the piece still fits.
    func testPieceThatDoesNotFitIsTakenBack() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        let handler = signal(SIGXFSZ, SIG_IGN)
        defer {
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            signal(SIGXFSZ, handler)
        }
        let file = try GrowingFile(creating: url)
        try file.append([UInt8](repeating: 1, count: 100))
        var small = rlimit(rlim_cur: 150, rlim_max: limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &small)
        XCTAssertThrowsError(try file.append([UInt8](repeating: 2, count: 100))) {
            XCTAssertEqual(($0 as? FileWriteError)?.reason, .system(EFBIG))
        }
        XCTAssertEqual(try Data(contentsOf: url), Data(repeating: 1, count: 100))
        try file.append([3])
        XCTAssertEqual(try Data(contentsOf: url).count, 101)
    }
}
