@testable import CAMTL
import Foundation
import Tasks
import TestSupport
@testable import Training
import XCTest

@testable import Reporting

/// The model card, as the hub's own library reads it.
final class ModelCardTests: ReportingTestCase {
    /// What huggingface_hub makes of a card.
    private struct Card: Decodable, Equatable {
        struct Result: Decodable, Equatable {
            let dataset: String
            let configuration: String
            let split: String
            let metric: String
            let value: Double
        }

        let name: String?
        let license: String?
        let baseModel: String?
        let tags: [String]
        let datasets: [String]?
        let metrics: [String]?
        let results: [Result]
        /// The text after the front matter.
        let text: String
    }

    private static let script = """
        import json, sys
        from huggingface_hub import ModelCard
        cards = [ModelCard.load(path) for path in sys.argv[1:]]
        print(json.dumps([{
            "name": card.data.model_name, "license": card.data.license, "baseModel": card.data.base_model,
            "tags": card.data.tags, "datasets": card.data.datasets, "metrics": card.data.metrics, "text": card.text,
            "results": [{
                "dataset": r.dataset_type, "configuration": r.dataset_config, "split": r.dataset_split,
                "metric": r.metric_type, "value": r.metric_value,
            } for r in card.data.eval_results or []],
        } for card in cards]))
        """

    private func card(_ events: [RunEvent], _ change: (inout RunConfiguration) -> Void = { _ in }) throws -> Card {
        try XCTUnwrap(read([write(events, change)]).first)
    }

