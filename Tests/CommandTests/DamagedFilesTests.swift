import Foundation
import TestSupport
import XCTest

/// Damaged files of settings, read by the program: see ``DamagedFiles``.
///
/// The settings name a model that isn't there, so that a run costs no more than its start.
final class DamagedFilesTests: CommandTestCase {
    func testSettings() throws {
        let settings = folder.appendingPathComponent("settings.json")
        let (model, other) = (folder.appendingPathComponent("missing/model"), folder.appendingPathComponent("data"))
        try Data(
            #"""
            {"model_name_or_path": "\#(model.path)", "data_dir": "\#(other.path)", "output_dir": "\#(output.path)",
             "tasks": ["rte", "mrpc"], "do_train": true, "do_eval": true, "overwrite_output_dir": false,
             "max_seq_length": 16, "per_device_train_batch_size": 8, "learning_rate": 2e-3, "num_train_epochs": 3.0,
             "max_steps": -1, "seed": 18446744073709551615, "threads": 1, "freeze_encoder_layers": "0-0",
             "warmup_steps": null, "logging_steps": 5, "encoder_type": "ca-mtl-base", "sampling": "uniform\u0000\ud83d\ude00"}
            """#.utf8
        ).write(to: settings)
        let damaged = DamagedFiles(share: 0.15)
        try damaged.damage("settings", folder, ["settings.json"], share: 1, readsWhole: false) {
            // No hub is asked for a model whose damaged name could be one of the hub's.
            let outcome: Outcome
            do {
                outcome = try self.outcome(of: [settings.path], environment: ["HF_HUB_OFFLINE": "1"], within: 25)
            } catch let hang as RunningProgram.TookTooLong {
                return ["\(hang)"]
            }
            if outcome.wasKilled { return ["it was ended by signal \(outcome.status)"] }
            if outcome.status == 0 { return [] }
            if let problem = self.problems(ofRefusal: outcome.messages).first { return [problem + ": " + outcome.messages] }
            return nil
        }
    }

    private func problems(ofRefusal messages: String) -> [String] {
        let traces = ["Fatal error", "Stack dump", "Exception raised", "frame #", "Error Domain", ".swift:", ".cpp:"]
        return (messages.contains("Error: ") ? [] : ["it ended without a message"])
            + traces.filter(messages.contains).map { "it shows its inside, \($0)" }
    }
}
