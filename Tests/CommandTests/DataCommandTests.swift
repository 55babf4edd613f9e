import Foundation
import XCTest

/// `camtl data`: what there is to know of tasks' data before anything is trained on it.
final class DataCommandTests: CommandTestCase {
    private var tasks: URL { folder.appendingPathComponent("tasks.yaml") }

    private func write(_ text: String, to name: String) throws {
        try TinyGLUE.write(text, to: folder.appendingPathComponent(name))
    }

    private func report(_ arguments: [String]) throws -> [[String: Any]] {
        let outcome = try camtl(["data", "--json"] + arguments)
        XCTAssertEqual(outcome.messages, "")
        let object = try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any]
        return try XCTUnwrap(object?["tasks"] as? [[String: Any]])
    }

    private func sets(_ task: [String: Any]) throws -> [[String: Any]] { try XCTUnwrap(task["sets"] as? [[String: Any]]) }

    func testTasksOfAllTypesAreReportedInJSONAndInTables() throws {
        try TinyEncoder(layerCount: 1).write(to: encoder)
        try TinyGLUE.write(["rte", "mnli"], to: data)
        try write(
            "a,b,y\n\"ba, \"\"be\"\"\",bi,high\nbo,bu,low\nbo,bu,high\n"
                + (0..<17).map { "ba \($0),be,low\n" }.joined(), to: "p.csv")
        try write("text\tvalue\nba be bi bo bu da\t1\nba\t2\n", to: "s.tsv")
        try write((0..<8).map { "{\"t\": \"ba \($0)\", \"y\": [\"a\"]}\n" }.joined(), to: "m.jsonl")
        try write(
            """
            tasks:
              - {name: priority, type: classification, train: p.csv, dev: p.csv, test: p.csv, text: [a, b], label: y}
              - {name: score, type: regression, train: s.tsv, dev: s.tsv, text: text, label: value, metrics: [pearson, mae]}
              - {name: topics, type: multilabel, train: m.jsonl, dev: 25%, text: t, label: y}
            """, to: "tasks.yaml")
        let arguments = [
            "--tasks", tasks.path, "rte", "mnli", "--data_dir", data.path, "--model_name_or_path", encoder.path,
            "--max_seq_length", "7",
        ]
        let tasks = try report(arguments)
        XCTAssertEqual(tasks.map { $0["name"] as? String }, ["priority", "score", "topics", "rte", "mnli"])
        XCTAssertEqual(tasks.map { $0["type"] as? String }.prefix(3), ["classification", "regression", "multilabel"])

        let priority = try sets(tasks[0])
        XCTAssertEqual(priority.map { $0["split"] as? String }, ["train", "dev", "test"])
        let duplicates = try XCTUnwrap(priority[0]["duplicates"] as? [String: Any])
        for (key, count) in ["rows": 1, "texts": 1, "conflicting_texts": 1, "conflicting_rows": 2] {
            XCTAssertEqual(duplicates[key] as? Int, count, key)
        }
        let file = folder.appendingPathComponent("p.csv").path
        XCTAssertEqual(duplicates["examples"] as? [[String]], [["\(file):3", "\(file):4"]])
        XCTAssertTrue(priority[0]["shared_with_train"] is NSNull)
        let shared = try XCTUnwrap(priority[2]["shared_with_train"] as? [String: Any])
        XCTAssertEqual(shared["rows"] as? Int, 20)
        XCTAssertEqual((priority[2]["targets"] as? [String: Any])?.count, 0)
        let labels = (priority[0]["targets"] as? [String: Any])?["labels"] as? [[String: Any]]
        XCTAssertEqual(labels?.map { $0["label"] as? String }, ["high", "low"])
        XCTAssertEqual(labels?.map { $0["share"] as? Double }, [0.1, 0.9])
        let baseline = try XCTUnwrap((tasks[0]["baselines"] as? [[String: Any]])?.first)
        XCTAssertEqual(baseline["prediction"] as? String, "low")
        XCTAssertEqual((baseline["metrics"] as? [String: Double])?["acc"], 0.9)

        let tokens = try XCTUnwrap(try sets(tasks[1])[0]["tokens"] as? [String: Any])
        for (key, count) in ["median": 3, "percentile_95": 8, "longest": 8, "cut_rows": 1] {
            XCTAssertEqual(tokens[key] as? Int, count, key)
        }
        XCTAssertEqual(tokens["cut_share"] as? Double, 0.5)
        XCTAssertEqual(try sets(tasks[2]).map { $0["rows"] as? Int }, [6, 2])
        XCTAssertEqual(try sets(tasks[4]).map { $0["name"] as? String }.prefix(3), ["mnli", "mnli", "mnli-mm"])

        let text = try camtl(["data"] + arguments).text.replacing(/\ +/, with: " ")
        for part in [
            "priority: classification", "\ntrain 20 1 (5.0 %) 2 (10.0 %) 6 6 9 1 (5.0 %)\n", "\(file):3 and \(file):4",
            "majority baseline (low) on dev: acc 0.9000", "mean baseline (1.5) on dev: pearson nan mae 0.5000", "cut at 7",
            "train (75 %)", "dev mnli-mm", "labels per row",
        ] { XCTAssertTrue(text.contains(part), "\(part) is not in\n\(text)") }
    }

    func testCleanDataIsSaidToBe() throws {
        try write("t,y\n" + (0..<10).map { "row \($0),\($0 % 2)\n" }.joined(), to: "t.csv")
        try write("t,y\n" + (10..<14).map { "row \($0),\($0 % 2)\n" }.joined(), to: "d.csv")
        try write(
            "tasks: [{name: own, type: classification, train: t.csv, dev: d.csv, text: t, label: y}]",
            to: "tasks.yaml")
        let outcome = try camtl(["data", "--tasks", tasks.path])
        XCTAssertTrue(outcome.text.contains("no duplicates, and no rows of train in another set"), outcome.text)
        XCTAssertTrue(outcome.text.contains("lengths in tokens need --model_name_or_path or --tokenizer_name"))
        XCTAssertEqual(outcome.messages, "")
    }

    func testTheDevShareIsThatOfTraining() throws {
        try TinyEncoder(layerCount: 1).write(to: encoder)
        // Each label stands in the row of its number alone, so that the labels' shares say which rows a set has.
        try write("t,y\n" + (0..<40).map { "ba \($0),\($0)\n" }.joined(), to: "t.csv")
        try write(
            "tasks: [{name: own, type: regression, train: t.csv, dev: 20%, text: t, label: y, metrics: [pearson, mae, rmse]}]",
            to: "tasks.yaml")
        func dev(_ seed: Int) throws -> [Double] {
            let sets = try sets(report(["--tasks", tasks.path, "--seed", "\(seed)"])[0])
            XCTAssertEqual(sets.map { $0["rows"] as? Int }, [32, 8])
            let figures = try XCTUnwrap(sets[1]["targets"] as? [String: Double])
            return try ["mean", "standard_deviation", "lowest", "highest"].map { try XCTUnwrap(figures[$0]) }
        }
        let expected = try dev(1)
        XCTAssertNotEqual(expected, try dev(2))
        // A regression of almost constant predictions p has Σ (p - y)² / n = sd² + (p - mean)².
        try camtl([
            "--model_name_or_path", encoder.path, "--tasks", tasks.path, "--output_dir", output.path, "--cache_dir",
            cache.path, "--max_seq_length", "16", "--threads", "1", "--seed", "1", "--do_train", "--max_steps", "1",
            "--do_eval", "--logging_dir", folder.appendingPathComponent("logs").path,
        ])
        let figures = try figures(output.appendingPathComponent("eval_results.json"))
        let (mae, rmse) = (try XCTUnwrap(figures["eval_own_mae"]), try XCTUnwrap(figures["eval_own_rmse"]))
        XCTAssertEqual(mae, expected[0], accuracy: 0.7)
        XCTAssertEqual((rmse * rmse - mae * mae).squareRoot(), expected[1], accuracy: 0.5)
    }

    func testWhatIsWrongIsSaidAtOnceWithFilesAndLines() throws {
        try write("t,y\na,0\nb,1\nc,2\nd\n", to: "t.csv")
        try write("t,y\na,0\nb,7\n", to: "d.csv")
        try write(
            "tasks: [{name: own, type: classification, train: t.csv, dev: d.csv, text: t, label: y, labels: [0, 1]}]",
            to: "tasks.yaml")
        try assertRefuses(
            ["data", "--tasks", tasks.path, "rte", "--data_dir", data.path], "t.csv:4: unknown label \"2\"",
            "t.csv:5: found 1 column", "d.csv:3: unknown label \"7\"", "RTE/train.tsv: there is no directory",
            "RTE/dev.tsv: there is no directory", lines: 5)
        try assertRefuses(
            ["data", "--tasks", "rte", "--max_seq_length", "2", "--model_name_or_path", folder.path + "/none"],
            "--max_seq_length is 2", "--data_dir is missing", "none: there is no such folder", lines: 3)
        try assertRefuses(["data", "--task", tasks.path], "--task: there is no such flag; did you mean --tasks?", lines: 2)
    }

    func testItEndsQuietlyWithoutAReaderAndAtASignal() throws {
        try write("t,y\n" + (0..<50).map { "ba \($0),\($0 % 2)\n" }.joined(), to: "t.csv")
        try write(
            "tasks: [{name: own, type: classification, train: t.csv, dev: 20%, text: t, label: y}]", to: "tasks.yaml")
        let shell = Process()
        let messages = Pipe()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = [
            "-c", "{ sleep 0.1; \"$0\" data --tasks \"$1\"; echo $? >&2; } | true", try Program.url().path, tasks.path,
        ]
        shell.standardError = messages
        try shell.run()
        let said = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        XCTAssertEqual(said, "141\n")

        let rows = Data(String(repeating: "a row that is longer than it need be,1\n", count: 1 << 10).utf8)
        var file = Data("t,y\n".utf8)
        for _ in 0..<1 << 10 { file += rows }
        try file.write(to: folder.appendingPathComponent("t.csv"))
        let scratch = folder.appendingPathComponent("scratch")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        let program = try start(["data", "--tasks", tasks.path], environment: ["TMPDIR": scratch.path])
        usleep(100_000)
        program.send(SIGINT)
        let outcome = try program.finish()
        XCTAssertTrue(outcome.wasKilled)
        XCTAssertEqual(outcome.status, SIGINT)
        XCTAssertEqual(outcome.messages, "")
        XCTAssertEqual(try names(in: scratch), [])
    }
}
