import Foundation
import XCTest

/// `camtl convert` writes into the folder that is named, and replaces nothing there but what it has written before.
final class ConvertOutputTests: CommandTestCase {
    private var exported: URL { folder.appendingPathComponent("out/exported") }

    private func writeModel(tasks: [(name: String, labels: [String])]) throws {
        var model = TinyEncoder(layerCount: 1)
        model.addDecoders(tasks)
        try model.write(to: encoder)
    }

    private func convert(_ more: String...) -> [String] {
        ["convert", "--model_name_or_path", encoder.path, "--output_dir", exported.path] + more
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: exported.appendingPathComponent(path), encoding: .utf8)
    }

    func testTaskNamesThatLeaveTheOutputFolderAreRefused() throws {
        try TinyGLUE.write("mine", to: folder.appendingPathComponent("out/victim/notes"))
        for name in ["../victim", ".."] {
            try writeModel(tasks: [("rte", []), (name, [])])
            let parts = ("config.json: the entry \"camtl\": the task name", "\"\(name)\" can't be the name of a file")
            try assertRefuses(convert(), parts.0, parts.1)
            try assertRefuses(convert("--overwrite_output_dir"), parts.0, parts.1)
        }
        // Whatever else reads the model.
        try assertRefuses(arguments("--do_eval"), "\"..\" can't be the name of a file")
    }

    func testTasksOfOneNameAreRefusedWithTheFilesPath() throws {
        try writeModel(tasks: [("rte", []), ("RTE", [])])
        try assertRefuses(
            convert(), encoder.appendingPathComponent("config.json").path, "named more than once: RTE and rte")
    }

    func testAnEarlierExportIsReplacedAndNothingElse() throws {
        try writeModel(tasks: [("rte", ["a", "b"]), ("cola", [])])
        try camtl(convert())
        let first = try contents(of: exported)
        try writeModel(tasks: [("rte", ["c", "d"]), ("cola", [])])
        try assertRefuses(convert(), "is not empty")
        try camtl(convert("--overwrite_output_dir"))
        XCTAssertEqual(try contents(of: exported).keys.sorted(), first.keys.sorted())
        XCTAssert(try text("rte/config.json").contains("\"c\""))

        // Each in the place of the second task's folder, which nothing is lost of.
        let place = exported.appendingPathComponent("cola")
        func assertIsKept(line: UInt = #line) throws {
            try assertRefuses(
                convert("--overwrite_output_dir", "--tasks", "cola"), "\(place.path): not written",
                "not an earlier version of it", line: line)
        }
        try TinyGLUE.write("mine", to: place.appendingPathComponent("notes"))
        try assertIsKept()
        // Another model.
        try FileManager.default.removeItem(at: place)
        try TinyEncoder(layerCount: 1).write(to: place)
        try assertIsKept()
        // A link to an export elsewhere.
        try FileManager.default.removeItem(at: place)
        let moved = folder.appendingPathComponent("moved")
        try FileManager.default.copyItem(at: exported.appendingPathComponent("rte"), to: moved)
        try FileManager.default.createSymbolicLink(at: place, withDestinationURL: moved)
        try assertIsKept()
    }

    func testAModelIsNotConvertedOntoItself() throws {
        try writeModel(tasks: [("rte", [])])
        let link = folder.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: encoder)
        for output in [encoder, link] {
            try assertRefuses(
                ["convert", "--model_name_or_path", encoder.path, "--output_dir", output.path]
                    + ["--overwrite_output_dir"],
                "\(output.path): this is the folder of the model to convert")
        }
        // Its place is that of the export.
        try FileManager.default.removeItem(at: link)
        let models = folder.appendingPathComponent("models")
        try FileManager.default.createDirectory(at: models, withIntermediateDirectories: false)
        let own = models.appendingPathComponent("rte")
        try FileManager.default.moveItem(at: encoder, to: own)
        try assertRefuses(
            ["convert", "--model_name_or_path", own.path, "--output_dir", models.path, "--overwrite_output_dir"],
            "\(own.path): not written")
    }

    func testTheModelOfAnotherProgramInTheOutputFolderIsKept() throws {
        try writeModel(tasks: [("rte", TinyGLUE.task("rte").labels)])
        try camtl(convert())
        let classifier = exported.appendingPathComponent("rte")
        let other = folder.appendingPathComponent("other")
        try TinyEncoder(layerCount: 1).write(to: other)
        let back = ["convert", "--model_name_or_path", classifier.path, "--tasks", "rte", "--output_dir"]
        try assertRefuses(
            back + [other.path, "--overwrite_output_dir"], "\(other.path): this folder has config.json",
            "of a model that camtl did not write")
        let ours = folder.appendingPathComponent("ours")
        try camtl(back + [ours.path])
        try camtl(back + [ours.path, "--overwrite_output_dir"])
    }

    func testAnOutputFolderInUseIsRefused() throws {
        try writeModel(tasks: [("rte", [])])
        try FileManager.default.createDirectory(at: exported, withIntermediateDirectories: true)
        let descriptor = open(exported.path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        XCTAssertEqual(flock(descriptor, LOCK_EX), 0)
        try assertRefuses(convert(), "\(exported.path): the output folder is in use by another run")
    }
}
