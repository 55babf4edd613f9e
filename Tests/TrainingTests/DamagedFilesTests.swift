import CAMTL
import Files
import Foundation
import Tasks
import TestSupport
import Tokenization
import Torch
import XCTest

@testable import Training

/// Damaged models, data, task files, archives, caches and checkpoints: see ``DamagedFiles``.
final class DamagedFilesTests: ToyTestCase {
    private lazy var damaged = DamagedFiles(share: 0.5)

    private var rows: URL { directory.appendingPathComponent("rows") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try FileManager.default.createDirectory(at: rows, withIntermediateDirectories: true)
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: rows.appendingPathComponent(name))
    }

    // MARK: - Models

    func testModels() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "sts-b"])
        try damaged.damage("model.safetensors, config.json", modelFolder, ["model.safetensors", "config.json"], share: 0.15) {
            _ = try TrainedModel(folder: self.modelFolder)
            return []
        }
    }

    // MARK: - Rows to predict

    func testRowsToPredict() throws {
        let tagging = TaskHead(name: "tags", kind: try Tagging(labels: ["O", "B-x", "I-x"]))
        let span = TaskHead(name: "answers", kind: Span())
        let choice = TaskHead(name: "ends", kind: Choice(), textFields: ["start"], choiceFields: ["ends"])
        let heads = [try GLUE.task(named: "cola").head, tagging, span, choice]
        try writeModel(.bert, ToyModel.tinyBackbone, heads: heads)
        let cola = (0..<2).map { #"{"task": "cola", "sentence": "bak \#($0) \ud83d\ude00", "n": [1, {"a": null}]}"# }
        let ids = #"{"task": "cola", "input_ids": [2, 5, 6, 3], "token_type_ids": [0, 0, 0, 1]}"#
        let words = #"{"task": "tags", "words": ["bak", "\u00e9", "", "delm \u0301", "fis"]}"#
        let text = #"{"task": "tags", "words": "bak, \ud83d\ude00 delm-fis gono lutu bak bak bak bak bak bak bak"}"#
        let context = (0..<12).map { _ in #"\u00e9 bak \ud83d\ude00 {["# }.joined(separator: " ")
        let question = #"{"task": "answers", "question": "ba \"k\"", "context": "\#(context)"}"#
        let ends = #"{"task": "ends", "start": "bak", "ends": ["fis", "gono bak", "\u0000"]}"#
        let kinds = [("a sequence", cola + [ids]), ("tagging", [words, text]), ("span", [question]), ("choice", [ends])]
        let input = rows.appendingPathComponent("rows.jsonl")
        let predictor = Predictor(try loadModel())
        for (kind, lines) in kinds {
            try write(lines.map { $0 + "\n" }.joined(), to: "rows.jsonl")
            let output = directory.appendingPathComponent("predicted.jsonl")
            XCTAssertEqual(try predictor.predict(input, to: output), lines.count, kind)
            try damaged.damage("rows of \(kind) to predict", rows, ["rows.jsonl"], share: 0.05) {
                let count = try predictor.predict(input, to: output)
                let answers = try Data(contentsOf: output).split(separator: 0x0A)
                return answers.count == count ? [] : ["\(answers.count) answers to \(count) rows"]
            }
        }
    }

    // MARK: - Data and task files

    private static let taggedWords = #"{"words": ["ba", "k\u00e9", "fi"], "tags": ["O", "B-x", "I-x"], "n": [1, {"a": null}]}"#
    private static let squad = {
        let answer = #"{"text": "ba\u00e9", "answer_start": 4}"#
        let question = #"{"id": "a", "question": "ba \"k\"", "answers": [\#(answer)], "is_impossible": false}"#
        let other = #"{"id": "b", "question": "fi", "answers": [], "is_impossible": true}"#
        let qas = #"{"qas": [\#(question), \#(other)], "context": "bak ba\u00e9 \ud83d\ude00 {[", "n": [1, {"a": null}]}"#
        return #"{"version": 2, "data": [{"paragraphs": [\#(qas)], "title": "x"}, {"paragraphs": []}]}"#
    }()
    private static let mrqa = {
        let detected = #"{"text": "bak", "char_spans": [[0, 2], [4, 6]]}"#
        let detecting = #"{"qid": "a", "question": "ba", "answers": ["bak"], "detected_answers": [\#(detected)]}"#
        let undetected = #"{"id": "b", "question": "fi", "answers": ["bak"], "detected_answers": [{"text": "bak", "char_spans": [[0, 2]]}]}"#
        return "{\"header\": {}}\n{\"context\": \"bak bak\", \"qas\": [\(detecting), \(undetected)]}\n"
    }()

    /// Files of each format, with the fields of a task whose rows they have.
    private static let data: [(name: String, text: String, task: String)] = [
        ("labels.csv", "text,label\n\"ba \"\"k\"\"\nx\",a\nbak,b\nfi,a\n", "type: classification, text: text, label: label"),
        ("labels.tsv", "text\tlabel\nba\ta\nbak\tb\nfi\ta\n", "type: classification, text: text, label: label"),
        (
            "labels.jsonl", "{\"text\": \"ba\", \"label\": \"a\"}\n{\"text\": \"ba\", \"label\": \"b\"}\n",
            "type: classification, text: text, label: label, labels: [a, b]"
        ),
        ("words.conll", "-DOCSTART- O\n\nba O\nbak B-x\n\nfi I-x\n", "type: tagging, text: 0, label: -1, metrics: [entity_f1, accuracy]"),
        ("words.jsonl", taggedWords + "\n", "type: tagging, text: words, label: tags, labels: [O, B-x, I-x]"),
        ("questions.json", squad, "type: span, no_answer: true"),
        ("titles.json", squad, "type: classification, text: [question, title], label: is_impossible, labels: [\"false\", \"true\"]"),
        ("questions.jsonl", mrqa, "type: span, format: mrqa"),
        (
            "answers.csv", "question,context,text,start\nba,\"bak, fi\",fi,5\nde,bak,,\n",
            "type: span, label: [text, start], no_answer: true"
        ),
        ("ends.csv", "start,a,b,end\nba,bak,\"fi\nx\",0\nde,fi,go,go\n", "type: choice, text: start, choices: [a, b], label: end"),
        ("ends.jsonl", #"{"start": "ba", "ends": ["fi", "go\u0000", "bak"], "end": 2}"# + "\n", "type: choice, text: start, choices: ends, label: end"),
    ]

    func testDataAndTaskFiles() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        for data in Self.data { try write(data.text, to: data.name) }
        let tasks = Self.data.enumerated().map { "  - {name: t\($0), train: \($1.name), \($1.task)}\n" }
        try write("tasks:\n" + tasks.joined(), to: "tasks.yaml")
        let cache = FeatureCache(directory: cacheDirectory, tokenizer: try loadModel().tokenizer, maxSequenceLength: 16)
        let (catalogue, names) = try TaskCatalogue.reading([rows.appendingPathComponent("tasks.yaml").path])
        for (name, data) in zip(names, Self.data) {
            let task = try catalogue.task(named: name)
            try damaged.damage(data.name, rows, [data.name], share: 0.015) {
                // The first reads the rows, the second the file of the cache.
                let read = try (0..<2).map { _ in
                    Self.contents(of: try cache.features(of: task, in: task.train, dataDirectory: nil))
                }
                return read[0] == read[1] ? [] : ["other features in the cache"]
            }
        }
        try damaged.damage("task files", rows, ["tasks.yaml"], share: 0.085) {
            let (catalogue, names) = try TaskCatalogue.reading([self.rows.appendingPathComponent("tasks.yaml").path])
            for name in names { _ = try catalogue.task(named: name) }
            return []
        }
    }

    /// Of each example the ids, the targets and what belongs to its tokens.
    private static func contents(of set: FeatureSet) -> [[Float]] {
        (0..<set.count).map { index in
            set.withExample(at: index) { $0.inputIDs.map(Float.init) + $0.marks.target + $0.marks.alignment.map(Float.init) }
        }
    }

    // MARK: - Archives and the cache

    func testArchivesAndTheFeatureCache() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola"])
        try writeData("cola", train: 20, dev: 4)
        try damageArchives()
        try damageCache()
    }

    private func damageArchives() throws {
        let folder = directory.appendingPathComponent("zip")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var archive = ZipWriter()
        try archive.add("RTE/train.tsv", Array("index\tsentence1\n0\tba\n".utf8))
        try archive.add("RTE/dev.tsv", Array(String(repeating: "bak ", count: 400).utf8))
        try archive.write(to: folder.appendingPathComponent("a.zip"))
        try damaged.damage("zip archives", folder, ["a.zip"], share: 0.05) {
            let file = try MappedFile(path: folder.appendingPathComponent("a.zip").path)
            try file.withBytes { bytes in
                for member in try ZipArchive(bytes).files() { try member.read(from: bytes) { _ in } }
            }
            return []
        }
    }

    /// A damaged file of the cache gives the features that there were.
    private func damageCache() throws {
        let task = try GLUE.task(named: "cola")
        let folder = directory.appendingPathComponent("features")
        let cache = FeatureCache(directory: folder, tokenizer: try loadModel().tokenizer, maxSequenceLength: 8)
        func features() throws -> [[Float]] {
            Self.contents(of: try cache.features(of: task, in: task.train, dataDirectory: dataDirectory))
        }
        let expected = try features()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        try damaged.damage("feature cache", folder, names, share: 0.05) {
            return try features() == expected ? [] : ["features"]
        }
    }

    // MARK: - Checkpoints

    private let settings = {
        var settings = TrainingSettings.toy(.uniform(share: 0.5), steps: 6)
        settings.saveSteps = 3
        settings.evaluationSteps = 3
        return settings
    }()
    private var checkpoint: URL { outputDirectory.appendingPathComponent("checkpoint-3") }

    private var again: URL { directory.appendingPathComponent("again") }

    /// Goes on from the checkpoint, and gives back the weights at the end.
    private func weightsGoingOn() throws -> [String: [UInt8]] {
        let state = try ResumeState.readWhole(from: checkpoint)
        let trained = try TrainedModel(folder: checkpoint)
        let trainer = try Trainer(trained, tasks: loadData(trained), settings: settings) { _ in }
        try trainer.resume(from: checkpoint, state)
        _ = try trainer.run(outputDirectory: again)
        return try trained.weights()
    }

    /// A damaged checkpoint is refused, or the run ends with the same bytes.
    func testCheckpoints() throws {
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "sts-b"])
        for (name, count) in [("cola", 20), ("sts-b", 12)] { try writeData(name, train: count, dev: 4) }
        let expected = try train(settings).trained.weights()
        try FileManager.default.createDirectory(at: again, withIntermediateDirectories: true)
        let names = try FileManager.default.contentsOfDirectory(atPath: checkpoint.path).sorted()
        try damaged.damage("checkpoints", checkpoint, names, share: 0.1) {
            differences(try self.weightsGoingOn(), expected).sorted()
        }
        try damageNumbersOfTheState(expected)
        try damageFilesUnderRightChecksums(names.filter { $0 != ResumeState.fileName })
    }

    /// Other numbers under a right checksum, as somebody may write them: they are refused, or change nothing of the
    /// weights; but for the device's stream of random numbers, that may be at any place: other dropout is no wrong one.
    private func damageNumbersOfTheState(_ expected: [String: [UInt8]]) throws {
        let url = checkpoint.appendingPathComponent(ResumeState.fileName)
        let content = try Data(contentsOf: url)
        let whole = try JSONDecoder().decode(ResumeState.self, from: content)
        let decoder = JSONDecoder()
        try damaged.damage(
            "numbers of checkpoints' states", checkpoint, [ResumeState.fileName], share: 0.1,
            by: { ResumeState.sealed(Damage.changeNumbers($0, &$1)) }
        ) {
            let found = differences(try self.weightsGoingOn(), expected).sorted()
            let state = try decoder.decode(ResumeState.self, from: try Data(contentsOf: url))
            return state.dropout == whole.dropout ? found : []
        }
    }

    /// The other files under right checksums: weights and moments may then be any, and so may what the run ends with.
    private func damageFilesUnderRightChecksums(_ names: [String]) throws {
        let url = checkpoint.appendingPathComponent(ResumeState.fileName)
        let content = try Data(contentsOf: url)
        let state = try JSONDecoder().decode(ResumeState.self, from: content)
        try damaged.damage("checkpoints of right checksums", checkpoint, names, share: 0.1) {
            defer { try? content.write(to: url) }
            try FileManager.default.removeItem(at: url)
            try state.write(to: self.checkpoint)
            _ = try self.weightsGoingOn()
            return []
        }
    }
}
