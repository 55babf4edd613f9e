import Files
import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// GLUE's files come from their publishers' addresses and lie as GLUE's own script lays them out.
final class GLUEDownloadTests: DownloadTestCase {
    private var data: URL { folder.appendingPathComponent("glue data") }
    private var tree: URL { folder.appendingPathComponent("tree") }

    /// A tree of the official layout, with few rows.
    private func writeTree() throws {
        func table(_ path: String, _ header: String?, _ count: Int, _ columns: Int) throws {
            var text = header.map { $0 + "\n" } ?? ""
            for row in 0..<count {
                text += (0..<columns).map { "\(path) \(row) \($0) “quoted\"" }.joined(separator: "\t") + "\n"
            }
            try serve(Data(text.utf8), at: "tree/" + path)
        }
        for set in GLUESet.all where set.name != "mrpc" {
            for file in set.files { try table(file.path, file.hasHeader ? "index\tsentence1\tsentence2" : nil, 30, 6) }
        }
        try serve(Data("# notes\n".utf8), at: "tree/MNLI/original/notes.txt")
        // A blank at the end goes, and a pair of the dev set is found wherever it stands.
        let header = "\u{FEFF}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        let rows = (0..<12).map { row in
            "\(row % 2)\t\(row)\t\(row + 100)\tFirst “\(row)\"\tSecond \(row)\(row == 3 ? " \u{A0}" : "")\n"
        }
        try serve(Data((header + rows.joined()).utf8), at: "tree/MRPC/msr_paraphrase_train.txt")
        try serve(Data((header + rows[4...].joined()).utf8), at: "tree/MRPC/msr_paraphrase_test.txt")
        try serve(Data("7\t107\n3\t103\n3\t999\n".utf8), at: "tree/MRPC/dev_ids.tsv")
        func clean(_ row: String) -> String { row.replacingOccurrences(of: " \u{A0}", with: "") }
        let dev = [3, 7]
        let train = rows.indices.filter { !dev.contains($0) }
        try serve(Data((header + train.map { clean(rows[$0]) }.joined()).utf8), at: "tree/MRPC/train.tsv")
        try serve(Data((header + dev.map { clean(rows[$0]) }.joined()).utf8), at: "tree/MRPC/dev.tsv")
        let test = rows[4...].enumerated().map { index, row in "\(index)\t" + row.dropFirst(2) }
        try serve(
            Data(("index\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + test.joined()).utf8), at: "tree/MRPC/test.tsv")
    }

    private func publish(_ tree: URL? = nil) throws {
        let web = folder.appendingPathComponent("web").path
        try PlainPython.makeArchives("glue", (tree ?? self.tree).path, web)
    }

    private func run(_ server: LoopbackServer, _ tasks: [String] = []) throws -> [GLUEFileReport] {
        try GLUEDownload(to: data, from: server.web + "/") { [events] in events.list.append($0) }
            .run(GLUESet.named(tasks))
    }

    /// The files below a folder with their content.
    private func contents(of folder: URL) throws -> [String: Data] {
        var result: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            let url = folder.appendingPathComponent(path)
            if let data = try? Data(contentsOf: url) { result[path] = data }
        }
        return result
    }

    private func assertSame(_ found: [String: Data], _ expected: [String: Data], line: UInt = #line) {
        XCTAssertEqual(found.keys.sorted(), expected.keys.sorted(), line: line)
        for (path, content) in expected where found[path] != content { XCTFail("\(path) differs", line: line) }
    }

    func testTheOfficialTreeIsLaidOut() throws {
        try writeTree()
        try publish()
        let server = try LoopbackServer(folder)
        let reports = try run(server)
        try assertSame(contents(of: data), contents(of: tree))
        XCTAssertEqual(reports.count, 30)
        XCTAssertEqual(reports.map(\.rows), GLUESet.all.flatMap { set in
            set.name == "mrpc" ? [10, 2, 8] : Array(repeating: 30, count: set.files.count)
        })
        XCTAssertEqual(reports.filter(\.isComplete).count, 0)
        // A second time nothing is asked for, and nothing changes.
        let count = try server.requests().count
        XCTAssertEqual(try run(server), reports)
        XCTAssertEqual(try server.requests().count, count)
    }

    func testEachSetComesFromItsOwnAddress() throws {
        try writeTree()
        try publish()
        let server = try LoopbackServer(folder)
        // The links that GLUE's script has the wrong way round.
        _ = try run(server, ["QQP"])
        XCTAssertEqual(Set(try server.requests().map(\.path)), ["/web/glue/data/QQP-clean.zip"])
        XCTAssertEqual(names(in: data), ["QQP"])
        _ = try run(server, ["STS", "diagnostic"])
        XCTAssertEqual(names(in: data), ["QQP", "STS-B", "diagnostic"])
        XCTAssertEqual(
            try contents(of: data)["STS-B/train.tsv"], try contents(of: tree)["STS-B/train.tsv"])
    }

    func testSetsHaveTheNamesOfBothPrograms() throws {
        XCTAssertEqual(try GLUESet.named(["SST", "cola", "STS-B", "ax"]).map(\.name), ["cola", "sts-b", "sst-2", "ax"])
        XCTAssertEqual(try GLUESet.named([]).count, 10)
        XCTAssertEqual(try GLUESet.named(["all"]).count, 10)
        assertFails("\"snli\" is no set of GLUE; they are cola, mnli") { _ = try GLUESet.named(["rte", "snli"]) }
    }

    func testFilesThatAreThereStayAsTheyAre() throws {
        try writeTree()
        try publish()
        try serve(Data("mine\n".utf8), at: "glue data/RTE/dev.tsv")
        try serve(Data("notes\n".utf8), at: "glue data/notes.txt")
        let server = try LoopbackServer(folder)
        _ = try run(server, ["rte"])
        let found = try contents(of: data)
        XCTAssertEqual(found["RTE/dev.tsv"], Data("mine\n".utf8))
        XCTAssertEqual(found["notes.txt"], Data("notes\n".utf8))
        XCTAssertEqual(found.count, 4)
        // A corpus that someone already has is not fetched again.
        let corpus = "MRPC/msr_paraphrase_train.txt"
        try serve(XCTUnwrap(contents(of: tree)[corpus]), at: "glue data/" + corpus)
        _ = try run(server, ["mrpc"])
        XCTAssertFalse(try server.requests().contains { $0.path.hasSuffix("_train.txt") })
        XCTAssertEqual(try contents(of: data)["MRPC/train.tsv"], try contents(of: tree)["MRPC/train.tsv"])
    }

    func testAnInterruptedDownloadGoesOnWhereItWas() throws {
        try writeTree()
        try serve(bytes(400_000), at: "tree/WNLI/train.tsv")
        try publish()
        let path = "/web/glue/data/WNLI.zip"
        var server = try LoopbackServer(
            folder,
            faults: [path: [["method": "GET", "cut": 2000], ["method": "GET", "status": 404]]])
        assertFails("\(path): the server answered 404") { _ = try run(server, ["rte", "wnli"]) }
        XCTAssertEqual(names(in: data), [".camtl-download", "RTE"])
        XCTAssertEqual(names(in: data.appendingPathComponent(".camtl-download")).count, 2)
        server = try LoopbackServer(folder)
        _ = try run(server, ["rte", "wnli"])
        XCTAssertEqual(names(in: data), ["RTE", "WNLI"])
        XCTAssertEqual(try contents(of: data)["WNLI/train.tsv"], bytes(400_000))
        let last = try XCTUnwrap(server.requests().last)
        XCTAssert(last.headers["range"]?.hasPrefix("bytes=") == true)
        XCTAssertNotNil(last.headers["if-range"])
    }

    func testWhatIsNotTheSetIsRefusedAndNothingLaidOut() throws {
        try writeTree()
        try publish()
        try FileManager.default.removeItem(at: folder.appendingPathComponent("web/glue/data/RTE.zip"))
        let page = "<html>Not found, but politely</html>"
        let server = try LoopbackServer(
            folder,
            faults: [
                "/web/glue/data/CoLA.zip": [["page": page], ["page": page]],
                "/web/glue/data/AX.tsv": [["page": page], ["page": page]],
                "/web/glue/data/WNLI.zip": [["method": "GET", "garble": true]],
            ])
        assertFails("CoLA.zip: this is not what GLUE's publishers have there") { _ = try run(server, ["cola"]) }
        assertFails("AX.tsv: this is not what GLUE's publishers have there") { _ = try run(server, ["ax"]) }
        assertFails("WNLI.zip: this is not what GLUE's publishers have there", "WNLI/") {
            _ = try run(server, ["wnli"])
        }
        assertFails("RTE.zip: the server answered 404") { _ = try run(server, ["rte"]) }
        XCTAssert(try contents(of: data).keys.filter { !$0.hasPrefix("WNLI") && !$0.hasPrefix(".camtl") }.isEmpty)
        // The set's files that are there are whole.
        let (found, official) = (try contents(of: data), try contents(of: tree))
        for (path, content) in found where path.hasPrefix("WNLI/") { XCTAssertEqual(content, official[path]) }
        // The next try has all it needs.
        _ = try run(server, ["cola", "ax", "wnli"])
        XCTAssertEqual(try contents(of: data)["WNLI/test.tsv"], official["WNLI/test.tsv"])
    }

    func testArchivesThatWouldWriteElsewhereAreRefused() throws {
        let odd = folder.appendingPathComponent("odd")
        try PlainPython.makeArchives("odd", odd.path)
        let server = try LoopbackServer(folder)
        for name in names(in: odd) where !["plain.zip", "streamed.zip", "zip64.zip", "mark.zip"].contains(name) {
            try serve(Data(contentsOf: odd.appendingPathComponent(name)), at: "web/glue/data/CoLA.zip")
            assertFails("CoLA.zip: this is not what GLUE's publishers have there") { _ = try run(server, ["cola"]) }
        }
        try serve(Data(contentsOf: odd.appendingPathComponent("plain.zip")), at: "web/glue/data/CoLA.zip")
        assertFails("the archive has no CoLA/train.tsv, CoLA/dev.tsv") { _ = try run(server, ["cola"]) }
        XCTAssert(names(in: data).allSatisfy { $0 == ".camtl-download" }, "\(names(in: data))")
        XCTAssert(try contents(of: folder).keys.filter { $0.contains("evil") }.isEmpty)
    }

    func testACorpusWithABadLineIsRefusedByItsPlace() throws {
        try writeTree()
        let path = "tree/MRPC/msr_paraphrase_train.txt"
        let corpus = try Data(contentsOf: folder.appendingPathComponent(path))
        try serve(corpus + Data("1\t2\t3\n".utf8), at: path)
        try publish()
        let server = try LoopbackServer(folder)
        assertFails("MRPC/msr_paraphrase_train.txt:14: found 3 columns, and 5 are right") {
            _ = try run(server, ["mrpc"])
        }
        XCTAssertFalse(FileManager.default.fileExists(atPath: data.appendingPathComponent("MRPC/train.tsv").path))
    }

    func testMissingFilesAreReportedAndFetchedNextTime() throws {
        try writeTree()
        try FileManager.default.removeItem(at: tree.appendingPathComponent("QNLI/test.tsv"))
        try publish()
        let server = try LoopbackServer(folder)
        let reports = try run(server, ["qnli"])
        XCTAssertEqual(reports.map(\.rows), [30, 30, nil])
        try writeTree()
        try publish()
        XCTAssertEqual(try run(server, ["qnli"]).map(\.rows), [30, 30, 30])
    }

    func testRowsAreCountedAsGLUEHasThem() throws {
        func rows(_ set: String, _ file: Int, _ text: String) throws -> Int {
            let file = try XCTUnwrap(GLUESet.named([set]).first).files[file]
            try serve(Data(text.utf8), at: "glue data/" + file.path)
            return try file.actualRows(in: data)
        }
        XCTAssertEqual(try rows("cola", 0, "a\nb\nc"), 3)
        XCTAssertEqual(try rows("cola", 2, "header\nb\r\nc\r\n"), 2)
        XCTAssertEqual(try rows("rte", 0, "header\na\rb\n\n"), 2)
        XCTAssertEqual(try rows("rte", 0, ""), 0)
        XCTAssertEqual(try rows("rte", 0, "header"), 0)
        // QQP's damaged rows are no examples.
        XCTAssertEqual(try rows("qqp", 0, "header\n1\t2\t3\t4\t5\t6\n1\t2\n1\t2\t3\t4\t5\t\n"), 2)
        XCTAssertEqual(try rows("qqp", 2, "1\t2\t3\n1\t2\t3\n1\t2\n"), 2)
    }

    func testAnAddressHasToBeOne() {
        for address in ["dl.example.org", "ftp://x", "http://", ""] {
            assertFails("is no address to fetch from") { _ = try GLUEDownload(to: data, from: address) { _ in } }
        }
    }

    /// With the real data beside the project: what is served of it lies here again, byte for byte.
    func testTheSharedDataIsLaidOutAgain() throws {
        let shared = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("../../../shared/data/glue_data").standardizedFileURL
        guard FileManager.default.fileExists(atPath: shared.path) else {
            throw XCTSkip("skipped: needs ../shared/data/glue_data")
        }
        try publish(shared)
        let server = try LoopbackServer(folder)
        let reports = try run(server, GLUESet.all.map(\.name).filter { $0 != "ax" })
        try assertSame(contents(of: data), contents(of: shared))
        let complete = Dictionary(grouping: reports) { $0.set }.filter { $0.value.allSatisfy(\.isComplete) }
        XCTAssertEqual(complete.keys.sorted(), ["cola", "mrpc", "rte", "sst-2", "sts-b", "wnli"])
    }
}
