import Foundation
import XCTest

/// A run writes nothing outside of the folders that are named, and replaces nothing there that isn't its own.
final class OutputFolderTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder(layerCount: 1).write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
    }

    private func train(_ more: String...) -> [String] {
        arguments("--encoder_type", "bert", "--do_train", "--max_steps", "2", "--overwrite_output_dir") + more
    }

    func testThePretrainedEncodersFolderIsNoOutputFolder() throws {
        try assertRefuses(
            train("--output_dir", encoder.path), "\(encoder.path): this folder has config.json",
            "of a model that camtl did not write")
    }

    func testAReadmeOfSomebodyElsesIsKept() throws {
        let readme = output.appendingPathComponent("README.md")
        try TinyGLUE.write("# Mine\n", to: readme)
        try assertRefuses(train(), "its README.md is not a model card of camtl's")
        try FileManager.default.removeItem(at: readme)
        try camtl(train())
        try camtl(train())
    }

    func testALinkInPlaceOfThePredictionsFolderIsRefused() throws {
        var model = TinyEncoder(layerCount: 1)
        model.addDecoders([("rte", TinyGLUE.task("rte").labels)])
        try model.write(to: encoder)
        let elsewhere = folder.appendingPathComponent("elsewhere")
        try TinyGLUE.write("mine", to: elsewhere.appendingPathComponent("CoLA.tsv"))
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            at: output.appendingPathComponent("predictions"), withDestinationURL: elsewhere)
        let outcome = try outcome(of: arguments("--do_predict"))
        XCTAssertEqual(outcome.status, 1)
        XCTAssert(outcome.messages.contains("predictions is a symbolic link"), outcome.messages)
        XCTAssertEqual(try names(in: elsewhere), ["CoLA.tsv"])
    }

    /// Only what a run could come to stands in its way, and that is said before it trains.
    func testSomebodyElsesCheckpointFoldersAreLeftAlone() throws {
        let others = ["checkpoint-01", "checkpoint-1000", "checkpoint-best", "checkpoint-", "checkpoint-5 (copy)"]
        for name in others { try TinyGLUE.write("mine", to: output.appendingPathComponent("\(name)/notes")) }
        try TinyGLUE.write("mine", to: output.appendingPathComponent("checkpoint-9"))
        let command = arguments(
            "--encoder_type", "bert", "--do_train", "--max_steps", "3", "--save_steps", "1", "--save_total_limit", "1")
        try camtl(command + ["--overwrite_output_dir"])
        let checkpoints = try names(in: output).filter { $0.hasPrefix("checkpoint-") }
        XCTAssertEqual(checkpoints, (others + ["checkpoint-3", "checkpoint-9"]).sorted())
        for name in others {
            XCTAssertEqual(
                try String(contentsOf: output.appendingPathComponent("\(name)/notes"), encoding: .utf8), "mine")
        }
        let resumed = try camtl(command + ["--resume_from_checkpoint"])
        XCTAssert(resumed.messages.contains("going on after step 3"), resumed.messages)

        // Now one that the next run would need.
        try TinyGLUE.write("mine", to: output.appendingPathComponent("checkpoint-2/notes"))
        let before = try contents(of: output)
        let refused = try outcome(of: command + ["--overwrite_output_dir"])
        XCTAssertEqual(refused.status, 1)
        XCTAssert(refused.messages.contains("checkpoint-2: not written: what has this path is not"), refused.messages)
        XCTAssertFalse(refused.messages.contains("step 1/"), refused.messages)
        XCTAssertEqual(try contents(of: output), before)
    }

    /// What a run could not replace at its end is said before its first step.
    func testWhatStandsInTheWayOfAFileOrCheckpointIsSaidBeforeTraining() throws {
        let elsewhere = folder.appendingPathComponent("elsewhere")
        try FileManager.default.createDirectory(at: elsewhere, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        let link = output.appendingPathComponent("checkpoint-2")
        for target in [elsewhere.path, "nowhere"] {
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: target)
            let refused = try outcome(of: train("--save_steps", "2"))
            XCTAssertEqual(refused.status, 1)
            XCTAssert(refused.messages.contains("checkpoint-2: not written: what has this path"), refused.messages)
            XCTAssertFalse(refused.messages.contains("step 1/"), refused.messages)
            try FileManager.default.removeItem(at: link)
        }
        let names = [
            "trainer_state.json", "train_results.json", "all_results.json", "run_config.json", ".camtl-run", "README.md",
        ]
        for name in names {
            let place = output.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
            try assertRefuses(train(), "\(place.path): not written: a folder or a device has this path")
            try FileManager.default.removeItem(at: place)
        }
        XCTAssertEqual(try self.names(in: output), [])
        XCTAssertEqual(try self.names(in: elsewhere), [])
    }
}
