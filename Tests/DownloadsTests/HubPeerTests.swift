import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// One cache with Python's `huggingface_hub`, offline, in both directions.
final class HubPeerTests: DownloadTestCase {
    private func python(_ script: String, _ environment: [String: String] = [:]) throws -> [String] {
        let home = folder.appendingPathComponent("home").path
        let own = ["HF_HOME": home, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"]
        return try PeerPython.run(script, environment: own.merging(environment) { $1 })
            .split(separator: "\n").map(String.init)
    }

    func testPythonFindsWhatWasFetchedHere() throws {
        try serveModel("google-bert/bert-base-cased")
        try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        let bert = try models(server.hub).folder(for: name("bert-base-cased"))
        let tiny = try models(server.hub).folder(for: name("acme/tiny"))
        let found = try python(
            """
            from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
            print(hf_hub_download("bert-base-cased", "model.safetensors", local_files_only=True))
            print(hf_hub_download("acme/tiny", "vocab.txt"))
            print(try_to_load_from_cache("acme/tiny", "config.json"))
            print(snapshot_download("acme/tiny", local_files_only=True))
            cache = scan_cache_dir()
            print(sorted((repo.repo_id, repo.nb_files, len(repo.refs)) for repo in cache.repos))
            print(len(cache.warnings))
            """)
        XCTAssertEqual(
            found,
            [
                bert.path + "/model.safetensors", tiny.path + "/vocab.txt", tiny.path + "/config.json", tiny.path,
                "[('acme/tiny', 4, 1), ('bert-base-cased', 4, 1)]", "0",
            ])
    }

    func testWhatPythonFetchedIsFoundHere() throws {
        let files = try serveModel("google-bert/bert-base-uncased")
        let server = try LoopbackServer(
            folder, token: "secret", moved: ["bert-base-uncased": "google-bert/bert-base-uncased"])
        try python(
            """
            from huggingface_hub import hf_hub_download
            for file in ("config.json", "vocab.txt", "model.safetensors"):
                hf_hub_download("bert-base-uncased", file)
            """,
            ["HF_ENDPOINT": server.hub, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "secret", "HF_HUB_DISABLE_XET": "1"]
        ).forEach { XCTFail($0) }
        let count = try server.requests().count
        XCTAssertGreaterThan(count, 0)
        for text in ["bert-base-uncased", "google-bert/bert-base-uncased"] {
            let model = try models(server.hub, ["HF_HUB_OFFLINE": "1"]).folder(for: name(text))
            XCTAssertEqual(names(in: model), ["config.json", "model.safetensors", "vocab.txt"])
            let weights = try Data(contentsOf: model.appendingPathComponent("model.safetensors"))
            XCTAssertEqual(weights, files["model.safetensors"])
        }
        XCTAssertEqual(try server.requests().count, count)
    }

    func testPythonFetchesTheRestIntoWhatWasFetchedHere() throws {
        let files = try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/tiny"))
        let found = try python(
            """
            from huggingface_hub import hf_hub_download
            for file in ("README.md", "model.safetensors"):
                print(hf_hub_download("acme/tiny", file))
            """, ["HF_ENDPOINT": server.hub, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"])
        XCTAssertEqual(found, ["README.md", "model.safetensors"].map { model.path + "/" + $0 })
        XCTAssertEqual(try Data(contentsOf: model.appendingPathComponent("README.md")), files["README.md"])
        // It took over what was there.
        XCTAssertEqual(try server.requests().filter { $0.host == "other" && $0.method == "GET" }.count, 1)
    }
}
