import Foundation
import TestSupport
import Torch
import XCTest

/// What `camtl convert` makes of a model with the plain encoder, transformers loads, and computes the same with it.
final class TransformersExportTests: CommandTestCase {
    private let tasks = ["rte", "sts-b", "mnli", "cola"]
    private var exported: URL { folder.appendingPathComponent("for transformers") }

    private func convert(_ more: String...) -> [String] {
        ["convert", "--model_name_or_path", output.path, "--output_dir", exported.path] + more
    }

    private func train(_ more: String...) throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(tasks, to: data)
        // Long enough for all texts: where a pair is cut, transformers cuts it otherwise.
        try camtl(arguments(tasks: tasks, "--do_train", "--max_steps", "8", "--max_seq_length", "32") + more)
    }

    func testTransformersComputesTheLogitsOfEachTask() throws {
        try train()
        let folders = try camtl(convert()).lines.map(String.init)
        XCTAssertEqual(folders, tasks.map { exported.appendingPathComponent($0).path })
        let jobs = tasks.map { name -> (model: URL, texts: [Texts]) in
            let task = TinyGLUE.task(name)
            return (exported.appendingPathComponent(name), task.texts(of: task.devSets[0].path))
        }
        for (name, (job, theirs)) in zip(tasks, zip(jobs, try transformers(jobs))) {
            let (task, model, texts) = (TinyGLUE.task(name), job.model, job.texts)
            let ours = try predictions(output, task: name, texts)
            assertClose(ours.map(\.logits), theirs.logits, name)
            XCTAssertGreaterThan(Set(theirs.logits.map { $0[0] }).count, 5, "logits that are all the same show little")
            XCTAssertEqual(theirs.labels, task.labels.isEmpty ? ["LABEL_0"] : task.labels)
            XCTAssertEqual(theirs.problem, task.labels.isEmpty ? "regression" : "single_label_classification")
            XCTAssertEqual(theirs.dtype, "torch.float32")
            XCTAssertEqual(theirs.length, 32)
            // And back: the folder is one that camtl reads.
            assertClose(
                try predictions(model, task: name, texts, "--tasks", name).map(\.logits), ours.map(\.logits), name)
        }
    }

    /// On real text, with the encoder of the demo: 22 million parameters, an uncased vocabulary of 30,522 tokens.
    func testTransformersComputesTheLogitsOfMiniLMOnRealText() throws {
        guard let encoder = ProcessInfo.processInfo.environment["CAMTL_PRETRAINED"] else {
            throw XCTSkip("skipped: needs CAMTL_PRETRAINED, which make test sets")
        }
        let sample = PeerPython.folder.deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Examples/glue_sample")
        try camtl(
            [
                "--model_name_or_path", encoder, "--encoder_type", "bert", "--tasks", "mrpc", "sts-b", "--data_dir",
                sample.path, "--cache_dir", cache.path, "--output_dir", output.path, "--max_seq_length", "64",
                "--threads", "1", "--do_train", "--max_steps", "3", "--learning_rate", "1e-4",
            ])
        try camtl(convert("--tasks", "sts-b"))
        XCTAssertEqual(try names(in: exported), ["sts-b"])
        let lines = try String(contentsOf: sample.appendingPathComponent("STS-B/dev.tsv"), encoding: .utf8)
            .split(separator: "\n").dropFirst().prefix(20)
        let rows = lines.map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        let foreign: [Texts] = [
            ("Où est la naïve fiancée?", "北京 — “東京”…"), ("x", "x" + String(repeating: "y", count: 120)),
        ]
        let texts: [Texts] = rows.map { ($0[7], $0[8]) } + foreign
        let theirs = try transformers([(exported.appendingPathComponent("sts-b"), texts)])
        assertClose(try predictions(output, task: "sts-b", texts).map(\.logits), theirs[0].logits, "sts-b")
    }

    func testConditionedEncodersAreRefusedWithWhatCanBeDone() throws {
        for type in ["ca-mtl-base", "ca-mtl-large"] {
            try train("--encoder_type", type, "--overwrite_output_dir", "--max_seq_length", "16")
            try assertRefuses(
                convert(), "\(output.path): the encoder is \(type), for which transformers has no class",
                "--encoder_type bert")
        }
    }

    func testTasksThatTrainingNeverCameToAreLeftOut() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "cola"], to: data)
        try camtl(arguments(tasks: ["rte", "cola"], "--do_train", "--max_steps", "1", "--sampling", "sequential"))
        let run = try camtl(convert())
        XCTAssertEqual(run.lines.map(String.init), [exported.appendingPathComponent("rte").path])
        XCTAssertEqual(run.messages, "cola is left out: its decoder is at its random start\n")
        try assertRefuses(
            convert("--overwrite_output_dir", "--tasks", "rte", "cola"), "cola is not trained, its decoder is at its")
    }

    func testWhatCannotBeExportedIsNamedAndNothingWritten() throws {
        try train()
        try assertRefuses(convert("--tasks", "rte", "qnli"), "this model has no decoder for qnli; its tasks are rte")
        try assertRefuses(convert("--encoder_type", "ca-mtl-base"), "this model's encoder is bert, not ca-mtl-base")
        try TinyGLUE.write("mine", to: exported.appendingPathComponent("notes.txt"))
        try assertRefuses(convert(), exported.path, "not empty", "--overwrite_output_dir")
        try camtl(convert("--overwrite_output_dir", "--tasks", "rte"))
        XCTAssertEqual(try names(in: exported), ["notes.txt", "rte"])
        try assertRefuses(
            ["convert", "--model_name_or_path", output.path, "--output_dir", exported.path + "/notes.txt"],
            "notes.txt: this is a file")
    }

    func testSafetensorsReadsEveryFileOfARun() throws {
        try TinyEncoder(layerCount: 4).write(to: encoder)
        try TinyGLUE.write(tasks, to: data)
        let types = ["bert", "ca-mtl-base", "ca-mtl-large"]
        for type in types {
            try camtl(
                arguments(
                    tasks: tasks, output: output.appendingPathComponent(type), "--encoder_type", type, "--do_train",
                    "--max_steps", "4", "--save_steps", "2"))
        }
        let listing = try PeerPython.run(file: "read_safetensors.py", [output.path])
        let counts = try JSONDecoder().decode([String: Int].self, from: Data(listing.utf8))
        let models = types.flatMap { type in
            ["\(type)/checkpoint-2/", "\(type)/checkpoint-4/", "\(type)/"].map { $0 + "model.safetensors" }
        }
        XCTAssertEqual(counts.keys.filter { $0.hasSuffix("model.safetensors") }.sorted(), models)
        XCTAssertEqual(
            counts.keys.sorted(), try contents(of: output).keys.filter { $0.hasSuffix(".safetensors") }.sorted())
        for (path, count) in counts {
            XCTAssertEqual(count, try CheckpointFile.open(output.appendingPathComponent(path)).names.count, path)
        }
    }
}
