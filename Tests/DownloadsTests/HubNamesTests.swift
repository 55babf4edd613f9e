import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// Names of models, and the variables that say where they are.
final class HubNamesTests: DownloadTestCase {
    func testNamesHaveAnOwnerAndARevision() throws {
        let model = try name("acme/tiny_BERT-1.0@v2.1")
        XCTAssertEqual([model.id, model.revision], ["acme/tiny_BERT-1.0", "v2.1"])
        XCTAssertEqual(model.description, "acme/tiny_BERT-1.0@v2.1")
        XCTAssertEqual(try name("acme/tiny").revision, "main")
        XCTAssertEqual(try name("acme/tiny").description, "acme/tiny")
        XCTAssertEqual(try name("acme/tiny@refs/pr/1").revision, "refs/pr/1")
        XCTAssertEqual(try name("bert-large-uncased").hubID, "google-bert/bert-large-uncased")
        XCTAssert(try name("bert-base-cased").isOnHub)
        XCTAssertFalse(try name("tiny").isOnHub)
    }

    func testWhatCannotBeANameIsNone() {
        for text in [
            "", "/", "a/", "/a", "a/b/c", "..", "../a", "a/..", "a/b@", "a/b@../x", "a/b@x/../y", "a/b@/x", "a b/c",
            "a/b?c", "a/b#c", "a/b%2e", "a--b/c", ".a/b", "a/b.", "a/b@c@d", "~/a", "a/b@\u{301}", "ä/b",
            String(repeating: "a", count: 100),
        ] {
            XCTAssertNil(ModelName(text), text)
        }
    }

    func testTheCacheIsWherePythonsToolsHaveIt() throws {
        func cache(_ environment: [String: String]) throws -> String {
            try HubSettings(environment: environment).cache.path
        }
        XCTAssertEqual(try cache(["HOME": "/home/a"]), "/home/a/.cache/huggingface/hub")
        XCTAssertEqual(try cache(["HOME": "/home/a", "XDG_CACHE_HOME": "/c"]), "/c/huggingface/hub")
        XCTAssertEqual(try cache(["HOME": "/home/a", "HF_HOME": "~/hf"]), "/home/a/hf/hub")
        XCTAssertEqual(try cache(["HOME": "/h", "HF_HOME": "/x", "HF_HUB_CACHE": "$HOME/${HF_HOME}y"]), "/h//xy")
        XCTAssertEqual(try cache(["HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"]), "/old")
        XCTAssertEqual(try cache(["HOME": "/h", "HF_HUB_CACHE": ""]), "/h/.cache/huggingface/hub")
        assertFails("HF_HOME", "there is no HOME") { _ = try cache([:]) }
    }

    func testTheTokenComesFromTheEnvironmentOrItsFile() throws {
        try serve(Data("from-file\n".utf8), at: "home/token")
        XCTAssertEqual(try settings("http://x").token, "from-file")
        XCTAssertEqual(try settings("http://x", ["HF_TOKEN": " given "]).token, "given")
        XCTAssertNil(try settings("http://x", ["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"]).token)
        try serve(Data("elsewhere".utf8), at: "other")
        let path = folder.appendingPathComponent("other").path
        XCTAssertEqual(try settings("http://x", ["HF_TOKEN_PATH": path]).token, "elsewhere")
        assertFails("HF_TOKEN", "one word") { _ = try settings("http://x", ["HF_TOKEN": "a\r\nHost: b"]) }
        do {
            _ = try settings("http://x", ["HF_TOKEN": "my secret"])
        } catch { XCTAssertFalse("\(error)".contains("secret")) }
    }

    func testVariablesThatCannotBeAreErrors() throws {
        for address in ["huggingface.co", "ftp://x", "http://", "http://x?y", "http://a b"] {
            assertFails("HF_ENDPOINT is \"\(address)\"", "https://huggingface.co") { _ = try settings(address) }
        }
        XCTAssertEqual(try settings("https://mirror.example/a//").endpoint.absoluteString, "https://mirror.example/a")
        assertFails("HF_HUB_DOWNLOAD_TIMEOUT") { _ = try settings("http://x", ["HF_HUB_DOWNLOAD_TIMEOUT": "soon"]) }
        XCTAssertFalse(try settings("http://x", ["HF_HUB_OFFLINE": "0"]).isOffline)
        XCTAssert(try settings("http://x", ["HF_HUB_OFFLINE": "yes"]).isOffline)
    }
}
