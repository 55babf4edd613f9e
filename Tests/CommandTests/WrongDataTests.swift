import Foundation
import XCTest

/// What is wrong with the data is said by file and line, and leaves nothing behind.
final class WrongDataTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b", "cola"], to: data)
    }

    private func path(_ name: String) -> URL { data.appendingPathComponent(name) }

    /// Replaces a line of a file, counted from 1.
    private func replace(line: Int, of name: String, with text: String) throws {
        var lines = try String(contentsOf: path(name), encoding: .utf8).components(separatedBy: "\n")
        lines[line - 1] = text
        try TinyGLUE.write(lines.joined(separator: "\n"), to: path(name))
    }

    private func training(_ tasks: [String] = ["rte"]) -> [String] {
        arguments(tasks: tasks, "--do_train", "--do_eval")
    }

    func testMissingTaskFileIsNamed() throws {
        try FileManager.default.removeItem(at: path("RTE/dev.tsv"))
        try assertRefuses(
            training(), "\(path("RTE/dev.tsv").path): there is no such file", "rte is read from this file")
    }

    func testMissingTaskFolderIsNamed() throws {
        try assertRefuses(
            training(["rte", "mrpc"]), "\(path("MRPC/train.tsv").path): there is no directory \(path("MRPC").path);")
    }

    func testMissingDataFolderIsNamed() throws {
        try FileManager.default.removeItem(at: data)
        try assertRefuses(training(), "there is no directory \(data.path);")
    }

    /// A large model takes a while to load.
    func testMissingFilesAreNamedBeforeTheModelIsLoaded() throws {
        try Data("no weights".utf8).write(to: encoder.appendingPathComponent("model.safetensors"))
        let bench = ["bench", "--model_name_or_path", encoder.path, "--data_dir", data.path, "--tasks", "rte"]
        try assertRefuses(training(), "model.safetensors: ")
        for name in ["RTE/dev.tsv", "RTE/train.tsv", "RTE/test.tsv"] {
            try FileManager.default.removeItem(at: path(name))
            try assertRefuses(training(), path("RTE/").path, ".tsv: there is no such file")
        }
        try assertRefuses(arguments("--do_predict"), "there is nothing to predict: ", path("RTE/test.tsv").path)
        try FileManager.default.removeItem(at: data)
        for command in [training(), bench] { try assertRefuses(command, "there is no directory \(data.path);") }
    }

    func testRowWithTooFewColumnsIsNamedWithWhatWasFound() throws {
        try replace(line: 5, of: "RTE/train.tsv", with: "3\tba be.\tbi bo.")
        try assertRefuses(
            training(), "\(path("RTE/train.tsv").path):5: found 3 tab-separated columns, but \"label\" is column 4")
    }

    func testUnknownLabelIsNamedWithTheAllowedOnes() throws {
        try replace(line: 7, of: "RTE/dev.tsv", with: "5\tba be.\tbi bo.\tmaybe")
        try assertRefuses(
            training(), "\(path("RTE/dev.tsv").path):7: unknown label \"maybe\"",
            "the labels are entailment, not_entailment")
    }

    func testUnknownLabelInFileWithoutHeaderIsNamedByItsLine() throws {
        try replace(line: 1, of: "CoLA/train.tsv", with: "a\t2\t\tba be.")
        try assertRefuses(
            training(["cola"]), "\(path("CoLA/train.tsv").path):1: unknown label \"2\"; the labels are 0, 1")
    }

    func testScoreThatIsNoNumberIsNamed() throws {
        try replace(line: 3, of: "STS-B/train.tsv", with: "1\tg\tf\ty\to\ts\ts\tba be.\tbi bo.\thigh")
        try assertRefuses(
            training(["sts-b"]), "\(path("STS-B/train.tsv").path):3: the score \"high\" is not a number")
    }

    func testScoreOutsideOfItsRangeIsNamed() throws {
        try replace(line: 2, of: "STS-B/dev.tsv", with: "0\tg\tf\ty\to\ts\ts\tba be.\tbi bo.\t5.5")
        try assertRefuses(
            training(["sts-b"]), "\(path("STS-B/dev.tsv").path):2: the score 5.5 lies outside 0.0...5.0")
    }

    func testEmptyFileIsNamed() throws {
        try TinyGLUE.write("", to: path("CoLA/train.tsv"))
        try assertRefuses(
            training(["cola"]), "\(path("CoLA/train.tsv").path): the file holds no examples")
    }

    func testFileWithNothingButItsHeaderIsNamed() throws {
        try TinyGLUE.write("index\tsentence1\tsentence2\tlabel\n", to: path("RTE/train.tsv"))
        try assertRefuses(
            training(), "\(path("RTE/train.tsv").path): the file holds no examples")
    }

    func testMissingColumnIsNamedWithThoseThatAreThere() throws {
        try replace(line: 1, of: "RTE/train.tsv", with: "index\tpremise\tsentence2\tlabel")
        try assertRefuses(
            training(), "\(path("RTE/train.tsv").path):1: the header has no column \"sentence1\"",
            "\"index\", \"premise\", \"sentence2\", \"label\"")
    }

    func testInvalidUTF8IsNamedByItsLine() throws {
        var bytes = try Data(contentsOf: path("RTE/train.tsv"))
        let lineBreaks = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
        bytes.insert(0xFF, at: lineBreaks[2] + 3)
        try bytes.write(to: path("RTE/train.tsv"))
        try assertRefuses(
            training(), "\(path("RTE/train.tsv").path):4: the line is not valid UTF-8")
    }

    func testFileThatIsNoTableIsNamedWithWhatToDo() throws {
        let file = path("RTE/train.tsv")
        let text = try String(contentsOf: file, encoding: .utf8)
        try TinyGLUE.write("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", to: file)
        try assertRefuses(training(), "\(file.path): this is a Git LFS pointer", "`git lfs pull`")
        try XCTUnwrap(text.data(using: .utf16LittleEndian)).write(to: file)
        try assertRefuses(training(), "\(file.path): this is UTF-16 text: convert the file to UTF-8")
    }

    func testBlankLinesAtTheEndsOfFilesChangeNothing() throws {
        let whole = output.appendingPathExtension("whole")
        func run(_ output: URL) throws -> [String: Data] {
            try camtl(
                arguments(
                    tasks: ["rte"], output: output, "--do_train", "--do_eval", "--do_predict", "--max_steps", "2",
                    "--save_steps", "0", "--logging_steps", "0"))
            return try contents(of: output).filter { name, _ in
                ["model.safetensors", "eval_results.json", "predictions/RTE.tsv", "submission.zip"].contains(name)
            }
        }
        let expected = try run(whole)
        for name in ["train", "dev", "test"] {
            let file = path("RTE/\(name).tsv")
            try (Data(contentsOf: file) + Data("\r\n\n".utf8)).write(to: file)
        }
        XCTAssertEqual(try run(output), expected)
        XCTAssertGreaterThanOrEqual(expected.count, 3)
    }

    func testFolderInPlaceOfFileIsNamed() throws {
        try FileManager.default.removeItem(at: path("RTE/train.tsv"))
        try FileManager.default.createDirectory(at: path("RTE/train.tsv"), withIntermediateDirectories: false)
        try assertRefuses(
            training(), "\(path("RTE/train.tsv").path): cannot be read")
    }
}
