import Foundation
import Tasks
import XCTest

/// Names of tasks become names of files.
final class TaskNameTests: XCTestCase {
    private let wrong = [
        "", ".", "..", ".hidden", "../victim", "/etc", "a/b", "a\\b", "a b", "a\tb", "a\nb", "a\0b", "ä", "а",
        "a\u{0338}", "/\u{0338}", "a:b", "~", "a*", String(repeating: "a", count: 101),
    ]
    private let right = ["rte", "mnli-mm", "My_Task.2", "-", "_", "0", "a..", String(repeating: "a", count: 100)]

    func testANameIsOneComponentOfAPath() {
        for name in right { XCTAssertNil(TaskName.problem(with: name), name) }
        for name in wrong {
            let problem = TaskName.problem(with: name)
            XCTAssertNotNil(problem, name.debugDescription)
            XCTAssertEqual(problem?.contains { $0.isNewline || $0 == "\0" }, false, "it is one clean line")
        }
        XCTAssertLessThan(TaskName.problem(with: String(repeating: "a", count: 1 << 20))?.utf8.count ?? .max, 400)
    }

    func testNamesAreCheckedWhereAModelsTasksAreRead() throws {
        func head(_ name: String) throws -> TaskHead {
            let json = try JSONEncoder().encode(["name": name, "type": "regression"])
            return try JSONDecoder().decode(TaskHead.self, from: json)
        }
        for name in right { XCTAssertEqual(try head(name).name, name) }
        for name in wrong {
            XCTAssertThrowsError(try head(name), name) {
                XCTAssertEqual($0 as? TaskError, TaskName.problem(with: name).map(TaskError.badName))
            }
        }
    }

    func testEveryTaskOfGLUEHasANameThatIsRight() {
        let sets = GLUE.tasks.flatMap { $0.dev + $0.test }.map(\.name)
        for name in GLUE.tasks.map(\.name) + sets { XCTAssertNil(TaskName.problem(with: name), name) }
    }

    func testNamesThatDifferOnlyInCaseAreOne() {
        XCTAssertNil(TaskName.repetition(in: ["a", "b"]))
        XCTAssertEqual(TaskName.repetition(in: ["a", "b", "a"]), "tasks named more than once: a")
        XCTAssertEqual(
            TaskName.repetition(in: ["rte", "b", "RTE"]),
            "tasks named more than once: RTE and rte (names that differ only in case are one)")
    }
}
