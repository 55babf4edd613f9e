import Foundation
import XCTest

/// A file of settings as the only argument.
final class SettingsFileTests: CommandTestCase {
    private var file: URL { folder.appendingPathComponent("settings.json") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "mrpc"], to: data)
    }

    private func write(_ settings: [String: Any]) throws {
        let paths: [String: Any] = [
            "model_name_or_path": encoder.path, "data_dir": data.path, "cache_dir": cache.path,
        ]
        try JSONSerialization.data(withJSONObject: paths.merging(settings) { $1 }).write(to: file)
    }

    private func model(_ folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("model.safetensors"))
    }

    func testFileRunsWhatItsFlagsRun() throws {
        try camtl(
            arguments(
                tasks: ["rte", "mrpc"], "--do_train", "--do_eval", "--max_steps", "3", "--seed",
                "18446744073709551615", "--use_mt_uncertainty", "--percent_of_max_data_size", "0.5"))
        let other = folder.appendingPathComponent("other")
        try write([
            "output_dir": other.path, "max_seq_length": 16, "threads": 1, "learning_rate": 2e-3,
            "tasks": ["rte", "mrpc"], "do_train": true, "do_eval": true, "max_steps": 3, "seed": UInt64.max,
            "use_mt_uncertainty": true, "percent_of_max_data_size": 0.5, "do_predict": false,
            "freeze_encoder_layers": NSNull(), "weight_decay": 0, "warmup_proportion": 0.1,
        ])
        let outcome = try camtl([file.path])
        XCTAssert(outcome.text.contains("average"), "it evaluates")
        XCTAssertEqual(try model(other), try model(output))
    }

    func testSavedSettingsRunTheSameRunAgain() throws {
        try camtl(
            arguments(
                "--do_train", "--max_steps", "3", "--sampling", "uniform", "--freeze_encoder_layers", "0-0",
                "--dropout", "0.2", "--warmup_steps", "1", "--logging_dir", "logs"))
        let first = try model(output)
        let saved = output.appendingPathComponent("run_config.json")
        try assertRefuses([saved.path], "the output folder \(output.path) is not empty", "--overwrite_output_dir")

        let text = try String(contentsOf: saved, encoding: .utf8)
        try TinyGLUE.write(
            text.replacingOccurrences(
                of: "\"overwrite_output_dir\": false", with: "\"overwrite_output_dir\": true"), to: file)
        try FileManager.default.removeItem(at: output.appendingPathComponent("model.safetensors"))
        try camtl([file.path])
        XCTAssertEqual(try model(output), first)
        XCTAssertEqual(
            try String(contentsOf: saved, encoding: .utf8), try String(contentsOf: file, encoding: .utf8))
    }

    func testEvaluationAloneLeavesTheSettingsOfTheTraining() throws {
        try camtl(arguments("--do_train", "--max_steps", "1"))
        let saved = output.appendingPathComponent("run_config.json")
        let before = try Data(contentsOf: saved)
        try camtl(arguments("--model_name_or_path", output.path, "--do_eval"))
        XCTAssertEqual(try Data(contentsOf: saved), before)
    }

    func testUnknownKeysAndWrongTypesAreNamedAtOnceWithTheirLines() throws {
        try TinyGLUE.write(
            """
            {
              "model_name_or_path": "encoder", "do_train": "yes",
              "max_seq_lenght": 16,
              "learning_rate": "2e-3",
              "seed": 1.5,
              "tasks": ["rte", 1],
              "data_dir": ["a"],
              "max_steps": {"a": 1}
            }
            """, to: file)
        let place = { (line: Int) in "\(self.file.path):\(line): " }
        try assertRefuses(
            [file.path],
            place(2) + "\"do_train\" is \"yes\"; it has to be true or false",
            place(3) + "\"max_seq_lenght\" is no setting; did you mean \"max_seq_length\"?",
            place(4) + "\"learning_rate\" is \"2e-3\"; it has to be a number",
            place(5) + "\"seed\" is 1.5; it has to be a whole number",
            place(6) + "\"tasks\" is [\"rte\", 1]; it has to be a list of text",
            place(7) + "\"data_dir\" is [\"a\"]; it has to be text",
            place(8) + "\"max_steps\" is an object; it has to be a whole number", lines: 7)
    }

    func testValuesAreCheckedAsThoseOfFlags() throws {
        try write(["output_dir": output.path, "do_train": true, "learning_rate": -1, "local_rank": -2])
        try assertRefuses([file.path], "--learning_rate is -1.0", "--local_rank is -2", lines: 2)
        try write(["encoder_type": "gpt"])
        try assertRefuses([file.path], "'gpt' is invalid for '--encoder_type", lines: 2)
    }

    func testFileThatIsNoSettingsIsRefused() throws {
        for (text, line) in [("{\n\"seed\": 1,,\n}", 2), ("{\n\n\"seed\": one}", 3), ("{\"seed\": 1\n", 2), ("", 1)] {
            try TinyGLUE.write(text, to: file)
            try assertRefuses([file.path], "\(file.path):\(line): this is not JSON from here on")
        }
        try TinyGLUE.write("\u{FEFF}{\"seed\": 1,\r\n\"seed\": 2, \"learning_rate\": NaN}", to: file)
        try assertRefuses([file.path], "\(file.path):2: \"seed\" is there a second time")
        try write(["output_dir": output.path, "do_train": true])
        let text = try String(contentsOf: file, encoding: .utf8)
        try TinyGLUE.write("{\"learning_rate\": NaN," + text.dropFirst(), to: file)
        try assertRefuses([file.path], "--learning_rate is nan")
        try TinyGLUE.write("[1]", to: file)
        try assertRefuses([file.path], "\(file.path): this is no JSON object")
        try assertRefuses(["nowhere.json"], "nowhere.json: there is no such file")
    }

    func testFileStandsAlone() throws {
        try write([:])
        try assertRefuses([file.path, "--do_train"], "\(file.path): a file of settings stands alone")
    }
}
