import Foundation
import Tasks
import XCTest

/// What a task file says that can't be is said by file and line.
final class TaskConflictTests: XCTestCase {
    private var directory = URL(fileURLWithPath: "/")
    private var file: URL { directory.appendingPathComponent("tasks.yaml") }

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("task file \(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try write("text,label\nba,x\nbe,y\nbi,z\n", to: "three.csv")
        try write("text,label\nba,x\nbe,y\n", to: "two.csv")
    }

    override func tearDownWithError() throws { try FileManager.default.removeItem(at: directory) }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: directory.appendingPathComponent(name))
    }

    /// The tasks of lines such as `name: a, metrics: [acc]`, of which those that are given are added to.
    @discardableResult
    private func read(_ tasks: String...) throws -> TaskCatalogue {
        let lines = tasks.map { fields in
            let others = [("type", "classification"), ("train", "two.csv"), ("text", "text"), ("label", "label")]
                .filter { !fields.contains("\($0.0): ") }
            return "  - {\(([fields] + others.map { "\($0.0): \($0.1)" }).joined(separator: ", "))}"
        }
        try write((["tasks:"] + lines).joined(separator: "\n"), to: "tasks.yaml")
        return try TaskCatalogue.reading([file.path] + ["mrpc"]).catalogue
    }

    /// Asserts that there is one problem, in a line of the file, with this text.
    private func assertRefuses(
        line: Int, _ text: String, in place: StaticString = #filePath, at sourceLine: UInt = #line,
        _ body: () throws -> Void
    ) {
        XCTAssertThrowsError(try body(), file: place, line: sourceLine) { error in
            XCTAssertEqual("\(error)", "\(file.path):\(line): \(text)", file: place, line: sourceLine)
        }
    }

    func testTasksWhoseFiguresHaveOneNameAreRefused() throws {
        let pairs = [
            ("name: a, metrics: [macro_f1]", "name: a_macro, metrics: [f1]", "a_macro_f1"),
            ("name: a_macro, metrics: [f1]", "name: a, metrics: [macro_f1]", "a_macro_f1"),
            ("name: a, metrics: [acc, log_loss]", "name: a_log", "a_log_loss"),
        ]
        for (first, second, figure) in pairs {
            let names = [first, second].map { $0.dropFirst(6).prefix { $0 != "," } }
            assertRefuses(
                line: 3, "tasks \"\(names[0])\" and \"\(names[1])\" both have a figure \(figure); rename one"
            ) { try read(first, second) }
        }
        assertRefuses(
            line: 2, "tasks \"mrpc\" and \"mrpc_acc_and\" both have a figure mrpc_acc_and_f1; rename one"
        ) { try read("name: mrpc_acc_and, metrics: [f1]") }
        XCTAssertNoThrow(try read("name: a, metrics: [macro_f1]", "name: a_macro", "name: a_b, metrics: [f1]"))
    }

    func testNameThatEndsAsAFileOfProbabilitiesIsRefused() {
        for name in ["a.probabilities", "A.Probabilities"] {
            assertRefuses(line: 2, "\"\(name)\" ends as the files of probabilities do; give the task another name") {
                try read("name: \(name)")
            }
        }
    }

    func testF1IsRefusedOfOtherThanTwoLabels() throws {
        assertRefuses(
            line: 2,
            "\"f1\" is that of one of two labels, and a has 3; name one with \"positive\", or \"metrics\" may have "
                + "macro_f1, micro_f1 or weighted_f1"
        ) { _ = try read("name: a, train: three.csv, metrics: [f1]").task(named: "a") }
        let two = try read("name: a, metrics: [f1]").task(named: "a")
        XCTAssertEqual(two.measured, [.f1])
        let three = try read("name: a, train: three.csv, metrics: [macro_f1, mcc]").task(named: "a")
        XCTAssertEqual(three.measured, [.macroF1, .matthews])
    }

    func testLabelThatIsATextIsRefused() {
        assertRefuses(line: 2, "the column \"label\" is a text and the label, too") {
            try read("name: a, text: label")
        }
        assertRefuses(line: 2, "the column \"1\" is a text and the label, too") {
            try read("name: a, text: [0, 1], label: 1")
        }
    }

    func testLabelsOfACompressedFileAreFoundWithoutWritingBesideIt() throws {
        let plain = directory.appendingPathComponent("two.csv")
        let gzip = Process()
        gzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        gzip.arguments = ["gzip", "-k", plain.path]
        try gzip.run()
        gzip.waitUntilExit()
        try XCTSkipIf(gzip.terminationStatus != 0, "needs gzip")
        let catalogue = try read("name: a, train: two.csv.gz")
        // A file that is made in a folder, and taken away again, leaves the folder's date behind.
        let past = Date(timeIntervalSince1970: 1_000_000_000)
        try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: directory.path)
        XCTAssertEqual(try catalogue.task(named: "a").kind.labels, ["x", "y"])
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path)
        XCTAssertEqual(attributes[.modificationDate] as? Date, past)
    }

    func testFieldThatIsThereTwiceIsNamed() {
        assertRefuses(line: 2, "\"train\" stands here twice") {
            try read("name: a, train: two.csv, train: three.csv")
        }
    }
}
