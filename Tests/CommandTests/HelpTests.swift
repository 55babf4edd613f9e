import Foundation
import XCTest

final class HelpTests: CommandTestCase {
    /// The original's flags, and those that came to them.
    private static let flags = [
        "model_name_or_path", "encoder_type", "data_dir", "tasks", "max_seq_length", "output_dir",
        "overwrite_output_dir", "overwrite_cache", "do_train", "do_eval", "evaluate_during_training",
        "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "learning_rate",
        "weight_decay", "adam_epsilon", "max_grad_norm", "num_train_epochs", "max_steps", "warmup_proportion",
        "percent_of_max_data_size", "dropout", "seed", "logging_steps", "save_steps", "uniform_mt_sampling",
        "use_mt_uncertainty", "uncertainty_score", "freeze_encoder_layers", "reproduce_original",
    ]

    func testHelpListsEveryFlag() throws {
        let help = try camtl(["--help"]).text
        for flag in HelpTests.flags {
            let isListed = help.range(of: "(?m)^  --\(flag)( |$)", options: .regularExpression) != nil
            XCTAssert(isListed, "--help lacks --\(flag)")
        }
    }

    func testHelpGivesTheOriginalsDefaults() throws {
        let help = try camtl(["--help"]).text
            .components(separatedBy: .whitespacesAndNewlines).filter { !$0.isEmpty }.joined(separator: " ")
        let defaults = [
            "per_device_train_batch_size": "8", "per_device_eval_batch_size": "8", "gradient_accumulation_steps": "1",
            "learning_rate": "5e-05", "weight_decay": "0.0", "adam_epsilon": "1e-08", "max_grad_norm": "1.0",
            "num_train_epochs": "3.0", "max_steps": "-1", "warmup_proportion": "0.1", "logging_steps": "500",
            "save_steps": "500", "seed": "42", "percent_of_max_data_size": "1.0",
        ]
        for (flag, value) in defaults {
            let pattern = " --\(flag) <\(flag)> [^<>]*\\(default: \(NSRegularExpression.escapedPattern(for: value))\\)"
            XCTAssert(help.range(of: pattern, options: .regularExpression) != nil, "--\(flag) isn't \(value)")
        }
    }

    func testHelpOfSubcommandsListsTheirFlags() throws {
        for (subcommand, flags) in [
            "predict": ["model_name_or_path", "input", "output"], "tokenize": ["model_name_or_path"],
        ] {
            let help = try camtl([subcommand, "--help"]).text
            for flag in flags { XCTAssert(help.contains("--\(flag) "), "\(subcommand) --help lacks --\(flag)") }
        }
    }
}
