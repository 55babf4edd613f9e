import Files
import Foundation
import Tasks

/// A folder of one of transformers' classes of plain BERT with one decoder, such as `BertForSequenceClassification`.
struct TransformersModel {
    /// The fields of `config.json` that say what the decoder is, and not what its encoder is.
    static let fields = ["architectures", "finetuning_task", "id2label", "label2id", "num_labels", "problem_type"]

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
        return TransformersClass(architectures: fields["architectures"]) != nil
            && fields["finetuning_task"] as? String == task && fields["transformers_version"] == nil
    }

    /// Its class, with its `problem_type` if the folder has one.
    private let transformersClass: TransformersClass
    /// The names of its outputs, in their order; nil in a class that has none for them.
    private let outputs: [String]?

    /// The model that a configuration describes, or nil if it is of another class.
    ///
    /// - Throws: `fail`'s error if what it says of its outputs can't be used.
    init?(_ configuration: [String: Any], _ fail: (String) -> ModelError) throws {
        guard var found = TransformersClass(architectures: configuration["architectures"]) else { return nil }
        found.problemType = configuration["problem_type"] as? String
        transformersClass = found
        outputs = found.namesOutputs ? try Self.outputs(configuration, fail) : nil
    }

    private static func outputs(
        _ configuration: [String: Any], _ fail: (String) -> ModelError
    ) throws -> [String] {
        guard let names = configuration["id2label"], !(names is NSNull) else {
            // As transformers has it, which leaves out what is its default.
            var count = 2
            if let number = configuration["num_labels"], !(number is NSNull) {
                guard let given = number as? Int, (1...Self.mostOutputs).contains(given) else {
                    throw fail("\"num_labels\" is \(number); it has to be from 1 to \(Self.mostOutputs)")
                }
                count = given
            }
            return (0..<count).map { "LABEL_\($0)" }
        }
        guard let names = names as? [String: Any] else { throw fail("\"id2label\" is not a JSON object") }
        return try (0..<names.count).map { index in
            guard let name = names["\(index)"] else {
                throw fail("\"id2label\" has \(names.count) entries, and none for output \(index)")
            }
            return "\(name)"
        }
    }

    /// The model that the folder has: plain BERT with the one task that is wanted.
    ///
    /// - Throws: `fail`'s error if it is not one task that is wanted, or one that the class or its outputs are not of.
    func configuration(
        _ request: TrainedModel.Request, backbone: BERTConfiguration, _ fail: (String) -> ModelError
    ) throws -> ModelConfiguration {
        let name = transformersClass.name
        if let type = request.encoderType, type != .bert {
            throw fail("this is a \(name), whose encoder is bert, not \(type.rawValue)")
        }
        guard let tasks = request.tasks, let task = tasks.first, tasks.count == 1 else {
            throw fail(
                "this is a \(name), a model of one task, and it does not say which: give exactly one with --tasks")
        }
        return ModelConfiguration(
            encoderType: .bert, backbone: backbone,
            maxSequenceLength: request.maxSequenceLength ?? min(128, backbone.maxPositions),
            tasks: [try head(task, fail)])
    }

    /// The task with what the folder says of its decoder.
    private func head(_ task: TaskHead, _ fail: (String) -> ModelError) throws -> TaskHead {
        let wanted = task.transformersClass
        guard wanted.name == transformersClass.name else {
            throw fail(
                "this is a \(transformersClass.name), and \(task.name) is \(task.kind.summary), of which there is a "
                    + "\(wanted.name): give a task that fits with --tasks")
        }
        if let problemType = transformersClass.problemType, let own = wanted.problemType, problemType != own {
            throw fail("its \"problem_type\" is \"\(problemType)\", and \(task.name) is \(task.kind.summary)")
        }
        var head = task
        if let outputs {
            guard let ordered = task.ordered(byOutputs: outputs) else {
                throw fail(
                    "its outputs are \(outputs.joined(separator: ", ")), and \(task.name)'s "
                        + "\(Self.text(task.kind)): this is no classifier of \(task.name)")
            }
            head = ordered
        }
        head.kind = head.objective.inLabelsUnit
        return head
    }

    private static func text(_ kind: any TaskKind) -> String {
        kind.labels.isEmpty ? "is one number" : "labels are \(kind.labels.joined(separator: ", "))"
    }
}
