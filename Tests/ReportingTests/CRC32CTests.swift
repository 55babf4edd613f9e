import XCTest

@testable import Reporting

final class CRC32CTests: XCTestCase {
    /// The examples of RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
    func testPublishedVectors() {
        let readCommand: [UInt8] =
            [0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14]
            + [0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0]
        let vectors: [([UInt8], UInt32)] = [
            (Array(repeating: 0, count: 32), 0x8A91_36AA), (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E), ((0..<32).reversed(), 0x113F_DB5C), (readCommand, 0xD996_3A56),
            (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ]
        for (bytes, checksum) in vectors {
            XCTAssertEqual(CRC32C.checksum(bytes), checksum, "of \(bytes.count) bytes from \(bytes.first ?? 0)")
        }
    }

    func testMaskTurnsBy15BitsAndAddsAConstant() {
        // 0xE3069283 turned right by 15 bits is 0x2507C60D; with 0xA282EAD8 that is 0xC78AB0E5.
        XCTAssertEqual(CRC32C.masked("123456789".utf8), 0xC78A_B0E5)
    }
}