    /// Ends a run with these events, and gives its card's path.
    private func write(_ events: [RunEvent], _ change: (inout RunConfiguration) -> Void) throws -> String {
        let configuration = configuration(change)
        let folder = try XCTUnwrap(configuration.outputDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try tell(beginning() + [.training(step(1)), .trained(summary(steps: 1))] + events, configuration)
        return folder.appendingPathComponent("README.md").path
    }

    private func read(_ paths: [String]) throws -> [Card] {
        try JSONDecoder().decode([Card].self, from: Data(PeerPython.run(ModelCardTests.script, paths).utf8))
    }

    func testFrontMatterHasTheDevFiguresUnderTheHubsNames() throws {
        let card = try card([.evaluated(evaluation())])
        XCTAssertEqual(card.name, "output")
        XCTAssertNil(card.license)
        XCTAssertNil(card.baseModel)
        XCTAssertEqual(card.datasets, ["nyu-mll/glue"])
        XCTAssertEqual(card.metrics, ["accuracy"])
        for tag in ["glue", "ca-mtl", "ca-mtl-base", "multi-task-learning"] { XCTAssert(card.tags.contains(tag), tag) }
        func result(_ configuration: String, _ split: String, _ value: Double) -> Card.Result {
            .init(
                dataset: "nyu-mll/glue", configuration: configuration, split: split, metric: "accuracy", value: value)
        }
        XCTAssertEqual(
            card.results,
            [
                result("rte", "validation", 0.75), result("mnli", "validation_matched", 1),
                result("mnli", "validation_mismatched", 0.666667),
            ], "STS-B's figures are not defined")
    }

    func testTasksOfAUsersAreNotCalledGLUEs() throws {
        let train = directory.appendingPathComponent("train.csv")
        try Data("text,label\nba,0\nbe,1\n".utf8).write(to: train)
        let file = directory.appendingPathComponent("tasks.yaml")
        let task = "{name: own, type: classification, train: train.csv, text: text, label: label}"
        try Data("tasks: [\(task)]\n".utf8).write(to: file)
        let (catalogue, _) = try TaskCatalogue.reading([file.path])
        let own = try catalogue.task(named: "own")
        let result = EvaluationResult(
            name: "own", task: "own", count: 2, loss: 0.5, scores: try own.scores(logits: [1, 0, 0, 1], labels: [0, 1]))

        func card(_ heads: [TaskHead], _ results: [EvaluationResult]) throws -> Card {
            let configuration = configuration { $0.catalogue = catalogue }
            let model = ModelConfiguration(
                encoderType: .bert,
                backbone: BERTConfiguration(
                    hiddenSize: 8, layerCount: 2, attentionHeadCount: 2, intermediateSize: 8, vocabularySize: 9),
                maxSequenceLength: 8, tasks: heads)
            try tell(
                [
                    .loaded(model, LoadReport(path: "model.safetensors")), .training(step(1)),
                    .trained(summary(steps: 1)), .evaluated(EvaluationReport(results: results)),
                ], configuration)
            return try XCTUnwrap(read([output.appendingPathComponent("README.md").path]).first)
        }

        let alone = try card([own.head], [result])
        XCTAssertNil(alone.datasets)
        XCTAssertFalse(alone.tags.contains("glue"))
        XCTAssertEqual(alone.results, [], "the hub has no data set that they are of")
        XCTAssertFalse(alone.text.contains("GLUE"), alone.text)
        XCTAssertFalse(alone.text.contains("English"), alone.text)
        XCTAssert(alone.text.contains("| own | 2 | 0.5000 | acc 1.0000 | 1.0000 |"), alone.text)
        XCTAssert(alone.text.contains("\ncamtl --model_name_or_path DIR --tasks TASKS.yaml --do_eval\n"), alone.text)

        let rte = try XCTUnwrap(evaluation().results.first)
        let both = try card([GLUE.task(named: "rte").head, own.head], [rte, result])
        XCTAssertEqual(both.datasets, ["nyu-mll/glue"])
        XCTAssertEqual(both.results.map(\.configuration), ["rte"])
        XCTAssert(both.text.contains("trained with camtl on GLUE and data of its user's (own)"), both.text)
        XCTAssert(both.text.contains("DIR --data_dir GLUE --tasks rte TASKS.yaml --do_eval\n"), both.text)
    }

    func testTextHasFiguresDataSettingsAndHowToLoadTheModel() throws {
        let text = try card([.evaluated(evaluation())]) { $0.training.optimizer.learningRate = 3e-5 }.text
        let lines = text.split(separator: "\n").map(String.init)
        let expected = [
            "# output", "| rte | 4 | 0.2500 | acc 0.7500 | 0.7500 |",
            "| sts-b | 3 | 0.1875 | pearson nan, spearmanr nan, corr nan | nan |",
            "| rte | entailment, not\\_entailment | 20 | 2 | 3 |", "| sts-b | a number | 10 | 1 | 1 |",
            "- highest learning rate: 3e-05", "- training steps: 1",
            "camtl --model_name_or_path DIR --data_dir GLUE --do_eval",
            #"{"task": "rte", "sentence1": "It rained all night.", "sentence2": "The street is wet."}"#,
        ]
        for line in expected { XCTAssert(lines.contains(line), "no line \(line) in\n\(text)") }
        XCTAssertFalse(text.contains(directory.path), "a card that is shared tells no one's folders")
    }

    func testWarmUpIsInStepsWhereItWasAskedForSo() throws {
        XCTAssert(try card([]) { $0.training.optimizer.warmupSteps = 7 }.text.contains("warm-up over 7 steps"))
        XCTAssert(try card([]).text.contains("warm-up over 0.1 of the steps"))
    }

    func testCardWithoutFiguresSaysHowToGetThem() throws {
        let card = try card([])
        XCTAssertEqual(card.results, [])
        XCTAssertNil(card.metrics)
        XCTAssert(card.text.contains("--do_eval` makes one."), card.text)
    }

    func testNameThatMeansSomethingToYAMLOrMarkdownIsEscaped() throws {
        let names = [
            "yes", "1e3", "a: b # c", "- \"x\" \\n 'y' {[|>]}", "tab\tline\nend", "*a* _b_ <b>c |d| `e` $f$ [g](h)",
            "Ünï 模型 🤖 \u{85}\u{2028}\u{7F}\u{FEFF}", "~", "%TAG", "---",
        ]
        let paths = try names.map { name in
            try write([.evaluated(evaluation())]) { $0.outputDirectory = output.appendingPathComponent(name) }
        }
        for (name, card) in zip(names, try read(paths)) {
            XCTAssertEqual(card.name, name)
            let title = card.text.split(separator: "\n").first.map(String.init) ?? ""
            XCTAssertEqual(title.replacingOccurrences(of: "\\", with: ""), "# " + plain(name), "of \(name)")
            XCTAssertNil(title.range(of: "(^|[^\\\\])[*_<>|`\\[]", options: .regularExpression), title)
        }
    }

    /// A name on one line, without the sign that escapes.
    private func plain(_ name: String) -> String {
        let hidden = "\t\n\u{85}\u{2028}\u{7F}\u{FEFF}".unicodeScalars
        return String(
            String.UnicodeScalarView(
                name.unicodeScalars.filter { $0 != "\\" }.map { hidden.contains($0) ? " " : $0 }))
    }

    func testEncoderFromTheHubsCacheIsTheBaseModel() throws {
        let snapshot = "/cache/hub/models--google-bert--bert-base-uncased/snapshots/0a1b2c"
        let card = try card([]) { $0.modelFolder = URL(fileURLWithPath: snapshot) }
        XCTAssertEqual(card.baseModel, "google-bert/bert-base-uncased")
        XCTAssert(card.text.contains("starting from google-bert/bert-base-uncased."), card.text)
    }
}
