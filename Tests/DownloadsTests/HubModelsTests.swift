import Files
import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// A model comes from the hub by its name, once, and lies where all who share the cache look for it.
final class HubModelsTests: DownloadTestCase {
    private func assertHas(
        _ model: URL, _ files: [String: Data], _ names: [String], file: StaticString = #filePath, line: UInt = #line
    ) throws {
        XCTAssertEqual(self.names(in: model), names.sorted(), file: file, line: line)
        for name in names {
            let url = model.appendingPathComponent(name)
            XCTAssertEqual(try Data(contentsOf: url), files[name], name, file: file, line: line)
        }
    }

    private let needed = ["config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"]

    func testTheNeededFilesAreFetchedIntoTheCachesLayout() throws {
        let files = try serveModel("acme/tiny", weights: ["model.safetensors", "pytorch_model.bin"])
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/tiny"))
        try assertHas(model, files, needed)

        let repository = cache.appendingPathComponent("models--acme--tiny")
        let commit = model.lastPathComponent
        XCTAssertEqual(model.path, repository.appendingPathComponent("snapshots/\(commit)").path)
        XCTAssertEqual(try String(contentsOf: repository.appendingPathComponent("refs/main"), encoding: .utf8), commit)
        for name in needed {
            let target = try FileManager.default.destinationOfSymbolicLink(
                atPath: model.appendingPathComponent(name).path)
            let content = try XCTUnwrap(files[name])
            let hash = content.withUnsafeBytes {
                name == "model.safetensors" ? SHA256($0).hexadecimal : SHA1.gitBlob($0).hexadecimal
            }
            XCTAssertEqual(target, "../../blobs/\(hash)", name)
            let lock = cache.appendingPathComponent(".locks/models--acme--tiny/\(hash).lock")
            XCTAssert(FileManager.default.fileExists(atPath: lock.path), name)
        }
        XCTAssertEqual(names(in: repository.appendingPathComponent("blobs")).count, 4)
        XCTAssertEqual(
            try server.requests().filter { $0.host == "other" }.map(\.path), ["/acme/tiny/model.safetensors"])
    }

    func testWhatIsCachedIsTakenWithoutARequest() throws {
        try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        let first = try models(server.hub).folder(for: name("acme/tiny"))
        let count = try server.requests().count
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/tiny")), first)
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/tiny@\(first.lastPathComponent)")), first)
        XCTAssertEqual(try server.requests().count, count)
        // A file that went missing is fetched again, alone.
        try FileManager.default.removeItem(at: first.appendingPathComponent("vocab.txt").resolvingSymlinksInPath())
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/tiny")), first)
        XCTAssertEqual(
            try server.requests()[count...].map { $0.path.split(separator: "/").last },
            ["main", "vocab.txt", "vocab.txt"])
    }

    func testAllFilesThatDecideIDsAreFetchedAndAWholeTokenizerStandsInForTheVocabulary() throws {
        var files = try serveModel("acme/new")
        try FileManager.default.removeItem(at: folder.appendingPathComponent("hub/acme/new/vocab.txt"))
        let more = ["tokenizer.json", "added_tokens.json", "special_tokens_map.json"]
        for name in more {
            files[name] = Data("{\"file\": \"\(name)\"}".utf8)
            try serve(Data("{\"file\": \"\(name)\"}".utf8), at: "hub/acme/new/\(name)")
        }
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/new"))
        try assertHas(model, files, needed.filter { $0 != "vocab.txt" } + more)
        let offline = try models(server.hub, ["HF_HUB_OFFLINE": "1"])
        XCTAssertEqual(try offline.folder(for: name("acme/new")), model)
        try FileManager.default.removeItem(at: model.appendingPathComponent("tokenizer.json"))
        assertFails("lacks this model's vocab.txt") { _ = try offline.folder(for: name("acme/new")) }
    }

    func testOldModelsHavePyTorchsWeights() throws {
        let files = try serveModel("acme/old", weights: ["pytorch_model.bin"])
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/old"))
        try assertHas(model, files, Array(needed.dropLast()) + ["pytorch_model.bin"])
    }

