import CAMTL
import Foundation
import Tasks
import Training

/// A model card's front matter: what Hugging Face's hub reads of it. There is no license in it, as nobody has said one.
struct CardMetadata {
    let modelName: String
    let encoderType: EncoderType?
    /// Names on the hub, where they are known.
    let baseModel: String?
    let evaluation: EvaluationReport?
    /// The tasks that are GLUE's, and whether others are none: the hub has no data set of a user's own task, and nobody
    /// has said its language.
    let tasksOfGLUE: Set<String>
    let hasOtherTasks: Bool

    /// GLUE's name on the hub.
    private static let dataset = "nyu-mll/glue"

    /// YAML between lines of three hyphens.
    var yaml: String {
        var lines = ["---"] + (hasOtherTasks ? [] : ["language: en"])
        lines += ["library_name: camtl", "pipeline_tag: text-classification"]
        if let baseModel { lines.append("base_model: \(Markup.yaml(baseModel))") }
        lines += ["tags:"] + tags.map { "- \(Markup.yaml($0))" }
        if !tasksOfGLUE.isEmpty { lines += ["datasets:", "- \(CardMetadata.dataset)"] }
        let metrics = self.metrics
        if !metrics.isEmpty { lines += ["metrics:"] + metrics.map { "- \($0)" } }
        return (lines + modelIndex + ["---"]).map { $0 + "\n" }.joined()
    }

    private var tags: [String] {
        ["text-classification", "multi-task-learning"] + (tasksOfGLUE.isEmpty ? [] : ["glue"]) + ["bert"]
            + (encoderType.map { $0 == .bert ? [] : ["ca-mtl", $0.rawValue] } ?? [])
    }

    private var metrics: [String] {
        let all = (evaluation?.results ?? []).flatMap { figures(of: $0).map(\.type) }
        return all.indices.filter { all.firstIndex(of: all[$0]) == $0 }.map { all[$0] }
    }

    /// The dev figures of GLUE's tasks; none without figures, as the hub refuses an index without results.
    private var modelIndex: [String] {
        let results = (evaluation?.results ?? []).filter {
            tasksOfGLUE.contains($0.task) && !figures(of: $0).isEmpty
        }
        guard !results.isEmpty else { return [] }
        return ["model-index:", "- name: \(Markup.yaml(modelName))", "  results:"] + results.flatMap(lines)
    }

    private func lines(_ result: EvaluationResult) -> [String] {
        let (configuration, split) = CardMetadata.place(of: result)
        return [
            "  - task:", "      type: text-classification", "      name: Text Classification",
            "    dataset:", "      type: \(CardMetadata.dataset)",
            "      name: \(Markup.yaml("GLUE \(result.name.uppercased())"))",
            "      config: \(Markup.yaml(configuration))", "      split: \(Markup.yaml(split))", "    metrics:",
        ]
            + figures(of: result).flatMap { figure in
                [
                    // YAML 1.1 takes a number such as 1e-05 for a text.
                    "    - type: \(figure.type)", "      value: \(String(format: "%.6f", figure.value))",
                    "      name: \(figure.name)",
                ]
            }
    }

    /// Where the hub's GLUE has a dev set: its configuration and split.
    private static func place(of result: EvaluationResult) -> (configuration: String, split: String) {
        let configuration = result.task.replacingOccurrences(of: "-", with: "")
        guard result.task == "mnli" else { return (configuration, "validation") }
        return (configuration, result.name == "mnli-mm" ? "validation_mismatched" : "validation_matched")
    }

    /// A result's figures under the hub's names for metrics, less what is not defined and the means of two metrics.
    private func figures(of result: EvaluationResult) -> [(type: String, name: String, value: Double)] {
        result.scores.entries.compactMap { entry in
            guard entry.value.isFinite, let (type, name) = CardMetadata.names[entry.metric] else { return nil }
            return (type, name, entry.value)
        }
    }

    private static let names: [Metric: (type: String, name: String)] = [
        .accuracy: ("accuracy", "Accuracy"), .f1: ("f1", "F1"),
        .matthews: ("matthews_correlation", "Matthews correlation"), .pearson: ("pearsonr", "Pearson's r"),
        .spearman: ("spearmanr", "Spearman's rho"),
    ]
}
