import Files
import Foundation
import TestSupport
import Torch
import XCTest

@testable import CAMTL
@testable import Tasks

/// Each kind of task is exported as a class of transformers, which computes the same, and read back from it.
final class TransformersClassTests: ComputingTestCase {
    private var folder = FileManager.default.temporaryDirectory
    private var model: URL { folder.appendingPathComponent("model") }

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-classes-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws { try FileManager.default.removeItem(at: folder) }

    private static let wordCount = 40
    private static let classes = [
        "priority": "BertForSequenceClassification", "score": "BertForSequenceClassification",
        "topics": "BertForSequenceClassification", "years": "BertForSequenceClassification",
        "names": "BertForTokenClassification", "answers": "BertForQuestionAnswering",
        "endings": "BertForMultipleChoice",
    ]

    private func heads() throws -> [TaskHead] {
        let standardized = JSONValue.object(["mean": .number(-7.5), "deviation": .number(0.25)])
        return [
            // The labels differ in their case alone.
            TaskHead(name: "priority", kind: try Classification(labels: ["low", "us", "US"])),
            TaskHead(name: "score", kind: Regression()),
            TaskHead(name: "topics", kind: try MultiLabel(labels: ["a", "b", "c"])),
            TaskHead(name: "years", kind: try Regression().with(["standardize": standardized])),
            TaskHead(name: "names", kind: try Tagging(labels: ["O", "B-per", "I-per", "B-loc", "I-loc"])),
            TaskHead(name: "answers", kind: Span(), textFields: ["question", "context"]),
            TaskHead(name: "endings", kind: Choice(), textFields: ["text"], choiceFields: ["one", "two"]),
        ]
    }

    /// Writes the folder of a trained model for these tasks, all of its values drawn at random.
    private func writeModel(_ heads: [TaskHead]) throws -> TrainedModel {
        var backbone = BERTConfiguration(
            hiddenSize: 32, layerCount: 2, attentionHeadCount: 4, intermediateSize: 48,
            vocabularySize: 5 + Self.wordCount)
        backbone.maxPositions = 24
        let configuration = ModelConfiguration(
            encoderType: .bert, backbone: backbone, maxSequenceLength: 24, tasks: heads)
        let new = try CAMTLModel(configuration)
        var random = RandomStream(seed: 3, purpose: "weights")
        try new.materialize(seed: 3) { name, parameter in
            let middle: Float = name.hasSuffix("LayerNorm.weight") ? 1 : 0
            let values = (0..<parameter.elementCount).map { _ in middle + Float.random(in: -0.4...0.4, using: &random) }
            return try Tensor(values, shape: parameter.shape)
        }
        try new.saveWeights(to: model)
        let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + (0..<Self.wordCount).map { "w\($0)" }
        try Data(tokens.map { $0 + "\n" }.joined().utf8).write(to: model.appendingPathComponent("vocab.txt"))
        let fields: [String: Any] = [
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
            "vocab_size": 5 + Self.wordCount, "max_position_embeddings": 24,
            "camtl": [
                "encoder_type": "bert", "max_seq_length": 24,
                "tasks": try JSONSerialization.jsonObject(with: JSONEncoder().encode(heads)),
            ] as [String: Any],
        ]
        try JSONSerialization.data(withJSONObject: fields).write(to: model.appendingPathComponent("config.json"))
        return try TrainedModel(folder: model)
    }

    /// An example: one sequence, or one a choice.
    private struct Example: Encodable {
        var sequences: [[Int32]]
        var types: [[Int32]]
    }

    private func example(_ kind: any TaskKind, _ random: inout RandomStream) -> Example {
        var example = Example(sequences: [], types: [])
        for _ in 0..<(kind is Choice ? Int.random(in: 2...4, using: &random) : 1) {
            let (first, second) = (Int.random(in: 1...9, using: &random), Int.random(in: 1...9, using: &random))
            func words(_ count: Int) -> [Int32] {
                (0..<count).map { _ in Int32.random(in: 5..<Int32(5 + Self.wordCount), using: &random) }
            }
            example.sequences.append([2] + words(first) + [3] + words(second) + [3])
            example.types.append(
                Array(repeating: 0, count: first + 2) + Array(repeating: 1, count: second + 1))
        }
        return example
    }

