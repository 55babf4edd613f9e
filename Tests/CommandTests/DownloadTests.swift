import Foundation
import TestSupport
import XCTest

/// The command fetches models by name, and GLUE's data.
final class DownloadTests: CommandTestCase {
    private var served: URL { folder.appendingPathComponent("served") }

    /// Serves a tiny encoder as the hub's model of that name.
    private func serveEncoder(_ name: String, faults: [String: [LoopbackServer.Fault]] = [:]) throws -> LoopbackServer {
        try TinyEncoder().write(to: served.appendingPathComponent("hub/\(name)"))
        return try LoopbackServer(served, faults: faults)
    }

    func testAModelIsFetchedByItsNameAndThenFoundOffline() throws {
        let server = try serveEncoder(
            "google-bert/bert-base-uncased",
            faults: ["/google-bert/bert-base-uncased/model.safetensors": [["cut": 60_000], ["cut": 10_000]]])
        let command = ["tokenize", "--model_name_or_path", "bert-base-uncased"]
        let first = try camtl(command, input: "ba be\n", environment: ["HF_ENDPOINT": server.hub])
        XCTAssert(first.messages.contains("downloading model.safetensors ("), first.messages)
        XCTAssert(first.messages.contains("trying again in 0.5 s"), first.messages)
        XCTAssertFalse(first.messages.contains("\r"), "a bar is for terminals")
        let second = try camtl(
            command, input: "ba be\n", environment: ["HF_ENDPOINT": "http://127.0.0.1:1", "HF_HUB_OFFLINE": "1"])
        XCTAssertEqual(second.text, first.text)
        XCTAssertEqual(second.messages, "")
        let cache = folder.appendingPathComponent(".cache/huggingface/hub")
        XCTAssertEqual(try names(in: cache), [".locks", "models--bert-base-uncased"])
    }

    func testTheOriginalsNamesTrainOnTheHubsEncoders() throws {
        let server = try serveEncoder("google-bert/bert-base-cased")
        try TinyGLUE.write(["rte"], to: data)
        let home = folder.appendingPathComponent("home").path
        let environment = ["HF_ENDPOINT": server.hub, "HF_HOME": home]
        let outcome = try outcome(
            of: arguments("--model_name_or_path", "CA-MTL-base", "--do_train", "--max_steps", "2"),
            environment: environment)
        XCTAssertEqual(outcome.status, 0, outcome.messages)
        XCTAssert(outcome.messages.contains("ca-mtl-base: 2 layers of 48"), outcome.messages)
        // Of a command line that is wrong nothing is fetched.
        let count = try server.requests().count
        let refused = try self.outcome(
            of: arguments("--model_name_or_path", "CA-MTL-large", "--do_train", "--num_train_epochs", "-1"),
            environment: environment)
        XCTAssertNotEqual(refused.status, 0)
        XCTAssertEqual(try server.requests().count, count)
    }

    func testOfflineAModelThatIsNotCachedIsOneClearMessage() throws {
        let server = try serveEncoder("google-bert/bert-base-cased")
        let outcome = try outcome(
            of: ["tokenize", "--model_name_or_path", "bert-base-cased"],
            environment: ["HF_ENDPOINT": server.hub, "HF_HUB_OFFLINE": "1"])
        XCTAssertNotEqual(outcome.status, 0)
        XCTAssertEqual(
            outcome.messages,
            "Error: bert-base-cased: the cache \(folder.path)/.cache/huggingface/hub has no such model, and "
                + "HF_HUB_OFFLINE forbids to fetch it: unset it.\n")
        XCTAssertEqual(try server.requests().count, 0)
    }

    func testNamesThatNoModelHasAreRefusedWithThoseThatAre() throws {
        let server = try serveEncoder("acme/tiny")
        for (name, part) in [
            ("no/such", "no/such: there is no such folder, and \(server.hub) has no such model"),
            ("acme/tiny@v2", "acme/tiny: this model has no revision \"v2\""),
            ("bert-base", "bert-base: there is no such folder"), ("a b", "CA-MTL-base, CA-MTL-large, bert-base-cased"),
        ] {
            let outcome = try outcome(
                of: ["tokenize", "--model_name_or_path", name], environment: ["HF_ENDPOINT": server.hub])
            XCTAssertNotEqual(outcome.status, 0)
            XCTAssert(outcome.messages.hasPrefix("Error: "), outcome.messages)
            XCTAssert(outcome.messages.contains(part), outcome.messages)
            XCTAssertEqual(outcome.messages.split(separator: "\n").count, 1, outcome.messages)
        }
    }

    func testDownloadLaysGLUEOutAndTrainingReadsIt() throws {
        let tree = folder.appendingPathComponent("tree")
        try TinyGLUE.write(["rte", "sst-2"], to: tree)
        for path in ["RTE/test.tsv", "SST-2/test.tsv"] {
            try LoopbackServer.write(Data("index\tsentence\n0\tba\n".utf8), to: path, in: tree)
        }
        try PlainPython.makeArchives("glue", tree.path, served.appendingPathComponent("web").path)
        let server = try LoopbackServer(served)
        let download = ["download", "--data_dir", data.path, "--base_url", server.web, "--tasks", "rte,SST"]
        let outcome = try camtl(download)
        XCTAssertEqual(try contents(of: data), try contents(of: tree))
        let rows = outcome.lines.filter { $0.contains(".tsv") }.map { $0.split(separator: " ") }
        XCTAssertEqual(rows.count, 6)
        XCTAssertEqual(rows.first { $0[1] == "RTE/test.tsv" }, ["rte", "RTE/test.tsv", "1", "3000", "differs"])
        XCTAssertEqual(try camtl(download).text, outcome.text)
        try TinyEncoder().write(to: encoder)
        try camtl(arguments("--do_train", "--do_eval", "--max_steps", "1"))
    }

    func testDownloadSaysWhatItCouldNotGet() throws {
        try FileManager.default.createDirectory(
            at: served.appendingPathComponent("web"), withIntermediateDirectories: true)
        let server = try LoopbackServer(served)
        let before = ["download", "--data_dir", data.path, "--base_url", server.web]
        try assertRefuses(before + ["--tasks", "snli"], "\"snli\" is no set of GLUE; they are cola, mnli")
        try assertRefuses(["download", "--data_dir", data.path, "--base_url", "here"], "\"here\" is no address")
        let outcome = try outcome(of: before + ["--tasks", "rte"])
        XCTAssertNotEqual(outcome.status, 0)
        let message = "RTE.zip: the server answered 404 (there is no such file).\n"
        XCTAssert(outcome.messages.hasSuffix(message), outcome.messages)
    }
}
