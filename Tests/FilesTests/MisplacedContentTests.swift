import Files
import Foundation
import XCTest

final class MisplacedContentTests: XCTestCase {
    private func recognised(_ text: String) -> MisplacedContent? { MisplacedContent(Array(text.utf8)) }

    func testAPointerOfGitLFSIsRecognisedWithTheCommandThatFetchesTheFile() throws {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "0", count: 64))\nsize 9\n"
        XCTAssertEqual(recognised(pointer), .gitLFSPointer)
        XCTAssert(try XCTUnwrap(recognised(pointer)).description.contains("`git lfs pull`"))
    }

    func testPagesOfServersAreRecognised() {
        for page in ["<!DOCTYPE html>\n<html>", "\n  <html lang=\"en\">", "\u{FEFF}<!doctype HTML>", "<HEAD>", "<body>"] {
            XCTAssertEqual(recognised(page), .webPage, page)
        }
    }

    func testWideTextIsRecognisedWithAndWithoutAByteOrderMark() throws {
        let encodings: [(String.Encoding, String)] = [
            (.utf16LittleEndian, "UTF-16"), (.utf16BigEndian, "UTF-16"), (.utf32LittleEndian, "UTF-32"),
            (.utf32BigEndian, "UTF-32"),
        ]
        for (encoding, name) in encodings {
            let marked = try XCTUnwrap("\u{FEFF}index\tsentence".data(using: encoding))
            XCTAssertEqual(MisplacedContent(marked), .wideText(name), "\(encoding)")
        }
        for encoding in [String.Encoding.utf16LittleEndian, .utf16BigEndian] {
            let bare = try XCTUnwrap("index\tsentence".data(using: encoding))
            XCTAssertEqual(MisplacedContent(bare), .wideText("UTF-16"), "\(encoding)")
        }
    }

    func testWhatFilesBeginWithIsLeftToTheirReaders() {
        for text in ["", "<", "sentence\tlabel\n", "{\"task\": \"rte\"}", "<p> a tag\t1\n", "version\thttps", "\u{FEFF}a"] {
            XCTAssertNil(recognised(text), text)
        }
        // Lengths at the beginning of safetensors files and archives.
        for bytes in [[0x50, 0, 0, 0, 0, 0, 0, 0, 0x7B], [0, 0, 0, 0, 0, 0, 0, 0], [0x50, 0x4B, 3, 4, 0, 0, 8, 8]] as [[UInt8]] {
            XCTAssertNil(MisplacedContent(bytes), "\(bytes)")
        }
    }
}