    /// The rows of logits of an example.
    private func logits(_ trained: TrainedModel, task: Int, _ example: Example) throws -> [[Double]] {
        var batch = PackedBatch()
        for (number, ids) in example.sequences.enumerated() {
            batch.append(
                inputIDs: ids, tokenTypeIDs: example.types[number], taskID: task, continuesExample: number > 0)
        }
        let output = try trained.model(batch).tasks[0].logits
        let (values, width) = (try output.elements(Float.self).map(Double.init), output.size(1))
        return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }

    private func distance(_ ours: [[Double]], _ theirs: [[Double]]) -> Double {
        XCTAssertEqual(ours.map(\.count), theirs.map(\.count))
        return zip(ours.joined(), theirs.joined()).map { abs($0 - $1) }.max() ?? .infinity
    }

    private func export(_ trained: TrainedModel, _ name: String) throws -> URL {
        let url = folder.appendingPathComponent(name)
        try trained.export(task: name, to: url)
        return url
    }

    func testTransformersComputesTheLogitsOfEachKindAndTheFolderIsReadBack() throws {
        struct Job: Encodable {
            var folder: String
            var `class`: String
            var rows: [Example]
        }
        struct Output: Decodable { var logits: [[Double]] }
        let heads = try heads()
        XCTAssertEqual(Set(heads.map(\.kind.name)), Set(TaskKinds.all.map { $0.name }), "a kind has no case here")
        let trained = try writeModel(heads)
        var random = RandomStream(seed: 4, purpose: "rows")
        let jobs = try heads.map { head in
            Job(
                folder: try export(trained, head.name).path, class: try XCTUnwrap(Self.classes[head.name]),
                rows: (0..<8).map { _ in example(head.kind, &random) })
        }
        let file = folder.appendingPathComponent("jobs.json")
        try JSONEncoder().encode(jobs).write(to: file)
        let results = try JSONDecoder().decode(
            [[Output]].self, from: Data(PeerPython.run(file: "decoder_models.py", [file.path]).utf8))
        for (task, (head, (job, outputs))) in zip(heads, zip(jobs, results)).enumerated() {
            var request = TrainedModel.Request()
            (request.tasks, request.mustBeTrained) = ([head], true)
            let back = try TrainedModel(folder: URL(fileURLWithPath: job.folder), request)
            XCTAssertEqual(back.loading.unused, [], head.name)
            XCTAssertEqual(back.loading.new, head.readsPooler ? [] : ["bert.pooler.dense.weight", "bert.pooler.dense.bias"])
            XCTAssertEqual(back.model.configuration.tasks[0].choiceFields, head.choiceFields)
            XCTAssertEqual(back.model.configuration.tasks[0].kind.labels, head.kind.labels)
            var (farthest, farthestBack) = (0.0, 0.0)
            for (row, output) in zip(job.rows, outputs) {
                let ours = try logits(trained, task: task, row)
                // Of a standardised regression, transformers puts out numbers in the labels' unit.
                let expected = head.name == "years" ? ours.map { $0.map { $0 * 0.25 - 7.5 } } : ours
                farthest = max(farthest, distance(expected, output.logits))
                farthestBack = max(farthestBack, distance(expected, try logits(back, task: 0, row)))
            }
            XCTAssertLessThan(farthest, 1e-5, head.name)
            XCTAssertLessThan(farthestBack, 1e-5, head.name)
            XCTAssertGreaterThan(Set(outputs.flatMap { $0.logits.map { $0[0] } }).count, 5, "the logits are all the same")
        }
    }

