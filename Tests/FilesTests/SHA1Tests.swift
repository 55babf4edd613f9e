import Files
import XCTest

final class SHA1Tests: XCTestCase {
    private func hash(_ bytes: some Collection<UInt8>) -> String {
        Array(bytes).withUnsafeBytes { SHA1($0).hexadecimal }
    }

    /// The examples that NIST publishes for FIPS 180-4, and the hash of nothing.
    func testTheStandardsExamples() {
        let examples = [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ]
        for (text, expected) in examples { XCTAssertEqual(hash(text.utf8), expected) }
    }

    /// Python's hashlib gives these, of bytes 0, 1, 2 … around the lengths at which the padding takes another block.
    func testLengthsAroundABlock() {
        let hashes = [
            55: "8ae2d46729cfe68ff927af5eec9c7d1b66d65ac2", 56: "636e2ec698dac903498e648bd2f3af641d3c88cb",
            63: "6d942da0c4392b123528f2905c713a3ce28364bd", 64: "c6138d514ffa2135bfce0ed0b8fac65669917ec7",
            119: "41c89d06001bab4ab78736b44efe7ce18ce6ae08",
        ]
        for (count, expected) in hashes { XCTAssertEqual(hash((0..<count).map { UInt8($0) }), expected) }
    }

    /// `git hash-object` gives these.
    func testGitsNames() {
        XCTAssertEqual(
            Array<UInt8>().withUnsafeBytes { SHA1.gitBlob($0).hexadecimal }, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        XCTAssertEqual(
            Array("hello\n".utf8).withUnsafeBytes { SHA1.gitBlob($0).hexadecimal },
            "ce013625030ba8dba906f756967f9e9ca394464a")
    }
}
