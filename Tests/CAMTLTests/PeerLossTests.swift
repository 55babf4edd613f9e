import Files
import Foundation
import TestSupport
import Torch
import XCTest

@testable import CAMTL
@testable import Tasks

/// Losses with the options of task files beside PyTorch's.
final class PeerLossTests: ComputingTestCase {
    private func json(_ values: some Sequence<Float>) -> JSONValue { .array(values.map { .number(Double($0)) }) }

    private func rows(_ values: [Float], _ width: Int) -> JSONValue {
        .array(stride(from: 0, to: values.count, by: width).map { json(values[$0..<$0 + width]) })
    }

    private func measured(
        _ kind: some TaskObjective, _ logits: [Float], _ targets: [[Float]], _ more: [String: JSONValue]
    ) throws -> JSONValue {
        let tensor = try Tensor(logits, shape: [targets.count, kind.width])
        try tensor.setRequiresGradient(true)
        let loss = try kind.loss(logits: tensor, targets: targets.map { $0.map(Double.init) })
        try loss.backward()
        let gradient = try XCTUnwrap(tensor.gradient()).elements(Float.self)
        return .object(
            more.merging([
                "kind": .string(kind.name), "logits": rows(logits, kind.width), "targets": .array(targets.map(json)),
                "loss": .number(try loss.item()), "gradient": rows(gradient, kind.width),
            ]) { $1 })
    }

