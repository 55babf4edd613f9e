import Foundation
import TestSupport
import XCTest

@testable import Files
@testable import Tasks

/// Questions in the layouts of SQuAD and of MRQA.
final class QuestionRowsTests: DirectoryTestCase {
    private struct Row: Equatable {
        var line: Int
        var path: String?
        var values: [[String]?]
    }

    private func rows(_ text: String, _ format: FileFormat.Name, _ columns: [String]) throws -> [Row] {
        try Array(text.utf8).withUnsafeBytes { try rows($0, format, columns) }
    }

    private func rows(_ bytes: UnsafeRawBufferPointer, _ format: FileFormat.Name, _ columns: [String]) throws -> [Row] {
        let paths = columns.map { $0.split(separator: ".").map(String.init) }
        let reader: any RowReader = format == .squad ? SQuADRows(paths: paths) : MRQARows(paths: paths)
        var scanner = reader.rows(of: bytes, from: 0, line: 1)
        var (rows, found) = ([Row](), 0)
        while let row = try scanner.next() {
            let values = try reader.values(in: row, of: bytes, found: &found).map { value in
                value?.withBytes(of: bytes) { $0.map { String(decoding: $0, as: UTF8.self) } }
            }
            rows.append(Row(line: row.line, path: row.path, values: values))
        }
        return rows
    }

    private let all = ["question", "context", "id", "title", "answers.text", "answers.answer_start", "is_impossible"]

    // MARK: SQuAD

