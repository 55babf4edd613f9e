import CAMTL
import Files
import Foundation
import Tasks
import Training

/// The `README.md` of a trained model: its front matter for the hub, then what it is, its dev figures, how to use it,
/// and what it was trained on and with.
struct ModelCard {
    private let record: RunRecord
    private let configuration: RunConfiguration

    init(_ record: RunRecord, _ configuration: RunConfiguration) {
        self.record = record
        self.configuration = configuration
    }

    /// Writes the card into the model's folder, whole or not at all.
    func write(to folder: URL) throws {
        let name = folder.standardizedFileURL.lastPathComponent
        let text = markdown(modelName: name.isEmpty || name == "/" ? "model" : name)
        try writeAtomically(to: folder.appendingPathComponent("README.md")) { try $0.write(text) }
    }

    /// Refuses a folder whose `README.md` is not a card of this program's, which the run's would replace.
    ///
    /// - Throws: `RunError.outputUnusable`; `FileWriteError` where it is no file.
    static func checkReplaceable(in folder: URL) throws {
        let place = folder.appendingPathComponent("README.md")
        try Files.checkReplaceable(place)
        guard let data = try? readFile(place) else { return }
        let lines = String(decoding: data.prefix(1 << 16), as: UTF8.self).split(separator: "\n")
        guard !lines.contains("library_name: camtl") else { return }
        throw RunError.outputUnusable(
            path: folder.path,
            reason: "its README.md is not a model card of camtl's, and would be replaced by one; move it away, or name "
                + "another --output_dir")
    }

    func markdown(modelName: String) -> String {
        let metadata = CardMetadata(
            modelName: modelName, encoderType: record.model?.encoderType, baseModel: base.hubName,
            evaluation: record.evaluation, tasksOfGLUE: Set(tasks.ofGLUE), hasOtherTasks: !tasks.others.isEmpty)
        let sections = [
            "# \(Markup.markdown(modelName))", introduction, "## Dev figures", figures, "## How to use it", usage,
            "## Training data", data, "## Training settings", settings,
        ]
        return metadata.yaml + "\n" + sections.joined(separator: "\n\n") + "\n"
    }

    /// What the model was built on: the last part of its folder's path, and its name on the hub if the folder is one
    /// of the hub's cache.
    private var base: (name: String, hubName: String?) {
        let path = configuration.modelFolder.standardizedFileURL.pathComponents
        let prefix = "models--"
        if let cached = path.last(where: { $0.hasPrefix(prefix) }), path.contains("snapshots") {
            let name = cached.dropFirst(prefix.count).replacingOccurrences(of: "--", with: "/")
            return (name, name)
        }
        return (path.last ?? "", nil)
    }

    /// The names of the model's tasks that are GLUE's, and of the others.
    private var tasks: (ofGLUE: [String], others: [String]) {
        let names = record.model?.tasks.map(\.name) ?? []
        let catalogue = configuration.catalogue
        return (names.filter(catalogue.isBuiltIn), names.filter { !catalogue.isBuiltIn($0) })
    }

    /// Whose data it is, such as in "trained on GLUE".
    private var dataName: String {
        let own = "data of its user's (\(Markup.markdown(tasks.others.joined(separator: ", "))))"
        if tasks.others.isEmpty { return "GLUE" }
        return tasks.ofGLUE.isEmpty ? own : "GLUE and \(own)"
    }

    /// The command that evaluates the model.
    private var evaluationCommand: String {
        let data = tasks.others.isEmpty || !tasks.ofGLUE.isEmpty ? " --data_dir GLUE" : ""
        let words = tasks.others.isEmpty ? [] : ["--tasks"] + tasks.ofGLUE + ["TASKS.yaml"]
        return "camtl --model_name_or_path DIR\(data)\(words.map { " " + $0 }.joined()) --do_eval"
    }

    private var introduction: String {
        let kind =
            switch record.model?.encoderType {
            case .caMTLBase: "CA-MTL (base: one conditional bottleneck, in the last layer)"
            case .caMTLLarge: "CA-MTL (large: conditional bottlenecks beside the pretrained layers)"
            case .bert, nil: "BERT with a decoder for each task"
            }
        let tasks = record.model?.tasks.map(\.name).joined(separator: ", ") ?? ""
        let length = record.model.map { ", for inputs of up to \($0.maxSequenceLength) tokens" } ?? ""
        return """
            One \(self.tasks.others.isEmpty ? "English " : "")text encoder for \
            \(self.tasks.others.count + self.tasks.ofGLUE.count == 1 ? "the task" : "several tasks:") \
            \(Markup.markdown(tasks)). It is \(kind)\(length), trained with camtl on \(dataName), starting from \(Markup.markdown(base.name)).
            """
    }