    func testLossesAndGradientsAreThoseOfPyTorch() throws {
        var random = RandomStream(seed: 9, purpose: "losses")
        var cases: [JSONValue] = []
        for number in 0..<100 {
            let (width, count) = (Int.random(in: 2...5, using: &random), Int.random(in: 1...16, using: &random))
            let labels = (0..<width).map { "l\($0)" }
            let logits = (0..<width * count).map { _ in Float.random(in: -4...4, using: &random) }
            let classes = (0..<count).map { _ in [Float(Int.random(in: 0..<width, using: &random))] }
            let weights = labels.map { _ in Double(Float.random(in: 0.1...5, using: &random)) }
            let smoothing = [0, 0.1, 0.5][number % 3]
            var options: [String: JSONValue] = ["label_smoothing": .number(smoothing)]
            if number % 2 == 0 {
                options["class_weights"] = .object(
                    Dictionary(uniqueKeysWithValues: zip(labels, weights.map(JSONValue.number))))
            }
            cases.append(
                try measured(
                    Classification(labels: labels).with(options), logits, classes,
                    [
                        "weights": number % 2 == 0 ? .array(weights.map(JSONValue.number)) : .null,
                        "smoothing": .number(smoothing),
                    ]))
            let numbers = (0..<count).map { _ in [Float.random(in: 90...110, using: &random)] }
            let regression = try Regression().with(["standardize": .bool(true)]).fitted(toTraining: numbers)
            let standardization = try XCTUnwrap(regression.standardization)
            cases.append(
                try measured(
                    regression, Array(logits.prefix(count)), numbers,
                    ["mean": .number(standardization.mean), "deviation": .number(standardization.deviation)]))
            let tags = (0..<count).map { _ in labels.map { _ in Bool.random(using: &random) ? Float(1) : 0 } }
            cases.append(try measured(MultiLabel(labels: labels), logits, tags, [:]))
        }
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("losses-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: url) }
        try JSONEncoder().encode(JSONValue.array(cases)).write(to: url)
        let output = try PeerPython.run(file: "losses.py", [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        XCTAssertLessThanOrEqual(try XCTUnwrap(differences["loss"]), 1e-5, output)
        XCTAssertLessThanOrEqual(try XCTUnwrap(differences["gradient"]), 1e-4, output)
    }

    // MARK: - Kinds that read tokens, and several sequences

    /// Losses, gradients and entropies, of examples of several rows of logits each.
    private func measured(_ kind: some TaskObjective, rowCounts: [Int], targets: [[Double]], _ random: inout RandomStream)
        throws -> JSONValue
    {
        let width = kind.width
        let logits = (0..<rowCounts.reduce(0, +) * width).map { _ in Float.random(in: -4...4, using: &random) }
        let tensor = try Tensor(logits, shape: [rowCounts.reduce(0, +), width])
        try tensor.setRequiresGradient(true)
        let loss = try kind.loss(DecoderOutput(logits: tensor, rowCounts: rowCounts, targets: targets))
        try loss.backward()
        let gradient = try XCTUnwrap(tensor.gradient()).elements(Float.self)
        var (start, examples, losses, weight): (Int, [JSONValue], Double, Double) = (0, [], 0, 0)
        for (count, target) in zip(rowCounts, targets) {
            let own = start..<start + count * width
            var marks = ExampleMarks(target: target.map(Float.init))
            // A word's number is of no importance here.
            if kind is Tagging { marks.alignment = target.indices.map { target[$0] < 0 ? -1 : Int32($0) } }
            let example = DecodedExample(logits: logits[own], marks: marks)
            losses += kind.loss(of: example)
            weight += kind.lossWeight(of: marks.target[...])
            examples.append(
                .object([
                    "logits": rows(Array(logits[own]), width), "gradient": rows(Array(gradient[own]), width),
                    "target": .array(target.map(JSONValue.number)),
                    "entropy": .number(kind.uncertainty(of: example).entropy),
                    "classes": .integer(kind.uncertainty(of: example).classes),
                ]))
            start = own.upperBound
        }
        return .object([
            "kind": .string(kind.name), "examples": .array(examples), "loss": .number(try loss.item()),
            "measured_loss": .number(losses / weight),
        ])
    }

    func testLossesOfTokensAndOfChoicesAndTheirEntropiesAreThoseOfPyTorch() throws {
        var random = RandomStream(seed: 10, purpose: "losses")
        var cases: [JSONValue] = []
        for _ in 0..<100 {
            func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
            let rowCounts = (0..<integer(1...6)).map { _ in integer(2...12) }
            let width = integer(2...5)
            let tags = rowCounts.map { count in
                // Each example has a word.
                [Double(integer(0...width - 1))] + (1..<count).map { _ in Double(integer(-1...width - 1)) }
            }
            cases.append(
                try measured(
                    Tagging(labels: (0..<width).map { "l\($0)" }), rowCounts: rowCounts, targets: tags, &random))
            let places = rowCounts.map { count in (0..<2).map { _ in Double(integer(0...count - 1)) } }
            cases.append(try measured(Span(), rowCounts: rowCounts, targets: places, &random))
            cases.append(try measured(Choice(), rowCounts: rowCounts, targets: places.map { [$0[0]] }, &random))
        }
        try compare("token_losses.py", cases)
    }

    private func compare(_ script: String, _ cases: [JSONValue]) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("losses-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: url) }
        try JSONEncoder().encode(JSONValue.array(cases)).write(to: url)
        let output = try PeerPython.run(file: script, [url.path])
        let differences = try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
        for (name, difference) in differences {
            XCTAssertLessThanOrEqual(difference, name.hasSuffix("gradient") ? 1e-4 : 1e-5, output)
        }
        XCTAssertGreaterThanOrEqual(differences.count, 3, output)
    }

    /// Whole models of plain BERT, which differ from transformers' in the names of their decoders.
    func testModelsLossesAndGradientsAreThoseOfTransformers() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("models-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var random = RandomStream(seed: 11, purpose: "models")
        var backbone = BERTConfiguration(
            hiddenSize: 24, layerCount: 3, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 30)
        backbone.initializerRange = 0.2
        // Of a span's examples all are as long: transformers' softmax is over what fills up a batch, too.
        let tokens = (rows: [5, 9, 3, 12], ids: { (count: Int) in (0..<count).map { _ in Int32.random(in: 1..<30, using: &random) } })
        let cases: [(kind: any TaskObjective, model: String, decoder: String, lengths: [[Int]])] = [
            (try Tagging(labels: ["O", "B-x", "I-x"]), "BertForTokenClassification", "classifier", tokens.rows.map { [$0] }),
            (Span(), "BertForQuestionAnswering", "qa_outputs", [[9], [9], [9], [9]]),
            (Choice(), "BertForMultipleChoice", "classifier", [[5, 9, 7], [3, 4, 12], [6, 6, 6]]),
        ]
        var written: [JSONValue] = []
        for (kind, name, decoder, lengths) in cases {
            let configuration = ModelConfiguration(
                encoderType: .bert, backbone: backbone, maxSequenceLength: 12, tasks: [TaskHead(name: "own", kind: kind)])
            let model = try CAMTLModel(configuration)
            try model.materialize(seed: 5)
            var batch = PackedBatch()
            var (examples, targets): ([JSONValue], [[Double]]) = ([], [])
            for lengths in lengths {
                let sequences = lengths.map(tokens.ids)
                for (number, ids) in sequences.enumerated() {
                    batch.append(
                        inputIDs: ids, tokenTypeIDs: ids.indices.map { $0 < 2 ? 0 : 1 }, taskID: 0,
                        continuesExample: number > 0)
                }
                let count = kind is Choice ? lengths.count : lengths[0]
                let target: [Int] = switch kind {
                case is Tagging: [-1, 0] + (2..<count).map { _ in Int.random(in: -1...2, using: &random) }
                case is Span: (0..<2).map { _ in Int.random(in: 0..<count, using: &random) }
                default: [Int.random(in: 0..<count, using: &random)]
                }
                targets.append(target.map(Double.init))
                examples.append(
                    .object([
                        "sequences": .array(sequences.map { .array($0.map { .integer(Int($0)) }) }),
                        "target": .array(target.map(JSONValue.integer)),
                    ]))
            }
            let loss = try model(batch).loss(targets: targets, configuration: configuration).total
            try loss.backward()
            let files = ["weights", "gradients"].map { folder.appendingPathComponent("\(kind.name).\($0).safetensors") }
            var writers = files.map { _ in SafetensorsWriter() }
            for (name, parameter) in model.namedParameters() {
                let renamed = name.replacingOccurrences(of: "decoders.0.model", with: decoder)
                let tensor = parameter.wrappedValue
                for (index, values) in [tensor, try tensor.gradient()].enumerated() {
                    guard let bytes = try values?.bytes() else { continue }
                    try writers[index].add(renamed, TensorInfo(dtype: .float32, shape: tensor.shape)) { sink in
                        try bytes.withUnsafeBytes { try sink($0) }
                    }
                }
            }
            for (writer, file) in zip(writers, files) { try writer.write(to: file) }
            written.append(
                .object([
                    "model": .string(name), "weights": .string(files[0].path), "gradients": .string(files[1].path),
                    "examples": .array(examples), "loss": .number(try loss.item()),
                ]))
        }
        try compare("token_models.py", written)
    }

    // MARK: - Parts of a batch

    /// What each of several processes adds to the loss of a batch.
    func testThePartsOfABatchAddUpToItsLossWhateverItsClassesWeigh() throws {
        let kind = try Classification(labels: ["a", "b", "c"]).with([
            "class_weights": .object(["a": .number(0.2), "c": .number(7)]), "label_smoothing": .number(0.1),
        ])
        var configuration = ModelConfiguration(
            encoderType: .bert,
            backbone: BERTConfiguration(
                hiddenSize: 24, layerCount: 2, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11),
            maxSequenceLength: 8, tasks: [TaskHead(name: "own", kind: try Classification(labels: ["a", "b", "c"]))])
        let model = try CAMTLModel(configuration)
        try model.materialize(seed: 3)
        model.setKind(kind, ofTask: 0)
        configuration = model.configuration
        let targets: [Double] = [0, 2, 1, 2, 0]
        func loss(_ rows: [Int], whole: [Int: Double]?) throws -> Double {
            var batch = PackedBatch()
            for row in rows { batch.append(inputIDs: [2, Int32(4 + row), 3], tokenTypeIDs: [0, 0, 0], taskID: 0) }
            return try model(batch).loss(
                targets: rows.map { [targets[$0]] }, configuration: configuration, wholeBatch: whole
            ).total.item()
        }
        let weight = targets.reduce(0) { $0 + kind.lossWeight(of: [Float($1)]) }
        XCTAssertEqual(weight, 0.2 + 7 + 1 + 7 + 0.2, accuracy: 1e-12)
        let parts = try [[0, 4], [1], [2, 3]].map { try loss($0, whole: [0: weight]) }
        XCTAssertEqual(parts.reduce(0, +), try loss(Array(0..<5), whole: nil), accuracy: 1e-6)
    }
}
