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

    func testACommandLineOfNothingSaysWhatARunTakes() throws {
        let outcome = try assertRefuses([], "nothing to do", "--model_name_or_path", "--do_train")
        XCTAssert(outcome.messages.contains("See 'camtl --help'"), outcome.messages)
    }

    func testAMistypedFlagOfASubcommandIsNamedBeforeWhatItLeavesMissing() throws {
        for (command, wrong, right) in [
            ("predict", "--inptu", "--input"), ("convert", "--outptu_dir=x", "--output_dir"),
            ("download", "--data_dri", "--data_dir"), ("bench", "--sampling_", "--sampling"),
        ] {
            let name = wrong.prefix { $0 != "=" }
            try assertRefuses(
                [command, wrong], "\(name): there is no such flag; did you mean \(right)?",
                "`camtl \(command) --help` lists the flags", lines: 2)
        }
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
        XCTAssertEqual(left.prefix(2), [".camtl-run", "checkpoint-1"])
        XCTAssert(left.dropFirst().allSatisfy { $0.hasPrefix("checkpoint-") || $0 == "run_config.json" }, "\(left)")
    }

    func testFlagsWithoutEffectAreWarnedOf() throws {
        let messages = try camtl(
            arguments(
                "--do_train", "--max_steps", "1", "--uncertainty_scoring", "int8", "--percent_of_max_data_size", "0.5")
        ).messages
        let expected = [
            "Warning: --uncertainty_scoring has no effect without --sampling uncertainty\n",
            "Warning: --percent_of_max_data_size has no effect without --sampling uniform or uncertainty\n",
        ]
        for line in expected { XCTAssert(messages.contains(line), messages) }
        XCTAssertEqual(messages.components(separatedBy: "Warning: ").count, 3, messages)
        let evaluation = try camtl(
            ["--model_name_or_path", output.path, "--data_dir", data.path, "--cache_dir", cache.path, "--do_eval"]
                + ["--evaluate_during_training"]
        ).messages
        XCTAssert(evaluation.contains("--evaluate_during_training has no effect without --do_train"), evaluation)
    }

    func testSamplingsThatExcludeEachOtherAreRefused() throws {
        try assertRefuses(
            arguments("--do_train", "--uniform_mt_sampling", "--use_mt_uncertainty"),
            "the samplings uniform and uncertainty exclude each other")
        try assertRefuses(
            arguments("--do_train", "--sampling", "sequential", "--use_mt_uncertainty"),
            "the samplings sequential and uncertainty exclude each other")
    }

    func testGroupingByLengthIsRefusedUnderUncertaintySampling() throws {
        try assertRefuses(
            arguments("--do_train", "--use_mt_uncertainty", "--group_by_length"),
            "--group_by_length makes batches by length", "leave one of the two out")
        try assertRefuses(
            arguments("--do_train", "--use_mt_uncertainty", "--uncertainty_dropout", "maybe"),
            "--uncertainty_dropout", "'on' and 'off'", lines: 2)
        try camtl(arguments("--do_train", "--group_by_length", "--max_steps", "1"))
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

    func testUnknownFlagsAreNamedAtOnceWithTheNearestRightNames() throws {
        try assertRefuses(
            arguments("--do_trian", "--max_seq_lenght=64", "--zzzzzzzzzzzz"),
            "--do_trian: there is no such flag; did you mean --do_train?",
            "--max_seq_lenght: there is no such flag; did you mean --max_seq_length?",
            "--zzzzzzzzzzzz: there is no such flag", lines: 3)
    }

    func testUnknownCommandIsNamedWithTheNearestRightName() throws {
        try assertRefuses(["pedict"], "pedict: there is no such command; did you mean predict?")
    }

    func testTF32IsRefusedOnTheCPU() throws {
        try assertRefuses(
            arguments("--do_train", "--no_cuda", "--tf32"),
            "--tf32 is for CUDA devices, and this run computes on the CPU; leave it out")
    }

    func testTwoTypesOfHalfPrecisionExcludeEachOther() throws {
        try assertRefuses(
            arguments("--do_train", "--fp16", "--bf16"), "--fp16 and --bf16 exclude each other")
    }

    func testLevelsOfHalfPrecisionOtherThanO1AreRefusedWithTheirReason() throws {
        for (level, reason) in ["O0": "O0 is float32", "O2": "in float16", "O3": "in float16", "o1": "no level o1"] {
            try assertRefuses(arguments("--do_train", "--fp16_opt_level", level), "--fp16_opt_level", reason)
        }
    }

    func testWhatThisBuildCannotRunOnIsRefused() throws {
        try assertRefuses(
            arguments("--do_train", "--tpu_num_cores", "8", "--tpu_metrics_debug", "--local_rank", "-2"),
            "--tpu_num_cores: there is no support for TPUs", "--tpu_metrics_debug: there is no support for TPUs",
            "--local_rank is -2; it has to be -1 or more", lines: 3)
    }

    func testANumberAmongSeveralProcessesWithoutTheirLaunchersVariablesIsRefused() throws {
        try assertRefuses(
            arguments("--do_train", "--local_rank", "0"), "--local_rank 0 says that this is one of several processes",
            "RANK, WORLD_SIZE", "torchrun")
        for (text, number) in [("0", "0.0"), ("2e9", "2000000000.0"), ("nan", "nan")] {
            try assertRefuses(
                arguments("--do_train", "--ddp_timeout", text),
                "--ddp_timeout is \(number); it has to be from 1 to 1000000000 seconds")
        }
    }

    func testFlagsThatNeedAnotherAreRefusedAtOnce() throws {
        try assertRefuses(
            arguments("--load_best_model_at_end", "--early_stopping_patience", "2", "--resume_from_checkpoint"),
            "--load_best_model_at_end needs --evaluate_during_training",
            "--early_stopping_patience needs --evaluate_during_training",
            "--resume_from_checkpoint goes on with training, and --do_train isn't given", lines: 3)
        try assertRefuses(
            arguments("--predict_probabilities", "--evaluate_during_training", "--logging_steps", "0"),
            "--predict_probabilities says what --do_predict writes",
            "--evaluate_during_training evaluates every --logging_steps updates, which is 0", lines: 2)
    }

    func testCountsOfTheFurtherFlagsAreChecked() throws {
        try assertRefuses(
            arguments(
                "--per_gpu_train_batch_size", "0", "--per_gpu_eval_batch_size", "-1", "--warmup_steps", "-1",
                "--early_stopping_patience", "0", "--evaluate_during_training", "--save_steps", "9999999999"),
            "--per_gpu_train_batch_size is 0", "--per_gpu_eval_batch_size is -1", "--warmup_steps is -1",
            "--early_stopping_patience is 0", "--save_steps is 9999999999", lines: 5)
    }

    func testUnknownFigureIsRefusedWithTheNearestRightName() throws {
        try assertRefuses(
            arguments("--do_train", "--evaluate_during_training", "--metric_for_best_model", "rte_ac"),
            "--metric_for_best_model rte_ac: did you mean rte_acc?", "are average, rte_acc, rte_loss")
    }

    func testUnknownEncoderTypeIsRefusedWithTheKnownOnes() throws {
        try assertRefuses(
            arguments("--do_train", "--encoder_type", "gpt"), "'gpt' is invalid for '--encoder_type",
            "'ca-mtl-base', 'ca-mtl-large' or 'bert'", lines: 2)
    }

    func testRunThatIsToDoNothingIsRefused() throws {
        try assertRefuses(arguments(), "there is nothing to do: give --do_train, --do_eval or --do_predict")
    }

    func testCacheThatCannotBeWrittenIsNamed() throws {
        try assertRefuses(
            arguments("--do_train", "--cache_dir", encoder.appendingPathComponent("vocab.txt").path),
            "cannot write the feature cache \(encoder.path)/vocab.txt: Not a directory")
    }
}
