import Foundation
import XCTest

/// The library in a program of somebody else's: `Examples/PredictPackage`, as `make example` builds it.
final class ExamplePackageTests: CommandTestCase {
    private func predict(_ arguments: [String], _ lines: String) throws -> (status: Int32, text: String, said: String) {
        guard let program = ProcessInfo.processInfo.environment["CAMTL_EXAMPLE"] else {
            throw XCTSkip("needs the example package's program: run `make example`, and set CAMTL_EXAMPLE to it")
        }
        let (process, input, output, messages) = (Process(), Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = messages
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(lines.utf8))
        try input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let said = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text, said)
    }

    func testItPredictsWhatTheCommandPredicts() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b"], to: data)
        try camtl(arguments(tasks: ["rte", "sts-b"], "--do_train", "--max_steps", "4"))

        let pairs = [("ba de fi.", "go ka."), ("le me", "ni no nu ba de"), ("po ru", "sa")]
        for task in ["rte", "sts-b"] {
            let rows = pairs.map { #"{"task": "\#(task)", "sentence1": "\#($0.0)", "sentence2": "\#($0.1)"}"# + "\n" }
            try TinyGLUE.write(rows.joined(), to: folder.appendingPathComponent("rows.jsonl"))
            try camtl([
                "predict", "--model_name_or_path", output.path, "--input", "rows.jsonl", "--output", "out.jsonl",
            ])
            let expected = try String(contentsOf: folder.appendingPathComponent("out.jsonl"), encoding: .utf8)
                .split(separator: "\n").map { line -> String in
                    let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
                    if let value = row["value"] as? Double { return String(format: "%.4f", value) }
                    let highest = (row["probabilities"] as? [Double])?.max() ?? .nan
                    return "\(row["label"] ?? "")\t" + String(format: "%.4f", highest)
                }
            let lines = pairs.map { "\($0.0)\t\($0.1)\n" }.joined()
            let result = try predict([output.path, task], lines)
            XCTAssertEqual(result.status, 0, result.said)
            XCTAssertEqual(result.text.split(separator: "\n").map(String.init), expected)
        }
    }

    func testItSaysWhatIsWrong() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        try camtl(arguments("--do_train", "--max_steps", "1"))
        let result = try predict([output.path, "cola"], "ba de\n")
        XCTAssertEqual(result.status, 1)
        XCTAssertEqual(result.said, "predict: row 1: the model has no task \"cola\"; its tasks are rte\n")
        XCTAssertEqual(try predict([encoder.path, "rte"], "ba\n").status, 1)
    }
}
