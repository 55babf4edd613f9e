import Foundation
import TestSupport
import XCTest

/// A submission from a model that is trained on real data of all nine tasks.
final class SharedSubmissionTests: CommandTestCase {
    /// The official test sets that the real data lacks: where they belong, their columns, their rows, and the real
    /// file whose pairs of texts stand in for theirs, again and again.
    private static let standIns = [
        ("MNLI/test_matched.tsv", ["index", "sentence1", "sentence2"], 9_796, "MNLI/dev_matched.tsv"),
        ("MNLI/test_mismatched.tsv", ["index", "sentence1", "sentence2"], 9_847, "MNLI/dev_mismatched.tsv"),
        ("AX/diagnostic.tsv", ["index", "sentence1", "sentence2"], 1_104, "MNLI/dev_mismatched.tsv"),
        ("QQP/test.tsv", ["id", "question1", "question2"], 390_965, "QQP/dev.tsv"),
    ]

    private var submission: URL { output.appendingPathComponent("submission.zip") }

    private func check(_ archive: URL, _ more: String...) throws -> (status: Int32, text: String) {
        try SystemPython.run([SystemPython.script(named: "check_submission.py").path, archive.path] + more)
    }

    /// Fills `data` with links to the real files and with the stand-ins.
    private func writeWholeTree(of real: URL) throws {
        let files = FileManager.default
        for task in TinyGLUE.all {
            for (_, path, _) in task.testSets where files.fileExists(atPath: real.appendingPathComponent(path).path) {
                let link = data.appendingPathComponent(path)
                try files.createDirectory(at: link.deletingLastPathComponent(), withIntermediateDirectories: true)
                try files.createSymbolicLink(at: link, withDestinationURL: real.appendingPathComponent(path))
            }
        }
        for (path, columns, count, source) in SharedSubmissionTests.standIns {
            let lines = try String(contentsOf: real.appendingPathComponent(source), encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: true)
            let header = lines[0].split(separator: "\t").map(String.init)
            let places = try columns.dropFirst().map { try XCTUnwrap(header.firstIndex(of: $0), source) }
            let texts = lines.dropFirst().map { line in
                let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
                return places.map { String(cells[$0]) }.joined(separator: "\t")
            }
            var table = columns.joined(separator: "\t") + "\n"
            for row in 0..<count { table += "\(row)\t\(texts[row % texts.count])\n" }
            try TinyGLUE.write(table, to: data.appendingPathComponent(path))
        }
    }

    func testSubmissionOfAllNineTasksIsCompleteWhereTheTestSetsAre() throws {
        let real = try SharedData.url("data/glue_data")
        try TinyEncoder().write(to: encoder)
        let names = TinyGLUE.all.map(\.task)
        let messages = try camtl(
            arguments(
                tasks: names, "--data_dir", real.path, "--encoder_type", "ca-mtl-base", "--do_train", "--do_predict",
                "--sampling", "uniform", "--per_device_train_batch_size", "64", "--max_steps", "5"), within: 600
        ).messages
        for name in ["QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"] {
            XCTAssert(messages.contains("\n  \(name) is missing: \(real.path)/"), messages)
        }
        let part = try check(submission, "--partial")
        XCTAssertEqual(part.status, 0, part.text)
        XCTAssert(part.text.contains(": 7 files"), part.text)
        let whole = try check(submission)
        XCTAssertEqual(whole.status, 1)
        XCTAssertEqual(whole.text.split(separator: "\n").count, 4, "what is there has all its rows: \(whole.text)")

        try writeWholeTree(of: real)
        let complete = folder.appendingPathComponent("complete")
        let said = try camtl(
            [
                "--model_name_or_path", output.path, "--data_dir", data.path, "--output_dir", complete.path,
                "--cache_dir", cache.path, "--threads", "1", "--per_device_eval_batch_size", "256", "--do_predict",
            ], within: 600
        ).messages
        let archive = complete.appendingPathComponent("submission.zip")
        XCTAssert(said.hasSuffix("wrote \(archive.path): a complete submission of 11 files\n"), said)
        let (status, text) = try check(archive)
        XCTAssertEqual(status, 0, text)
    }
}