    private var figures: String {
        guard let report = record.evaluation else {
            return "This run did not end with an evaluation; "
                + "`\(evaluationCommand)` makes one."
        }
        var rows = report.results.map { result in
            [
                result.name, "\(result.count)", number(result.loss),
                result.scores.entries.map { "\($0.metric.rawValue) \(number($0.value))" }.joined(separator: ", "),
                number(result.scores.taskScore),
            ]
        }
        rows.append(["average", "", "", "", number(report.average)])
        let table = Self.table(["set", "examples", "loss", "metrics", "score"], rows)
        let note =
            configuration.training.reproducesOriginal
            ? "Each figure is the highest of all evaluations of the run, as the original reports it."
            : "\(tasks.others.isEmpty ? "GLUE's dev" : "Dev") sets, all figures of this one model. A task's score is the mean of its metrics."
        return table + "\n\n" + note
    }

    private var usage: String {
        let rows = (record.model?.tasks ?? []).prefix(2).compactMap(exampleRow).joined(separator: "\n")
        let file = tasks.others.isEmpty ? "" : " `TASKS.yaml` is a task file that says where its tasks' data lies."
        return """
            DIR is this folder; nothing else has to be said about the model.\(file) A line of `rows.jsonl` is such as

            ```json
            \(rows)
            ```

            ```sh
            camtl predict --model_name_or_path DIR --input rows.jsonl --output out.jsonl
            \(evaluationCommand)
            ```
            """
    }

    private func exampleRow(_ head: TaskHead) -> String? {
        guard let definition = try? configuration.catalogue.task(named: head.name, in: head) else { return nil }
        let task = head.name
        if let names = definition.textFields {
            let texts = zip(names, ["It rained all night.", "The street is wet."]).map {
                ", \(Markup.yaml($0)): \(Markup.yaml($1))"
            }
            return #"{"task": "\#(task)"\#(texts.joined())}"#
        }
        return definition.isPair
            ? #"{"task": "\#(task)", "sentence1": "It rained all night.", "sentence2": "The street is wet."}"#
            : #"{"task": "\#(task)", "sentence": "It rained all night."}"#
    }

    private var data: String {
        guard let usage = record.summary?.usage else { return "" }
        let rows = usage.ordered.map { task in
            let head = record.model?.tasks.first { $0.name == task.name }
            let labels = head?.kind.outputSummary ?? ""
            return [task.name, labels, "\(task.available)", "\(task.used)", "\(task.updates)"]
        }
        let source = tasks.others.isEmpty ? "[GLUE](https://gluebenchmark.com)'s training sets" : "Trained on \(dataName)"
        return """
            \(source). Examples that were used at least once, and how often \
            examples were in updates:

            \(Self.table(["task", "labels", "examples", "used", "in updates"], rows))
            """
    }

    private var settings: String {
        let steps = record.summary.map { ["- training steps: \($0.steps)"] } ?? []
        let lines = configuration.training.summary.map { "- \($0.name): \(Markup.markdown($0.value))" }
        let freezing = configuration.freezing.map {
            ["- frozen encoder layers: \($0.layers.lowerBound)-\($0.layers.upperBound)"]
        }
        let best = record.bestStep.map {
            ["- the model is that after step \($0), the best by \(configuration.training.metricForBestModel)"]
        }
        return (steps + (best ?? []) + lines + (freezing ?? [])).joined(separator: "\n")
    }

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }
        return ([line(header), line(header.map { _ in "---" })] + rows.map { line($0.map(Markup.markdown)) })
            .joined(separator: "\n")
    }

    private func number(_ value: Double) -> String { value.isNaN ? "nan" : String(format: "%.4f", value) }
}

extension TrainingSettings {
    /// What the training depended on, in words.
    fileprivate var summary: [(name: String, value: String)] {
        let sampling =
            switch sampling {
            case .proportional: "proportional"
            case .sequential: "sequential"
            case .uniform(let share): "uniform, \(share) of the largest task"
            case .uncertainty(let share, let score, let usesDropout, let precision):
                "uncertainty (\(score.rawValue)\(usesDropout ? "" : ", without dropout")"
                    + "\(precision == .exact ? "" : ", in \(precision.rawValue)")), \(share) of the largest task"
            }
        let warmup =
            optimizer.warmupSteps.map { "\($0) step\($0 == 1 ? "" : "s")" }
            ?? "\(optimizer.warmupProportion) of the steps"
        return [
            ("sampling", sampling),
            ("batch size", "\(batchSize)\(groupsByLength ? ", of about one length" : "")"),
            ("batches an update", "\(accumulationSteps)"),
            maxSteps.map { ("most steps", "\($0)") } ?? ("epochs", "\(epochs)"),
            ("optimizer", "AdamW, betas 0.9 and 0.999, epsilon \(optimizer.adamEpsilon)"),
            ("highest learning rate", "\(optimizer.learningRate)"),
            ("schedule", "linear, warm-up over \(warmup)"),
            ("weight decay", "\(optimizer.weightDecay)"),
            ("gradients clipped at a norm of", "\(optimizer.maxGradientNorm)"),
            ("dropout", dropout.map { "\($0)" } ?? "as the encoder's configuration says, decoders 0.1"),
            ("seed", "\(seed)"), ("evaluation batch size", "\(evaluationBatchSize)"),
        ]
    }
}
