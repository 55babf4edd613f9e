import Foundation
import TestSupport
import XCTest

/// A folder of transformers' `BertForSequenceClassification` is evaluated, and predicts, as transformers does.
final class SequenceClassifierTests: CommandTestCase {
    /// A classifier that transformers makes, and what its outputs mean.
    private struct Case {
        var task: String
        /// The names of the outputs in `config.json`, or their number.
        var names: String
        var format = "safetensors"
        /// GLUE's labels in the order of the outputs; none in a regression.
        var labels: [String]
    }

    private var classifier: URL { folder.appendingPathComponent("classifier-0") }

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder().write(to: encoder)
    }

    /// Has transformers make classifiers, and gives back their folders.
    @discardableResult
    private func make(_ classifiers: (names: String, format: String)...) throws -> [URL] {
        try make(classifiers)
    }

    private func make(_ classifiers: [(names: String, format: String)]) throws -> [URL] {
        let folders = classifiers.indices.map { folder.appendingPathComponent("classifier-\($0)") }
        let jobs = zip(folders, classifiers).flatMap { [$0.path, $1.names, $1.format] }
        try PeerPython.run(file: "make_classifiers.py", [encoder.path] + jobs)
        return folders
    }

    private func evaluation(_ model: URL? = nil, _ tasks: String..., more: [String] = []) -> [String] {
        [
            "--model_name_or_path", (model ?? classifier).path, "--data_dir", data.path, "--cache_dir", cache.path,
            "--output_dir", output.path, "--threads", "1", "--max_seq_length", "32", "--do_eval",
        ] + (tasks.isEmpty ? [] : ["--tasks"] + tasks) + more
    }

    func testEvaluatesAndPredictsAsTransformersDoes() throws {
        let cases = [
            Case(
                task: "mnli", names: "entailment,neutral,contradiction",
                labels: ["entailment", "neutral", "contradiction"]),
            Case(task: "rte", names: "NOT_ENTAILMENT,Entailment", labels: ["not_entailment", "entailment"]),
            Case(task: "sst-2", names: "POSITIVE,NEGATIVE", format: "bin", labels: ["1", "0"]),
            // Names without a meaning are of the task's own order.
            Case(task: "mnli", names: "3", labels: ["contradiction", "entailment", "neutral"]),
            // Two outputs are transformers' default, which config.json leaves out.
            Case(task: "mrpc", names: "2", format: "bin", labels: ["0", "1"]),
            Case(task: "sts-b", names: "1", labels: []),
        ]
        try TinyGLUE.write(Array(Set(cases.map(\.task))), to: data)
        let models = try make(cases.map { ($0.names, $0.format) })
        XCTAssertNil(try json(models[4].appendingPathComponent("config.json"))["id2label"])
        let sets = cases.map { TinyGLUE.task($0.task).devSets }
        let jobs = zip(models, zip(cases, sets)).flatMap { model, entry in
            entry.1.map { (model: model, texts: TinyGLUE.task(entry.0.task).texts(of: $0.path)) }
        }
        var outputs = try transformers(jobs)[...]
        for (model, (entry, sets)) in zip(models, zip(cases, sets)) {
            try camtl(evaluation(model, entry.task))
            let results = try figures(output.appendingPathComponent("eval_results.json"))
            for set in sets {
                try compare(entry, model, set, outputs.removeFirst(), results["eval_\(set.name)_acc"])
            }
        }
    }

    /// Compares a dev set's predictions, and its accuracy, with what transformers' logits say.
    private func compare(
        _ entry: Case, _ model: URL, _ set: (name: String, path: String), _ theirs: ClassifierOutput,
        _ accuracy: Double?
    ) throws {
        let task = TinyGLUE.task(entry.task)
        let what = "\(entry.task) with the outputs \(entry.names)"
        let ours = try predictions(model, task: entry.task, task.texts(of: set.path), "--tasks", entry.task)
        assertClose(ours.map(\.logits), theirs.logits, what)
        guard !entry.labels.isEmpty else { return }
        let labels = theirs.logits.map { row in entry.labels[row.indices.max { row[$0] < row[$1] } ?? 0] }
        XCTAssertEqual(ours.map(\.label), labels, what)
        XCTAssertGreaterThan(Set(theirs.logits).count, 5, "logits that are all the same show little: \(what)")
        let rows = task.rows(of: set.path)
        let right = zip(labels, rows).filter { $0 == $1.label }.count
        if let accuracy { XCTAssertEqual(accuracy, Double(right) / Double(rows.count), what) }
    }

    func testOneTaskHasToBeGiven() throws {
        try make(("3", "safetensors"))
        try TinyGLUE.write(["mnli", "rte"], to: data)
        for arguments in [evaluation(), evaluation(nil, "mnli", "rte")] {
            try assertRefuses(
                arguments, "\(classifier.path): this is a BertForSequenceClassification",
                "give exactly one with --tasks")
        }
        try TinyGLUE.write("{\"task\": \"mnli\", \"sentence1\": \"ba\"}\n", to: folder.appendingPathComponent("in"))
        try assertRefuses(
            ["predict", "--model_name_or_path", classifier.path, "--input", folder.path + "/in", "--output", "out"],
            "give exactly one with --tasks")
    }

    func testOtherLabelsAreRefusedByName() throws {
        try TinyGLUE.write(["mnli", "rte", "sts-b"], to: data)
        let models = try make(("yes,no", "safetensors"), ("entailment,neutral,contradiction", "safetensors"))
        try assertRefuses(
            evaluation(models[0], "rte"), "its outputs are yes, no, and rte's labels are entailment, not_entailment")
        try assertRefuses(
            evaluation(models[1], "rte"), "its outputs are entailment, neutral, contradiction, and rte's labels are")
        try assertRefuses(evaluation(models[1], "sts-b"), "and sts-b's is one number")
        try assertRefuses(
            evaluation(models[1], "mnli", more: ["--encoder_type", "ca-mtl-base"]),
            "whose encoder is bert, not ca-mtl-base")
    }

    func testItBecomesAModelOfCamtl() throws {
        try make(("entailment,neutral,contradiction", "safetensors"))
        let model = folder.appendingPathComponent("converted")
        try camtl(
            [
                "convert", "--model_name_or_path", classifier.path, "--output_dir", model.path, "--tasks", "mnli",
                "--max_seq_length", "32",
            ])
        let configuration = try json(model.appendingPathComponent("config.json"))
        XCTAssertNil(configuration["architectures"])
        XCTAssertNil(configuration["id2label"])
        let task = TinyGLUE.task("mnli")
        let texts = task.texts(of: task.trainPath)
        let theirs = try transformers([(classifier, texts)])
        assertClose(try predictions(model, task: "mnli", texts).map(\.logits), theirs[0].logits, "converted")
    }

    func testBareEncoderIsNotEvaluated() throws {
        try TinyGLUE.write(["rte"], to: data)
        try assertRefuses(
            arguments("--do_eval"), "\(encoder.path): this is a pretrained encoder and no trained model", "--do_train")
    }
}
