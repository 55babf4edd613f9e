import Files
import XCTest

final class SHA256Tests: XCTestCase {
    /// The examples that NIST publishes for FIPS 180-4.
    func testTheStandardsExamples() {
        let examples = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
        for (text, hash) in examples { XCTAssertEqual(SHA256(text.utf8).hexadecimal, hash) }
    }

    /// Python's hashlib gives these, of bytes 0, 1, 2 … around the lengths at which the padding takes another block.
    func testLengthsAroundABlock() {
        let hashes = [
            55: "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59",
            56: "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562",
            63: "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488",
            64: "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108",
            119: "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6",
        ]
        for (count, hash) in hashes { XCTAssertEqual(SHA256((0..<count).map { UInt8($0) }).hexadecimal, hash) }
    }
}
