import Foundation
import XCTest

/// Whoever knows the original's command line can type it here.
final class UsageTextTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        let rows = (0..<7).map { "\($0)\tba de\tfi go." }
        try TinyGLUE.write(
            (["index\tsentence1\tsentence2"] + rows).map { $0 + "\n" }.joined(),
            to: data.appendingPathComponent("RTE/test.tsv"))
    }

    func testListOfFlagsIsThatOfTheUsageText() throws {
        let file = Program.packageRoot.appendingPathComponent("../shared/reference/original-readme.txt")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            throw XCTSkip("needs ../shared/reference/original-readme.txt")
        }
        let usage = try XCTUnwrap(text.components(separatedBy: "usage: run.py").last)
        let names = usage.components(separatedBy: "optional arguments:")[0].matches(of: /--([a-z0-9_]+)/)
        XCTAssertEqual(names.map { String($0.output.1) }, UsageText.flags.map(\.name))
    }

    func testOneRunTakesEveryFlagAndItsSettingsSaySo() throws {
        let made = ["model_name_or_path": encoder.path, "data_dir": data.path, "output_dir": output.path]
        var arguments: [String] = ["--cache_dir", cache.path, "--threads", "1"]
        var expected: [String: String] = [:]
        for flag in UsageText.flags + UsageText.furtherFlags {
            switch flag.example {
            case .refused: continue
            case .given:
                arguments.append("--\(flag.name)")
                expected[flag.name] = "true"
            case .value(let value):
                arguments += ["--\(flag.name)", value]
                expected[flag.name] = value
            case .made:
                arguments += ["--\(flag.name)", made[flag.name] ?? ""]
                expected[flag.name] = made[flag.name]
            }
        }
        let outcome = try camtl(arguments)

        // The deprecated flags win, and are gone from what is saved.
        for size in ["train": "4", "eval": "5"] {
            expected["per_device_\(size.key)_batch_size"] = size.value
            expected["per_gpu_\(size.key)_batch_size"] = "null"
            XCTAssert(
                outcome.messages.contains(
                    "Warning: --per_gpu_\(size.key)_batch_size is deprecated; give "
                        + "--per_device_\(size.key)_batch_size \(size.value) instead"), outcome.messages)
        }
        expected["tasks"] = "[\"rte\"]"
        expected["logging_dir"] = folder.appendingPathComponent("logs").path
        let saved = try settings(output)
        for (name, value) in expected {
            let same =
                saved[name] == value || saved[name] == "\"\(value)\"" || Double(saved[name] ?? "") == Double(value)
            XCTAssert(saved[name] != nil && same, "--\(name) \(value) was saved as \(saved[name] ?? "nothing")")
        }
        XCTAssertEqual(
            saved.keys.sorted(),
            ((UsageText.flags + UsageText.furtherFlags).map(\.name) + UsageText.newFlags).sorted())

        // And they do what they say: 3 updates of 2 × 4 examples, evaluated after the first and the second.
        XCTAssert(outcome.messages.contains("3 steps of 4 × 2"), outcome.messages)
        XCTAssert(outcome.messages.contains("after step 1:"), outcome.messages)
        XCTAssert(outcome.messages.contains("after step 2:"), outcome.messages)
        XCTAssert(outcome.messages.contains("frozen: embeddings, layer 0\n"), outcome.messages)
        XCTAssert(try names(in: output).contains("eval_results.json"))
    }

    func testFlagsOfTheUsageTextThatThisBuildHasNoUseForAreRefusedInTheirPlace() throws {
        for flag in UsageText.flags + UsageText.furtherFlags {
            guard case .refused(let more, let message) = flag.example else { continue }
            try assertRefuses(arguments("--do_train", "--\(flag.name)") + more, message)
        }
    }

    func testWithoutFlagsARunHasTheOriginalsDefaults() throws {
        try camtl([
            "--model_name_or_path", encoder.path, "--data_dir", data.path, "--output_dir", output.path,
            "--cache_dir", cache.path, "--threads", "1", "--do_train", "--max_seq_length", "16", "--tasks", "rte",
            "--max_steps", "1",
        ])
        let saved = try settings(output)
        for flag in UsageText.flags + UsageText.furtherFlags
        where !["do_train", "max_seq_length", "tasks", "max_steps"].contains(flag.name) {
            let value = saved[flag.name] ?? ""
            switch flag.standard {
            case "off": XCTAssertEqual(value, "false", flag.name)
            case "none", "all", "by --warmup_proportion": XCTAssertEqual(value, "null", flag.name)
            case let number where Double(number) != nil: XCTAssertEqual(Double(value), Double(number), flag.name)
            case "O1": XCTAssertEqual(value, "\"O1\"")
            case "runs/DATE_HOST_NUMBER":
                XCTAssertNotNil(
                    value.firstMatch(of: /\/runs\/[A-Z][a-z]{2}[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2}_.+_[0-9a-f]{8}"$/), value)
            default: XCTAssert(flag.standard.hasPrefix("required"), flag.standard)
            }
        }
        XCTAssertEqual(saved["sampling"], "\"proportional\"")
        XCTAssertEqual(saved["encoder_type"], "\"bert\"")
    }

    func testWarmUpStepsGoBeforeTheShare() throws {
        let rates = try self.rates("--warmup_steps", "2", "--warmup_proportion", "1")
        XCTAssertEqual(rates, ["0.00e+00", "1.00e-03", "2.00e-03", "1.00e-03"])
        XCTAssertEqual(try self.rates("--warmup_steps", "0"), ["2.00e-03", "1.50e-03", "1.00e-03", "5.00e-04"])
        XCTAssertEqual(
            try self.rates("--warmup_proportion", "0.5"), ["0.00e+00", "1.00e-03", "2.00e-03", "1.00e-03"])
    }

    func testWarmUpStepsAreIgnoredWhereTheOriginalIsReproduced() throws {
        let outcome = try camtl(
            arguments("--do_train", "--max_steps", "1", "--warmup_steps", "5", "--reproduce_original"))
        XCTAssert(outcome.messages.contains("Warning: --warmup_steps is ignored"), outcome.messages)
    }

    /// The learning rates of a run's four updates.
    private func rates(_ more: String...) throws -> [String] {
        let messages = try camtl(
            arguments("--do_train", "--max_steps", "4", "--logging_steps", "1", "--overwrite_output_dir") + more
        ).messages
        return messages.matches(of: /step .* rate ([^ ]+)/).map { String($0.output.1) }
    }

    func testFirstStepIsLoggedOnRequest() throws {
        let messages = try camtl(
            arguments("--do_train", "--max_steps", "5", "--logging_steps", "3", "--logging_first_step")).messages
        let steps = messages.split(separator: "\n").filter { $0.hasPrefix("step ") }
        XCTAssertEqual(steps.map { $0.split(separator: " ")[1] }, ["1/5", "3/5", "5/5"])
    }

    func testIntervalsBelowOneAreNever() throws {
        for value in ["0", "-1"] {
            let messages = try camtl(
                arguments(
                    "--do_train", "--max_steps", "2", "--logging_steps", value, "--save_steps", value,
                    "--save_total_limit", value, "--overwrite_output_dir")
            ).messages
            XCTAssertFalse(messages.contains("step 1/2"), messages)
            XCTAssertFalse(try names(in: output).contains { $0.hasPrefix("checkpoint-") })
        }
    }

    /// The settings saved with a run, each as its line in the file has it.
    private func settings(_ folder: URL) throws -> [String: String] {
        let text = try String(contentsOf: folder.appendingPathComponent("run_config.json"), encoding: .utf8)
        let pairs = text.matches(of: /(?m)^  "([a-z0-9_]+)": (.*?),?$/).map {
            (String($0.output.1), String($0.output.2))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }
}