    func testWeightsInShardsAreFetchedByTheirIndex() throws {
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        let index = "model.safetensors.index.json"
        let map = try JSONEncoder().encode(["weight_map": ["a": shards[0], "b": shards[1]]])
        var files = try serveModel("acme/large", weights: shards + ["pytorch_model.bin"])
        files[index] = map
        try serve(map, at: "hub/acme/large/\(index)")
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/large"))
        try assertHas(model, files, Array(needed.dropLast()) + [index] + shards)
        // A shard that went missing is missed, and fetched again.
        try FileManager.default.removeItem(at: model.appendingPathComponent(shards[1]).resolvingSymlinksInPath())
        assertFails(shards[1], "HF_HUB_OFFLINE") {
            _ = try models(server.hub, ["HF_HUB_OFFLINE": "1"]).folder(for: name("acme/large"))
        }
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/large")), model)
        try assertHas(model, files, Array(needed.dropLast()) + [index] + shards)
    }

    func testShardsThatTheHubHasNotOrThatLieElsewhereAreRefused() throws {
        for (number, (shard, phrase)) in [
            ("model-00001-of-00001.safetensors", "has no model-00001-of-00001.safetensors, which"),
            ("../config.json", "which is not the name of a file beside it"),
        ].enumerated() {
            let model = "acme/broken\(number)"
            try serveModel(model, weights: [])
            try serve(
                JSONEncoder().encode(["weight_map": ["a": shard]]), at: "hub/\(model)/model.safetensors.index.json")
            let server = try LoopbackServer(folder)
            assertFails(phrase) { _ = try models(server.hub).folder(for: name(model)) }
        }
    }