    private let squad = #"""
        {"version": "v2.0", "data": [
          {"paragraphs": [
            {"qas": [
              {"question": "Who \"sleeps\"?", "id": "q1", "answers": [{"text": "the cat", "answer_start": 0},
                                                              {"text": "cat", "answer_start": 4}], "is_impossible": false},
              {"question": "Who {[runs\\?", "id": 2, "is_impossible": true, "answers": [],
               "plausible_answers": [{"text": "cat", "answer_start": 4}]}
             ], "context": "The cat sleeps. \u00e9\ud83d\ude00 }]"},
            {"context": "Nobody.", "qas": []}
          ], "title": "Cats"},
          {"title": "Dogs", "paragraphs": []},
          {"title": "Birds", "paragraphs": [{"context": "A bird.", "title": "Own",
            "qas": [{"id": "q3", "question": "What?", "answers": [{"answer_start": 2, "text": "bird"}]}]}]}
        ]}
        """#

    func testARowOfSQuADIsAQuestion() throws {
        let context = "The cat sleeps. é😀 }]"
        XCTAssertEqual(
            try rows(squad, .squad, all),
            [
                Row(line: 4, path: "data[0].paragraphs[0].qas[0]", values: [
                    ["Who \"sleeps\"?"], [context], ["q1"], ["Cats"], ["the cat", "cat"], ["0", "4"], ["false"],
                ]),
                Row(line: 6, path: "data[0].paragraphs[0].qas[1]", values: [
                    ["Who {[runs\\?"], [context], ["2"], ["Cats"], [], [], ["true"],
                ]),
                Row(line: 13, path: "data[2].paragraphs[0].qas[0]", values: [
                    ["What?"], ["A bird."], ["q3"], ["Own"], ["bird"], ["2"], nil,
                ]),
            ])
    }

    func testAFileInOneLineHasTheSameRows() throws {
        let object = try JSONSerialization.jsonObject(with: Data(squad.utf8))
        let line = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
        let found = try rows(line, .squad, all)
        XCTAssertEqual(found.map(\.values), try rows(squad, .squad, all).map(\.values))
        XCTAssertEqual(found.map(\.line), [1, 1, 1])
        XCTAssertEqual(try rows("\n{\"data\": []}\n", .squad, all), [])
    }

    func testAnswersMayBeAsHuggingFaceHasThem() throws {
        let answers = #""answers": {"text": ["a"], "answer_start": [3]}"#
        let text = one(", \"question\": \"q\", " + answers)
        XCTAssertEqual(try rows(text, .squad, ["answers.text", "answers.answer_start"]).map(\.values), [[["a"], ["3"]]])
    }

    private func tasks(_ type: String, _ file: String, _ more: String = "") throws -> TaskDefinition {
        try write(
            "tasks:\n  - name: own\n    type: \(type)\n    train: \(file)\n    text: [question, context]\n    \(more)\n",
            to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path])
        return try catalogue.task(named: "own")
    }

    private let label = "label: is_impossible\n    labels: [\"false\", \"true\"]"

    private func examples(_ text: String) throws -> [Example] {
        try write(text, to: "a.json")
        let task = try tasks("classification", "a.json", label)
        return try task.examples(in: task.train, dataDirectory: nil).examples
    }

    func testWhetherAQuestionHasAnAnswerIsAClassification() throws {
        let text = squad.replacingOccurrences(of: "\"What?\"", with: "\"What?\", \"is_impossible\": false")
        let found = try examples(text)
        XCTAssertEqual(found.map(\.first), ["Who \"sleeps\"?", "Who {[runs\\?", "What?"])
        XCTAssertEqual(found.map(\.second), ["The cat sleeps. é😀 }]", "The cat sleeps. é😀 }]", "A bird."])
        XCTAssertEqual(found.map(\.target), [[0], [1], [0]])
        XCTAssertEqual(
            message { try examples(squad) },
            "<data>/a.json:13: data[2].paragraphs[0].qas[0]: the row has no \"is_impossible\".")
    }

    /// Two lines, with one question.
    private func one(
        _ question: String, paragraph: String = "\"context\": \"c\"", document: String = "\"title\": \"t\""
    ) -> String {
        "{\"data\": [{\(document), \"paragraphs\": [\n{\(paragraph), \"qas\": [{\"id\": \"a\"\(question)}]}]}]}"
    }

    func testWhatIsWrongIsNamedWithItsPath() throws {
        let good = ", \"question\": \"q\", \"is_impossible\": true"
        XCTAssertEqual(try examples(one(good)).count, 1)
        let paragraph = "<data>/a.json:2: data[0].paragraphs[0]"
        let cases: [(String, String)] = [
            (one(""), "\(paragraph).qas[0]: there is no \"question\"."),
            (one(", \"question\": null"), "\(paragraph).qas[0]: there is no \"question\"."),
            (one(", \"question\": 5"), "\(paragraph).qas[0]: \"question\" is 5, and a text is wanted."),
            (one(good, paragraph: "\"text\": \"c\""), "\(paragraph).qas[0]: there is no \"context\"."),
            (one(good, paragraph: "\"context\": [\"c\"]"), "\(paragraph).qas[0]: \"context\" is [\"c\"], and a text is wanted."),
            (one(", \"question\": \"q\", \"is_impossible\": \"no\""),
                "\(paragraph).qas[0]: \"is_impossible\" is \"no\", and true or false is wanted."),
            (one(", \"question\" \"q\""),
                "\(paragraph).qas[0]: this is not JSON: \"\\\"q\\\"}\" stands where a colon should be."),
            (one(good, paragraph: "\"context\": \"\\x\""),
                "\(paragraph): this is not JSON: \"x\\\"\" stands where an escape should be."),
            (one(good, paragraph: "\"other\": nul, \"context\": \"c\""),
                "\(paragraph): this is not JSON: \"nul\" stands where a value should be."),
            (one(good, document: "\"title\": nul"),
                "<data>/a.json:1: data[0]: this is not JSON: \"nul\" stands where a value should be."),
            (one(good, paragraph: "\"qas\": []"), "\(paragraph): it has \"qas\" twice."),
            (one(good, document: "\"paragraphs\": []"), "<data>/a.json:1: data[0]: it has \"paragraphs\" twice."),
            (one(good).replacingOccurrences(of: "\"qas\"", with: "\"questions\""),
                "\(paragraph): it has no list \"qas\" of questions."),
            (one(good).replacingOccurrences(of: "paragraphs", with: "texts"),
                "<data>/a.json:1: data[0]: it has no list \"paragraphs\", as SQuAD's layout has."),
            (one(good).replacingOccurrences(of: "\"data\"", with: "\"rows\""),
                "<data>/a.json:1: the object has no list \"data\", as SQuAD's layout has: if the file has an object a line, "
                    + "give \"format\": jsonl."),
            ("[{\"question\": \"q\"}]",
                "<data>/a.json:1: this is a list, and SQuAD's layout is an object with the list \"data\": of a list of "
                    + "objects, write one a line and give \"format\": jsonl."),
            (one(good).replacingOccurrences(of: "[{\"id\"", with: "[3, {\"id\""),
                "\(paragraph).qas[0]: the question is 3, and an object is wanted."),
            (one(good).replacingOccurrences(of: "[{\"id\"", with: "{\"x\": {\"id\""),
                "\(paragraph): this is not JSON in SQuAD's layout: \"{\\\"x\\\":\" stands where a list should be."),
            (one(good) + " x", "<data>/a.json:2: this is not JSON in SQuAD's layout: something follows after the end."),
            ("", "<data>/a.json: the file holds no examples."),
            ("{\"data\": []}", "<data>/a.json: the file holds no examples."),
        ]
        for (text, expected) in cases {
            let found = message { try examples(text) }
            XCTAssertEqual(found, expected, text)
        }
    }

    func testAFileThatIsCutOffIsRefusedWhereverItEnds() throws {
        let bytes = Array(squad.utf8)
        for count in 1..<bytes.count {
            let found = message {
                try bytes.prefix(count).withUnsafeBytes { try rows($0, .squad, all) }
            }
            XCTAssertFalse(found.isEmpty, "\(count)")
        }
        try write(bytes.prefix(300), to: "a.json")
        let task = try tasks("classification", "a.json", label)
        XCTAssertEqual(
            message { try task.examples(in: task.train, dataDirectory: nil) },
            "<data>/a.json:6: data[0].paragraphs[0]: this is not JSON in SQuAD's layout: it ends where a closing bracket "
                + "should be.")
    }

    func testAnswersThatContradictThemselvesAreRefused() throws {
        func found(_ answers: String) -> String {
            let text = one(", \"question\": \"q\", " + answers)
            return message { try rows(text, .squad, ["answers.text", "answers.answer_start"]) }
        }
        let answer = "\"answers\": [{\"text\": \"c\", \"answer_start\": 0}]"
        XCTAssertEqual(found("\"is_impossible\": true, \(answer)"), "\"is_impossible\" is true, and there are \"answers\".")
        XCTAssertEqual(found("\"is_impossible\": false, \"answers\": []"), "\"is_impossible\" is false, and \"answers\" has none.")
        XCTAssertEqual(
            found("\"answers\": [{\"text\": 1, \"answer_start\": 0}]"), "\"answers.text\" is [1], and a list of texts is wanted.")
        XCTAssertEqual(
            found("\"answers\": [{\"text\": \"c\", \"answer_start\": \"0\"}]"),
            "\"answers.answer_start\" is [\"0\"], and a list of whole numbers is wanted.")
        XCTAssertEqual(
            found("\"answers\": {\"text\": \"c\", \"answer_start\": 0}"), "\"answers.text\" is \"c\", and a list of texts is wanted.")
        XCTAssertEqual(
            found("\"answers\": [{\"text\": \"c\", \"answer_start\": 0}, {\"text\": \"c\"}]"),
            "the row has no \"answers[1].answer_start\".")
        let without = try rows(one(", \"question\": \"q\", \"is_impossible\": true"), .squad, ["answers.text"])
        XCTAssertEqual(without.map(\.values), [[[]]])
    }

    /// A paragraph is walked through once, however many questions it has.
    func testAParagraphOfManyQuestionsTakesNoLongerForEach() throws {
        let questions = (0..<5_000).map { "{\"question\": \"q\($0)\", \"id\": \"\($0)\"}" }.joined(separator: ",")
        let text = "{\"data\": [{\"paragraphs\": [{\"qas\": [\(questions)], \"context\": \"c\"}]}]}"
        let start = ContinuousClock.now
        XCTAssertEqual(try rows(text, .squad, ["id"]).count, 5_000)
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(10))
    }

    // MARK: MRQA

    private let mrqa = #"""
        {"header": {"dataset": "Made up", "split": "train"}}
        {"id": "", "context": "The cat sleeps. The cat.", "context_tokens": [["The", 0]], "qas": [{"qid": "q1", "question": "Who?", "answers": ["The cat", "cats"], "detected_answers": [{"text": "The cat", "char_spans": [[0, 6], [16, 22]], "token_spans": [[0, 1]]}, {"text": "cat", "char_spans": [[4, 6]]}]}, {"id": "q2", "question": "Where?", "answers": ["home"]}]}

