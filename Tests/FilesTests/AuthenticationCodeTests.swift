import XCTest

@testable import Files

/// The test cases of RFC 4231.
final class AuthenticationCodeTests: XCTestCase {
    private func code(_ message: String, key: [UInt8]) -> String {
        SHA256.authenticationCode(of: message.utf8, key: key).map {
            String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
        }.joined()
    }

    func testCodesAreThoseOfTheStandard() {
        XCTAssertEqual(
            code("Hi There", key: Array(repeating: 0x0B, count: 20)),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        XCTAssertEqual(
            code("what do ya want for nothing?", key: Array("Jefe".utf8)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        XCTAssertEqual(
            code("Test Using Larger Than Block-Size Key - Hash Key First", key: Array(repeating: 0xAA, count: 131)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