    func testAStandardizedRegressionIsReadBackInTheLabelsUnit() throws {
        let trained = try writeModel(heads())
        let url = try export(trained, "years")
        var request = TrainedModel.Request()
        let asked = try Regression().with(["standardize": .bool(true)])
        (request.tasks, request.mustBeTrained) = ([TaskHead(name: "years", kind: asked)], true)
        let back = try TrainedModel(folder: url, request)
        var random = RandomStream(seed: 5, purpose: "rows")
        let row = example(asked, &random)
        let logits = (try logits(trained, task: 3, row)[0][0], try logits(back, task: 0, row)[0][0])
        XCTAssertEqual(logits.1, logits.0 * 0.25 - 7.5, accuracy: 1e-5)
        let kind = back.model.configuration.tasks[0].kind as? Regression
        XCTAssertEqual(kind?.answer([Float(logits.1)]).value, Float(logits.1))
        // What is written of it says so, and a task file that asks for standardised labels takes it as it is.
        XCTAssertEqual(
            kind?.recordedOptions["standardize"], .object(["mean": .number(0), "deviation": .number(1)]))
        XCTAssertNil(try asked.adopted(from: XCTUnwrap(kind)).unfoundOption)
    }

    func testTheFolderOfADecoderThatReadsTokensHasNoPooler() throws {
        let trained = try writeModel(heads())
        for name in Self.classes.keys {
            let names = try XCTUnwrap(Checkpoint.open(in: export(trained, name))).names
            let decoder = name == "answers" ? "qa_outputs" : "classifier"
            XCTAssertEqual(names.filter { $0.hasPrefix(decoder + ".") }.count, 2, name)
            XCTAssertEqual(names.contains { $0.hasPrefix("bert.pooler.") }, !["names", "answers"].contains(name), name)
            let text = try String(
                contentsOf: folder.appendingPathComponent("\(name)/config.json"), encoding: .utf8)
            XCTAssertEqual(text.contains("id2label"), !["answers", "endings"].contains(name), name)
        }
    }

    func testAKindThatAFolderIsNotOfIsRefusedByName() throws {
        let heads = try heads()
        let trained = try writeModel(heads)
        for (folderTask, task, expected) in [
            ("names", 0, "this is a BertForTokenClassification, and priority is a classification with the labels low, us, US"),
            ("answers", 4, "this is a BertForQuestionAnswering, and names is a tagging with the tags O"),
            ("endings", 5, "and answers is a span of a context, of which there is a BertForQuestionAnswering"),
            ("score", 6, "this is a BertForSequenceClassification, and endings is a choice among a row's texts"),
            ("topics", 0, "its \"problem_type\" is \"multi_label_classification\", and priority is a classification"),
        ] {
            let url = folder.appendingPathComponent(folderTask)
            if !FileManager.default.fileExists(atPath: url.path) { _ = try export(trained, folderTask) }
            var request = TrainedModel.Request()
            (request.tasks, request.mustBeTrained) = ([heads[task]], true)
            XCTAssertThrowsError(try TrainedModel(folder: url, request)) {
                XCTAssert("\($0)".contains(expected), "\($0)")
            }
        }
        var request = TrainedModel.Request()
        let other = TaskHead(name: "names", kind: try Tagging(labels: ["O", "B-org", "I-org", "B-loc", "I-loc"]))
        (request.tasks, request.mustBeTrained) = ([other], true)
        XCTAssertThrowsError(try TrainedModel(folder: folder.appendingPathComponent("names"), request)) {
            XCTAssert("\($0)".contains("its outputs are O, B-per, I-per, B-loc, I-loc, and names's labels are"), "\($0)")
        }
    }

    /// An own model whose tasks read the pooler is damaged without it.
    func testAPoolerThatIsReadMayNotBeMissing() throws {
        let trained = try writeModel(heads())
        let url = try export(trained, "endings")
        let source = try XCTUnwrap(Checkpoint.open(in: url))
        var writer = SafetensorsWriter()
        for name in source.names where !name.hasPrefix("bert.pooler.") {
            let info = try XCTUnwrap(source.info(name))
            let bytes = try source.withBytes(of: name) { Array($0) }
            try writer.add(name, info) { sink in try bytes.withUnsafeBytes { try sink($0) } }
        }
        let copy = folder.appendingPathComponent("copy")
        try FileManager.default.copyItem(at: url, to: copy)
        try writer.write(to: copy.appendingPathComponent("model.safetensors"))
        var request = TrainedModel.Request()
        (request.tasks, request.mustBeTrained) = ([try heads()[6]], true)
        XCTAssertThrowsError(try TrainedModel(folder: copy, request)) {
            XCTAssert("\($0)".contains("2 tensors of the model are missing: bert.pooler.dense"), "\($0)")
        }
    }
}