        {"context": "A bird.", "qas": []}
        {"id": "p", "context": "A dog.", "qas": [{"question": "What?"}]}
        """#

    func testARowOfMRQAIsAQuestionWithItsSpansBeforeItsOtherAnswers() throws {
        XCTAssertEqual(
            try rows(mrqa, .mrqa, all),
            [
                Row(line: 2, path: "qas[0]", values: [
                    ["Who?"], ["The cat sleeps. The cat."], ["q1"], nil, ["The cat", "The cat", "cat", "The cat", "cats"],
                    ["0", "16", "4", "-1", "-1"], nil,
                ]),
                Row(line: 2, path: "qas[1]", values: [
                    ["Where?"], ["The cat sleeps. The cat."], ["q2"], nil, ["home"], ["-1"], nil,
                ]),
                Row(line: 5, path: "qas[0]", values: [["What?"], ["A dog."], nil, nil, nil, nil, nil]),
            ])
    }

    func testACompressedFileIsReadWhereItsFormatIsGiven() throws {
        let script = "import gzip,sys;open(sys.argv[1],'wb').write(gzip.compress(sys.argv[2].encode()))"
        let url = directory.appendingPathComponent("a.jsonl.gz")
        XCTAssertEqual(try SystemPython.run(["-c", script, url.path, mrqa]).status, 0)
        let task = try tasks(
            "multilabel", "a.jsonl.gz", "format: mrqa\n    label: answers.text\n    missing: skip")
        XCTAssertEqual(task.kind.labels, ["The cat", "cat", "cats", "home"])
        let found = try task.examples(in: task.train, dataDirectory: nil)
        XCTAssertEqual(found.examples.map(\.line), [2, 2])
        XCTAssertEqual(found.examples.map(\.second), ["The cat sleeps. The cat.", "The cat sleeps. The cat."])
        XCTAssertEqual(found.examples.map(\.target), [[1, 1, 1, 0], [0, 0, 0, 1]])
        XCTAssertEqual(found.skippedRows, 1)
    }

    func testWhatIsWrongWithMRQAIsNamedWithItsLine() throws {
        let header = "{\"header\": {}}\n"
        func found(_ text: String) throws -> String {
            try write(text, to: "a.jsonl")
            let file = DataFile(
                name: "own", files: [directory.appendingPathComponent("a.jsonl").path], format: FileFormat(.mrqa),
                columns: .named(first: "question", second: "context", label: "answers.text"))
            return message {
                let source = try XCTUnwrap(file.sources(of: Regression(), in: nil).first)
                try source.mapped.withBytes { bytes in
                    var rows = source.rows(of: bytes)
                    while let row = try source.next(&rows) { _ = try source.parser.labelValues(of: row, in: bytes) }
                }
            }
        }
        let cases: [(String, String)] = [
            ("{\"context\": \"c\", \"qas\": []}\n", "1: the first line is no {\"header\": …}, with which MRQA's files begin."),
            ("{\"header\"\n", "1: this is not JSON in MRQA's layout: it ends where a colon should be."),
            (header + "{\"qas\": [{}]}", "2: qas[0]: there is no \"question\"."),
            (header + "{\"qas\": [{\"question\": \"q\"}]}", "2: qas[0]: there is no \"context\"."),
            (header + header, "2: it has no list \"qas\" of questions."),
            (header + "\n[1]", "3: this is not JSON in MRQA's layout: \"[1]\" stands where an object should be."),
            (header + "{\"qas\": []} x", "2: this is not JSON in MRQA's layout: something follows after the end."),
            (header + "{\"context\": \"c\", \"qas\": [{\"question\": \"q\", \"answers\": \"a\"}]}",
                "2: qas[0]: \"answers\" is \"a\", and a list is wanted."),
            (header + "{\"context\": \"c\", \"qas\": [{\"question\": \"q\", \"answers\": [1]}]}",
                "2: qas[0]: \"answers[0]\" is 1, and a text is wanted."),
            (header + "{\"context\": \"c\", \"qas\": [{\"question\": \"q\", \"detected_answers\": [{}]}]}",
                "2: qas[0]: \"detected_answers[0]\" has no text \"text\"."),
            (header + "{\"context\": \"c\", \"qas\": [{\"question\": \"q\", \"detected_answers\": [{\"text\": \"c\", \"char_spans\": [[0]]}]}]}",
                "2: qas[0]: \"detected_answers[0]\" has no list \"char_spans\" of [start, end]."),
        ]
        for (text, expected) in cases { XCTAssertEqual(try found(text), "<data>/a.jsonl:" + expected, text) }
    }

    // MARK: Real data

    func testRealQuestionsAreThoseThatPythonFinds() throws {
        let script = """
            import json, sys
            for document in json.load(open(sys.argv[1], encoding='utf-8'))['data']:
                for paragraph in document['paragraphs']:
                    for qa in paragraph['qas']:
                        values = {
                            'question': [qa['question']], 'context': [paragraph['context']], 'id': [str(qa['id'])],
                            'title': [document['title']] if 'title' in document else None,
                            'answers.text': [a['text'] for a in qa['answers']],
                            'answers.answer_start': [str(a['answer_start']) for a in qa['answers']],
                            'is_impossible': [json.dumps(qa['is_impossible'])] if 'is_impossible' in qa else None}
                        print(json.dumps([values[name] for name in sys.argv[2:]]))
            """
        let files: [(name: String, columns: [String], questions: Int, paragraphs: Int)] = [
            ("squad1_dev_sample", all, 1_190, 240), ("squad2_train_part", all.filter { $0 != "context" }, 5_349, 568),
        ]
        for (name, columns, questions, paragraphs) in files {
            let url = try TestData.sharedFile("data/extra/QA/\(name).json")
            let (status, text) = try SystemPython.run(["-c", script, url.path] + columns)
            XCTAssertEqual(status, 0, text)
            let expected = try text.split(separator: "\n").map {
                try JSONDecoder().decode([[String]?].self, from: Data($0.utf8))
            }
            let found = try MappedFile(path: url.path).withBytes { try rows($0, .squad, columns) }
            XCTAssertEqual(found.count, expected.count, name)
            for (row, values) in zip(found, expected) where row.values != values {
                return XCTFail("\(name): \(row.path ?? "") is \(row.values), and Python finds \(values)")
            }
            XCTAssertEqual(found.count, questions, name)
            XCTAssertEqual(
                Set(found.compactMap { $0.path?.split(separator: ".").dropLast().joined() }).count, paragraphs, name)
        }
    }
}
