import Files
import Foundation
import Tasks

/// A folder of transformers' `BertForSequenceClassification`: plain BERT with one decoder, `classifier`.
struct SequenceClassifier {
    static let architecture = "BertForSequenceClassification"
    /// The fields of `config.json` that say what the classifier is, and not what its encoder is.
    static let fields = ["architectures", "finetuning_task", "id2label", "label2id", "num_labels", "problem_type"]
    /// The name of its decoder among the tensors.
    static let decoder = "classifier"

    /// Beyond any task of sentences, and few enough to be listed.
    private static let mostOutputs = 100_000

    /// Whether a folder is one that this program exported for a task, with nothing of others' in it, or is empty.
    static func isExport(of task: String, _ folder: URL) -> Bool {
        guard isFolder(folder, ofFilesNamed: TrainedModel.fileNames) else { return false }
        let configuration = folder.appendingPathComponent("config.json")
        guard let data = try? readFile(configuration) else {
            return (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.isEmpty == true
        }
        let fields = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:]
        // transformers notes its version in what it saves.
        return fields["architectures"] as? [String] == [architecture] && fields["finetuning_task"] as? String == task
            && fields["transformers_version"] == nil
    }

    /// The names of its outputs, in their order.
    let outputs: [String]
    /// What kind of task it is of, if it says so.
    let problemType: String?

    /// The classifier that a configuration describes, or nil if it is of another class.
    ///
    /// - Throws: `fail`'s error if what it says of its outputs can't be used.
    init?(_ configuration: [String: Any], _ fail: (String) -> ModelError) throws {
        guard let classes = configuration["architectures"] as? [String], classes.contains(Self.architecture) else {
            return nil
        }
        problemType = configuration["problem_type"] as? String
        guard let names = configuration["id2label"], !(names is NSNull) else {
            // As transformers has it, which leaves out what is its default.
            var count = 2
            if let number = configuration["num_labels"], !(number is NSNull) {
                guard let given = number as? Int, (1...Self.mostOutputs).contains(given) else {
                    throw fail("\"num_labels\" is \(number); it has to be from 1 to \(Self.mostOutputs)")
                }
                count = given
            }
            outputs = (0..<count).map { "LABEL_\($0)" }
            return
        }
        guard let names = names as? [String: Any] else { throw fail("\"id2label\" is not a JSON object") }
        outputs = try (0..<names.count).map { index in
            guard let name = names["\(index)"] else {
                throw fail("\"id2label\" has \(names.count) entries, and none for output \(index)")
            }
            return "\(name)"
        }
    }

    /// The model that the classifier is: plain BERT with the one task that is wanted.
    ///
    /// - Throws: `fail`'s error if it is not one task that is wanted, or one whose labels are not the outputs'.
    func configuration(
        _ request: TrainedModel.Request, backbone: BERTConfiguration, _ fail: (String) -> ModelError
    ) throws -> ModelConfiguration {
        if let type = request.encoderType, type != .bert {
            throw fail("this is a \(Self.architecture), whose encoder is bert, not \(type.rawValue)")
        }
        guard let tasks = request.tasks, let task = tasks.first, tasks.count == 1 else {
            throw fail(
                "this is a \(Self.architecture), a classifier of one task, and it does not say which: give exactly "
                    + "one with --tasks")
        }
        if let problemType, problemType != (task.kind as? any SequenceKind).map({ type(of: $0).problemType }) {
            throw fail("its \"problem_type\" is \"\(problemType)\", and \(task.name) is \(task.kind.summary)")
        }
        guard let head = task.ordered(byOutputs: outputs) else {
            throw fail(
                "its outputs are \(outputs.joined(separator: ", ")), and \(task.name)'s "
                    + "\(Self.text(task.kind)): this is no classifier of \(task.name)")
        }
        return ModelConfiguration(
            encoderType: .bert, backbone: backbone,
            maxSequenceLength: request.maxSequenceLength ?? min(128, backbone.maxPositions), tasks: [head])
    }

    private static func text(_ kind: any TaskKind) -> String {
        kind.labels.isEmpty ? "is one number" : "labels are \(kind.labels.joined(separator: ", "))"
    }
}
