import Files
import Foundation
import XCTest

final class MappedFileTests: XCTestCase {
    private var url = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("mapped-\(UUID().uuidString)")
    }

    override func tearDownWithError() throws { try? FileManager.default.removeItem(at: url) }

    private func write(_ count: Int) throws -> (data: Data, file: MappedFile) {
        var state: UInt32 = 1
        let data = Data((0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        })
        try data.write(to: url)
        return (data, try MappedFile(path: url.path))
    }

    func testPiecesAreTheWholeFileInItsOrder() throws {
        for count in [0, 1, 1 << 20, 1 << 20 | 1, 5 << 19] {
            let (data, file) = try write(count)
            let pieces = file.mapPieces { offset, bytes in (offset, Data(bytes)) }
            XCTAssertEqual(pieces.map(\.0), Array(stride(from: 0, to: count, by: 1 << 20)))
            XCTAssertEqual(pieces.reduce(Data()) { $0 + $1.1 }, data)
        }
    }

    func testReleasedPagesAreReadAgain() throws {
        let (data, file) = try write(3 << 20)
        for _ in 0..<2 {
            XCTAssertEqual(file.withBytes { Data($0) }, data)
            file.releasePages()
        }
    }

    /// The hash of the pieces' hashes, made here of the standard's hash alone.
    func testTheHashOfPieces() throws {
        let (data, file) = try write(5 << 19)
        var hashes: [UInt8] = []
        for start in stride(from: 0, to: data.count, by: 1 << 20) {
            let digits = Array(SHA256(data[start..<min(start + 1 << 20, data.count)]).hexadecimal)
            hashes += stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0...$0 + 1]), radix: 16)
            }
        }
        XCTAssertEqual(hashes.count, 96)
        XCTAssertEqual(SHA256(ofPiecesOf: file), SHA256(hashes))
    }
}
