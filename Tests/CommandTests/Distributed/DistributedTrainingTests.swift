import Foundation
import TestSupport
import XCTest

/// Several processes compute what one computes.
final class DistributedTrainingTests: DistributedTestCase {
    private func flags(_ sampling: String, accumulation: Int) -> [String] {
        [
            "--sampling", sampling, "--gradient_accumulation_steps", "\(accumulation)", "--dropout", "0", "--max_steps",
            "12",
        ]
    }

    private func assertProcessesTrainAsOne(_ flags: [String], _ name: String) throws {
        let alone = folder.appendingPathComponent("\(name) alone")
        try runAll(training(alone, size: 1, flags), size: 1)
        for size in [2, 4] {
            let together = folder.appendingPathComponent("\(name) by \(size)")
            try runAll(training(together, size: size, flags), size: size)
            try assertSameCourse(together, alone, "\(name), \(size) processes")
        }
    }

    func testEverySamplerInTwoAndFourProcesses() throws {
        for sampling in ["proportional", "sequential", "uniform", "uncertainty"] {
            for accumulation in [1, 4] {
                try assertProcessesTrainAsOne(
                    flags(sampling, accumulation: accumulation), "\(sampling) \(accumulation)")
            }
        }
    }

    func testBatchesByLengthRecomputedLayersAndTheOriginalsFaults() throws {
        try assertProcessesTrainAsOne(flags("proportional", accumulation: 1) + ["--group_by_length"], "by length")
        try assertProcessesTrainAsOne(flags("uniform", accumulation: 4) + ["--gradient_checkpointing"], "recomputed")
        for accumulation in [1, 4] {
            try assertProcessesTrainAsOne(
                flags("uncertainty", accumulation: accumulation) + ["--reproduce_original"], "original \(accumulation)")
        }
    }

    func testEvaluationAndPredictionAreSharedOut() throws {
        let alone = folder.appendingPathComponent("alone"), together = folder.appendingPathComponent("together")
        let flags = flags("proportional", accumulation: 1) + [
            "--do_eval", "--do_predict", "--predict_probabilities", "--evaluate_during_training",
            "--load_best_model_at_end", "--save_steps", "5",
        ]
        try runAll(training(alone, size: 1, flags), size: 1)
        try runAll(training(together, size: 2, flags), size: 2)
        XCTAssertEqual(
            try names(in: together).filter { !$0.hasPrefix("checkpoint") },
            try names(in: alone).filter { !$0.hasPrefix("checkpoint") })
        let figures = try figures(alone.appendingPathComponent("eval_results.json"))
        for (name, value) in try self.figures(together.appendingPathComponent("eval_results.json")) {
            XCTAssertEqual(value, figures[name] ?? .nan, accuracy: 1e-5, name)
        }
        // From the same weights all figures and predictions are the same bits.
        for size in [1, 3] {
            let again = folder.appendingPathComponent("by \(size)")
            try runAll(
                [
                    "--model_name_or_path", alone.path, "--data_dir", data.path, "--cache_dir", cache.path,
                    "--output_dir", again.path, "--threads", "1", "--do_eval", "--do_predict",
                    "--predict_probabilities",
                ], size: size)
        }
        let (one, three) = (folder.appendingPathComponent("by 1"), folder.appendingPathComponent("by 3"))
        let (contents, others) = (try contents(of: one), try contents(of: three))
        XCTAssertEqual(contents.keys.sorted(), others.keys.sorted())
        for (name, data) in contents where name != "all_results.json" && !name.contains("timings") {
            XCTAssertEqual(data, others[name], name)
        }
    }

    func testPredictIsSharedOut() throws {
        try runAll(training(output, size: 1, flags("proportional", accumulation: 1)), size: 1)
        let sentences = (0..<20).map { "\(TinyEncoder.words[$0 % 9]) ba" }
        let rows = sentences.map { "{\"task\": \"sst-2\", \"sentence\": \"\($0)\"}\n" }.joined()
        let input = folder.appendingPathComponent("rows.jsonl")
        try Data(rows.utf8).write(to: input)
        let files = try [1, 3].map { size in
            let file = folder.appendingPathComponent("by \(size).jsonl")
            try runAll(
                ["predict", "--model_name_or_path", output.path, "--input", input.path, "--output", file.path],
                size: size)
            return try Data(contentsOf: file)
        }
        XCTAssertEqual(files[0], files[1])
        XCTAssertEqual(files[0].split(separator: 0x0A).count, 20)
    }

    func testSlurmsVariables() throws {
        let alone = folder.appendingPathComponent("alone"), together = folder.appendingPathComponent("together")
        let flags = flags("uncertainty", accumulation: 1)
        try runAll(training(alone, size: 1, flags), size: 1)
        let port = try freePort()
        let runs = try (0..<2).map { rank in
            try start(
                training(together, size: 2, flags),
                environment: [
                    "SLURM_PROCID": "\(rank)", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2",
                    "SLURM_LOCALID": "\(rank)", "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": "4711",
                    "MASTER_PORT": "\(port)",
                ])
        }
        for run in runs { XCTAssertEqual(try run.finish().status, 0) }
        try assertSameCourse(together, alone, "Slurm")
    }

    func testTorchrun() throws {
        let alone = folder.appendingPathComponent("alone"), together = folder.appendingPathComponent("together")
        let flags = flags("uniform", accumulation: 1)
        try runAll(training(alone, size: 1, flags), size: 1)
        let command = [try Program.url().path] + training(together, size: 2, flags)
        try PeerPython.run(
            "import sys; from torch.distributed.run import main; main(sys.argv[1:])",
            ["--standalone", "--nproc-per-node", "2", "--no-python"] + command,
            environment: ["HOME": folder.path])
        try assertSameCourse(together, alone, "torchrun")
    }

    func testTheSameBitsTwiceAndAfterAStop() throws {
        let flags = ["--sampling", "uncertainty", "--max_steps", "12", "--save_steps", "5"]
        let runs = ["whole", "again", "stopped"].map(folder.appendingPathComponent)
        for run in runs.dropLast() { try runAll(training(run, size: 2, flags), size: 2) }
        let models = try runs.dropLast().map { try Data(contentsOf: $0.appendingPathComponent("model.safetensors")) }
        XCTAssertEqual(models[0], models[1])
        // Dropout is on: the checkpoint of rank 0 has to be enough for both to go on alike.
        try runAll(training(runs[2], size: 2, flags), size: 2)
        for name in ["model.safetensors", "checkpoint-10"] {
            try FileManager.default.removeItem(at: runs[2].appendingPathComponent(name))
        }
        try runAll(training(runs[2], size: 2, flags + ["--resume_from_checkpoint"]), size: 2)
        XCTAssertEqual(try Data(contentsOf: runs[2].appendingPathComponent("model.safetensors")), models[0])
    }

    func testACheckpointGoesOnInAnotherNumberOfProcesses() throws {
        let flags = flags("uncertainty", accumulation: 1) + ["--save_steps", "5"]
        let alone = folder.appendingPathComponent("alone"), changed = folder.appendingPathComponent("changed")
        try runAll(training(alone, size: 1, flags), size: 1)
        try runAll(training(changed, size: 4, flags), size: 4)
        for name in ["model.safetensors", "checkpoint-10"] {
            try FileManager.default.removeItem(at: changed.appendingPathComponent(name))
        }
        try runAll(training(changed, size: 2, flags + ["--resume_from_checkpoint"]), size: 2)
        try assertSameCourse(changed, alone, "4 processes, then 2")
    }
}
