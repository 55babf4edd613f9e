import Foundation
import TestSupport
import Torch
import XCTest

/// A checkpoint that is cut short, or that would run code in Python, is refused by everything that reads models.
final class DamagedModelTests: CommandTestCase {
    private var weights: URL { encoder.appendingPathComponent("model.safetensors") }
    private var bin: URL { encoder.appendingPathComponent("pytorch_model.bin") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        var model = TinyEncoder(layerCount: 1)
        model.addDecoders([("rte", TinyGLUE.task("rte").labels)])
        try model.write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
    }

    /// Cuts a file at every page. All that reads models opens files alike: the program is shown some of the ends.
    private func assertRefusesWhereverItEnds(_ file: URL, line: UInt = #line) throws {
        let whole = try Data(contentsOf: file)
        let ends = Array(stride(from: 0, to: whole.count, by: 4096))
        XCTAssertGreaterThan(ends.count, 20, line: line)
        let shown = Set([0, 1, ends.count / 4, ends.count / 2, ends.count - 2, ends.count - 1])
        for (number, end) in ends.enumerated() {
            try whole.prefix(end).write(to: file)
            XCTAssertThrowsError(try CheckpointFile.open(file), "cut to \(end) bytes", line: line) { error in
                XCTAssert(error is CheckpointError && "\(error)".contains(file.path), "\(error)", line: line)
            }
            if shown.contains(number) { try assertRefuses(arguments("--do_eval"), file.path, line: line) }
        }
        try whole.write(to: file)
        try camtl(arguments("--do_eval"), line: line)
    }

    func testSafetensorsFileCutAtEveryPageIsRefused() throws {
        try assertRefusesWhereverItEnds(weights)
    }

    func testPyTorchFileCutAtEveryPageIsRefused() throws {
        let source = folder.appendingPathComponent("whole.safetensors")
        try FileManager.default.moveItem(at: weights, to: source)
        for format in ["zip", "legacy"] {
            try PeerPython.run(file: "save_checkpoints.py", [source.path, bin.path, format])
            try assertRefusesWhereverItEnds(bin)
        }
    }

    func testPyTorchFileThatRunsCodeInPythonIsRefusedAndNotRun() throws {
        try FileManager.default.removeItem(at: weights)
        let rows = folder.appendingPathComponent("rows.jsonl")
        try TinyGLUE.write("{\"task\": \"rte\", \"sentence1\": \"ba\"}\n", to: rows)
        let mark = folder.appendingPathComponent("it ran").path
        for format in ["zip", "legacy", "pickle"] {
            try PeerPython.run(file: "save_payload.py", ["save", bin.path, mark, format])
            let commands = [
                arguments("--do_eval"), arguments("--do_train"),
                ["predict", "--model_name_or_path", encoder.path, "--input", rows.path, "--output", rows.path + ".out"],
                ["convert", "--model_name_or_path", encoder.path, "--output_dir", output.path],
            ]
            for command in commands {
                // A bare pickle is no checkpoint of PyTorch's.
                let parts = format == "pickle"
                    ? ["neither a safetensors file nor a PyTorch checkpoint", "it begins with"]
                    : ["its pickle asks for the Python object \"posix.system\"", "Nothing in the file was run"]
                try assertRefuses(command, bin.path, parts[0], parts[1])
            }
            XCTAssertFalse(FileManager.default.fileExists(atPath: mark), "\(format): the file's code was run")
            // Python does run it.
            try PeerPython.run(file: "save_payload.py", ["check", bin.path, mark, format])
            XCTAssert(FileManager.default.fileExists(atPath: mark), "\(format): there is no code to run")
            try FileManager.default.removeItem(atPath: mark)
        }
    }
}