    func testBERTsNamesWithoutAnOwnerAreGooglesOnTheHub() throws {
        let files = try serveModel("google-bert/bert-base-cased")
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("bert-base-cased"))
        try assertHas(model, files, needed)
        // Python's tools look for it by the name that was given.
        XCTAssertEqual(names(in: cache), [".locks", "models--bert-base-cased"])
        // And whichever of its names it was cached under, it is found by both.
        let offline = try models(server.hub, ["HF_HUB_OFFLINE": "1"])
        XCTAssertEqual(try offline.folder(for: name("google-bert/bert-base-cased")), model)
        try FileManager.default.moveItem(
            at: cache.appendingPathComponent("models--bert-base-cased"),
            to: cache.appendingPathComponent("models--google-bert--bert-base-cased"))
        XCTAssertEqual(
            try offline.folder(for: name("bert-base-cased")).lastPathComponent, model.lastPathComponent)
    }

    func testNamesThatMovedAreFollowedWithTheToken() throws {
        let files = try serveModel("acme/new-name")
        let server = try LoopbackServer(folder, token: "secret", moved: ["acme/old-name": "acme/new-name"])
        let model = try models(server.hub, ["HF_TOKEN": "secret"]).folder(for: name("acme/old-name"))
        try assertHas(model, files, needed)
        // The other host of the server would refuse a request with a token.
        XCTAssert(try server.requests().contains { $0.host == "other" && $0.headers["authorization"] == nil })
    }

    func testRevisionsHaveReferencesOfTheirOwn() throws {
        try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        let model = try models(server.hub).folder(for: name("acme/tiny@refs/pr/1"))
        let reference = cache.appendingPathComponent("models--acme--tiny/refs/refs/pr/1")
        XCTAssertEqual(try String(contentsOf: reference, encoding: .utf8), model.lastPathComponent)
        let requests = try server.requests()
        XCTAssertEqual(requests[0].path, "/api/models/acme/tiny/revision/refs/pr/1")
        // A commit needs none.
        try FileManager.default.removeItem(at: cache)
        let commit = model.lastPathComponent
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/tiny@\(commit)")), model)
        XCTAssertEqual(names(in: cache.appendingPathComponent("models--acme--tiny")), ["blobs", "snapshots"])
        assertFails("acme/tiny: this model has no revision \"v9\"") {
            _ = try models(server.hub).folder(for: name("acme/tiny@v9"))
        }
    }

    func testABranchThatMovedOnKeepsWhatWasCachedUntilTheNewOneIsWhole() throws {
        try serveModel("acme/tiny")
        var server = try LoopbackServer(folder)
        let first = try models(server.hub).folder(for: name("acme/tiny"))
        try serve(Data("[PAD]\n[UNK]\n[CLS]\n".utf8), at: "hub/acme/tiny/vocab.txt")
        // The branch stays at the commit that was cached.
        XCTAssertEqual(try models(server.hub).folder(for: name("acme/tiny")), first)
        let reference = cache.appendingPathComponent("models--acme--tiny/refs/main")
        try FileManager.default.removeItem(at: reference)
        server = try LoopbackServer(
            folder, faults: ["/acme/tiny/resolve/COMMIT/vocab.txt": [["method": "GET", "status": 404]]])
        XCTAssertThrowsError(try models(server.hub).folder(for: name("acme/tiny")))
        XCTAssertFalse(FileManager.default.fileExists(atPath: reference.path))
        let second = try models(server.hub).folder(for: name("acme/tiny"))
        XCTAssertNotEqual(second, first)
        // What did not change is not fetched again.
        XCTAssertEqual(names(in: cache.appendingPathComponent("models--acme--tiny/blobs")).count, 5)
        XCTAssertEqual(try server.requests().filter { $0.host == "other" }.count, 1)
    }

    func testModelsThatTheHubDoesNotGiveAreErrorsWithAWayOut() throws {
        try serveModel("acme/tiny")
        let gated: LoopbackServer.Fault = ["status": 403, "headers": ["X-Error-Code": "GatedRepo"]]
        let server = try LoopbackServer(folder, faults: ["/api/models/acme/tiny/revision/main": [gated]])
        assertFails("acme/tiny: this model is not open to everyone", "\(server.hub)/acme/tiny", "set HF_TOKEN") {
            _ = try models(server.hub).folder(for: name("acme/tiny"))
        }
        assertFails("acme/none: there is no such folder", "no such model", "set HF_TOKEN") {
            _ = try models(server.hub).folder(for: name("acme/none"))
        }
        assertFails("what the token may read") {
            _ = try models(server.hub, ["HF_TOKEN": "wrong"]).folder(for: name("acme/none"))
        }
        XCTAssertEqual(names(in: folder.appendingPathComponent("home")), [])
    }

    func testModelsWithoutTheNeededFilesAreRefusedByWhatTheyLack() throws {
        try serveModel("acme/tiny", weights: [])
        try serve(Data("{}".utf8), at: "hub/acme/other/config.json")
        let server = try LoopbackServer(folder)
        assertFails("acme/tiny: this model has no model.safetensors and no pytorch_model.bin") {
            _ = try models(server.hub).folder(for: name("acme/tiny"))
        }
        assertFails("acme/other: this model has no vocab.txt and no tokenizer.json") {
            _ = try models(server.hub).folder(for: name("acme/other"))
        }
    }

    func testAnythingButAHubIsRecognised() throws {
        try serveModel("acme/tiny")
        let server = try LoopbackServer(
            folder, faults: ["/api/models/acme/tiny/revision/main": [["page": "<html>Please log in</html>"]]])
        assertFails("this is not how the hub answers", "HF_ENDPOINT") {
            _ = try models(server.hub).folder(for: name("acme/tiny"))
        }
    }

    func testAnInterruptedDownloadGoesOnWhereItWas() throws {
        let files = try serveModel("acme/tiny")
        var server = try LoopbackServer(
            folder, faults: ["/acme/tiny/model.safetensors": [["cut": 200_000], ["status": 404]]])
        assertFails("/acme/tiny/model.safetensors: the server answered 404") {
            _ = try models(server.hub).folder(for: name("acme/tiny"))
        }
        let repository = cache.appendingPathComponent("models--acme--tiny")
        let incomplete = names(in: repository.appendingPathComponent("blobs")).filter { $0.hasSuffix(".incomplete") }
        XCTAssertEqual(incomplete.count, 1)
        XCTAssertFalse(FileManager.default.fileExists(atPath: repository.appendingPathComponent("refs").path))
        assertFails("lacks this model's model.safetensors", "HF_HUB_OFFLINE") {
            let commit = try XCTUnwrap(names(in: repository.appendingPathComponent("snapshots")).first)
            _ = try models(server.hub, ["HF_HUB_OFFLINE": "1"]).folder(for: name("acme/tiny@\(commit)"))
        }
        try FileManager.default.removeItem(at: folder.appendingPathComponent("requests.jsonl"))
        server = try LoopbackServer(folder)
        try assertHas(models(server.hub).folder(for: name("acme/tiny")), files, needed)
        let requests = try server.requests().filter { $0.host == "other" }
        XCTAssertEqual(requests.count, 1)
        XCTAssert(requests[0].headers["range"]?.hasPrefix("bytes=") == true)
        XCTAssertEqual(names(in: repository.appendingPathComponent("blobs")).filter { $0.contains(".") }, [])
    }

    func testFaultsOnTheWayAreOvercome() throws {
        let files = try serveModel("acme/tiny")
        let server = try LoopbackServer(
            folder,
            faults: [
                "/api/models/acme/tiny/revision/main": [
                    ["status": 429, "headers": ["Retry-After": "0"]], ["cut": 10], ["drop": true],
                ],
                "/acme/tiny/resolve/COMMIT/vocab.txt": [["status": 503], ["garble": true, "method": "GET"]],
                "/acme/tiny/model.safetensors": [["cut": 150_000], ["claim": 9], ["garble": true]],
            ])
        // The rest of a damaged file is damaged as well, so that it starts anew.
        try assertHas(models(server.hub).folder(for: name("acme/tiny")), files, needed)
        XCTAssertGreaterThanOrEqual(events.retries.count, 6)
    }

    func testADamagedFileNeverGetsIntoTheCache() throws {
        try serveModel("acme/tiny")
        let damaged: [LoopbackServer.Fault] = [["method": "GET", "garble": true], ["method": "GET", "garble": true]]
        let server = try LoopbackServer(folder, faults: ["/acme/tiny/resolve/COMMIT/config.json": damaged])
        assertFails("config.json: the bytes are damaged") {
            _ = try models(server.hub).folder(for: name("acme/tiny"))
        }
        XCTAssertEqual(names(in: cache.appendingPathComponent("models--acme--tiny/blobs")), [])
    }

    func testOfflineNothingIsAskedFor() throws {
        try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            assertFails("acme/tiny: the cache \(cache.path) has no such model, and HF_HUB_OFFLINE forbids") {
                _ = try models(server.hub, [variable: "1"]).folder(for: name("acme/tiny"))
            }
        }
        XCTAssertEqual(try server.requests().count, 0)
        XCTAssertEqual(names(in: folder.appendingPathComponent("home")), [])
    }

    func testProcessesThatWantTheSameFileWaitForEachOther() throws {
        let files = try serveModel("acme/tiny")
        let server = try LoopbackServer(folder)
        let hash = try XCTUnwrap(files["vocab.txt"]).withUnsafeBytes { SHA1.gitBlob($0).hexadecimal }
        let lock = cache.appendingPathComponent(".locks/models--acme--tiny/\(hash).lock")
        try FileManager.default.createDirectory(at: lock.deletingLastPathComponent(), withIntermediateDirectories: true)
        // Another process, as far as a lock on an open file can tell.
        let descriptor = open(lock.path, O_RDWR | O_CREAT, 0o664)
        XCTAssertEqual(flock(descriptor, LOCK_EX), 0)
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.5) { close(descriptor) }
        let start = ContinuousClock.now
        try assertHas(models(server.hub).folder(for: name("acme/tiny")), files, needed)
        XCTAssertGreaterThan(ContinuousClock.now - start, .seconds(0.4))
        XCTAssertEqual(events.list.filter { $0 == .waiting(file: "vocab.txt") }.count, 1)
    }
}
