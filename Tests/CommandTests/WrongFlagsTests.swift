import Foundation
import XCTest

final class WrongFlagsTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
    }

    func testAllMissingFoldersAreNamedAtOnce() throws {
        try assertRefuses(
            ["--do_train"], "--model_name_or_path is missing", "--data_dir is missing", "--output_dir is missing",
            lines: 3)
    }

    func testUnknownTaskIsRefusedWithTheNearestName() throws {
        try assertRefuses(
            arguments(tasks: ["mprc"], "--do_train"), "unknown task \"mprc\"", "did you mean \"mrpc\"?",
            "The tasks are cola, mnli, rte, wnli, qqp, sts-b, sst-2, qnli, mrpc")
    }

    func testEvaluationSetIsNoTask() throws {
        try assertRefuses(
            arguments(tasks: ["rte", "mnli-mm"], "--do_train"), "\"mnli-mm\" is an evaluation set of mnli",
            "name mnli")
    }

    func testTaskNamedTwiceIsRefused() throws {
        try assertRefuses(arguments(tasks: ["rte", "rte"], "--do_train"), "tasks named more than once: rte")
    }

    func testOutputFolderThatIsNotEmptyIsKept() throws {
        try TinyGLUE.write("mine", to: output.appendingPathComponent("notes.txt"))
        try assertRefuses(
            arguments("--do_train"), "the output folder \(output.path) is not empty", "--overwrite_output_dir")
        try camtl(arguments("--do_train", "--max_steps", "1", "--overwrite_output_dir"))
        XCTAssertEqual(try String(contentsOf: output.appendingPathComponent("notes.txt"), encoding: .utf8), "mine")
    }

    func testOutputFolderThatCannotBeIsRefusedForTrainingAndForEvaluation() throws {
        let file = folder.appendingPathComponent("file")
        try TinyGLUE.write("mine", to: file)
        for output in [file, file.appendingPathComponent("output")] {
            for what in ["--do_train", "--do_eval"] {
                try assertRefuses(
                    arguments(output: output, what), "the output folder \(output.path) can't be used",
                    "\(file.path) is a file")
            }
        }
    }

    func testLossThatIsNotFiniteEndsTheRunWithoutATrace() throws {
        try assertRefuses(
            arguments("--do_train", "--learning_rate", "1e8", "--warmup_proportion", "0", "--max_steps", "20"),
            "the loss of step", "nan", "rte", "try a lower --learning_rate or a longer warm-up")
    }

    func testLossThatIsNotFiniteLeavesEarlierCheckpoints() throws {
        let outcome = try outcome(
            of: arguments(
                "--do_train", "--learning_rate", "1e8", "--warmup_proportion", "0", "--max_steps", "20",
                "--save_steps", "1"))
        XCTAssertEqual(outcome.status, 1)
        let left = try names(in: output)
        XCTAssertEqual(left.first, "checkpoint-1")
        XCTAssert(left.allSatisfy { $0.hasPrefix("checkpoint-") }, "\(left)")
    }

    func testSamplingsThatExcludeEachOtherAreRefused() throws {
        try assertRefuses(
            arguments("--do_train", "--uniform_mt_sampling", "--use_mt_uncertainty"),
            "the samplings uniform and uncertainty exclude each other")
        try assertRefuses(
            arguments("--do_train", "--sampling", "sequential", "--use_mt_uncertainty"),
            "the samplings sequential and uncertainty exclude each other")
    }

    func testNumberThatIsNoneIsRefused() throws {
        for (flag, value) in [("learning_rate", "1e-"), ("seed", "-1"), ("max_steps", "1.5")] {
            try assertRefuses(
                arguments("--do_train", "--\(flag)", value),
                "The value '\(value)' is invalid for '--\(flag) <\(flag)>'", lines: 2)
        }
    }

    func testNumbersOutOfRangeAreNamedAtOnce() throws {
        try assertRefuses(
            arguments(
                "--do_train", "--learning_rate", "-1", "--per_device_train_batch_size", "0", "--dropout", "1",
                "--warmup_proportion", "2", "--max_seq_length", "2", "--threads", "100000",
                "--gradient_accumulation_steps", "9223372036854775807", "--max_grad_norm", "nan"),
            "--learning_rate is -1.0", "--per_device_train_batch_size is 0", "--dropout is 1.0",
            "--warmup_proportion is 2.0", "--max_seq_length is 2", "--threads is 100000",
            "--gradient_accumulation_steps is 9223372036854775807", "--max_grad_norm is nan", lines: 8)
    }

    func testUnknownFlagIsNamed() throws {
        try assertRefuses(arguments("--do_train", "--fp16"), "Unknown option '--fp16'")
    }

    func testUnknownEncoderTypeIsRefusedWithTheKnownOnes() throws {
        try assertRefuses(
            arguments("--do_train", "--encoder_type", "gpt"), "'gpt' is invalid for '--encoder_type",
            "'ca-mtl-base', 'ca-mtl-large' or 'bert'", lines: 2)
    }

    func testRunThatIsToDoNothingIsRefused() throws {
        try assertRefuses(arguments(), "there is nothing to do: give --do_train, --do_eval or both")
    }

    func testCacheThatCannotBeWrittenIsNamed() throws {
        try assertRefuses(
            arguments("--do_train", "--cache_dir", encoder.appendingPathComponent("vocab.txt").path),
            "cannot write the feature cache \(encoder.path)/vocab.txt: Not a directory")
    }
}
