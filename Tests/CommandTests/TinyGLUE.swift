import Foundation

/// GLUE's tasks with a few invented sentences each, in the layout of the official files. Each class has a word of its
/// own, so that a model can learn it.
struct TinyGLUE {
    let task: String
    private let folder: String
    /// The columns in their order. CoLA's have no header.
    private let columns: [String]
    private let firstColumn: String
    private let secondColumn: String?
    private let labelColumn: String
    /// A classification's, in the order of its classes; none for scores from 0 to 5.
    let labels: [String]

    struct Row: Equatable {
        var first: String
        var second: String?
        var label: String
    }

    static let all = [
        TinyGLUE(
            task: "cola", folder: "CoLA", columns: ["source", "label", "star", "text"], firstColumn: "text",
            secondColumn: nil, labelColumn: "label", labels: ["0", "1"]),
        TinyGLUE(
            task: "mnli", folder: "MNLI",
            columns: [
                "index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse",
                "sentence1_parse", "sentence2_parse", "sentence1", "sentence2", "label1", "gold_label",
            ], firstColumn: "sentence1", secondColumn: "sentence2", labelColumn: "gold_label",
            labels: ["contradiction", "entailment", "neutral"]),
        pairTask("rte", "RTE", ["index", "sentence1", "sentence2", "label"], ["entailment", "not_entailment"]),
        pairTask("wnli", "WNLI", ["index", "sentence1", "sentence2", "label"], ["0", "1"]),
        TinyGLUE(
            task: "qqp", folder: "QQP", columns: ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
            firstColumn: "question1", secondColumn: "question2", labelColumn: "is_duplicate", labels: ["0", "1"]),
        TinyGLUE(
            task: "sts-b", folder: "STS-B",
            columns: [
                "index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2",
                "score",
            ], firstColumn: "sentence1", secondColumn: "sentence2", labelColumn: "score", labels: []),
        TinyGLUE(
            task: "sst-2", folder: "SST-2", columns: ["sentence", "label"], firstColumn: "sentence",
            secondColumn: nil, labelColumn: "label", labels: ["0", "1"]),
        TinyGLUE(
            task: "qnli", folder: "QNLI", columns: ["index", "question", "sentence", "label"],
            firstColumn: "question", secondColumn: "sentence", labelColumn: "label",
            labels: ["entailment", "not_entailment"]),
        TinyGLUE(
            task: "mrpc", folder: "MRPC", columns: ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
            firstColumn: "#1 String", secondColumn: "#2 String", labelColumn: "Quality", labels: ["0", "1"]),
    ]

    static func task(_ name: String) -> TinyGLUE {
        guard let task = all.first(where: { $0.task == name }) else { preconditionFailure("no task \(name)") }
        return task
    }

    private static func pairTask(
        _ task: String, _ folder: String, _ columns: [String], _ labels: [String]
    ) -> TinyGLUE {
        TinyGLUE(
            task: task, folder: folder, columns: columns, firstColumn: "sentence1", secondColumn: "sentence2",
            labelColumn: "label", labels: labels)
    }

    /// The names of the evaluation sets with their files, relative to the data folder.
    var devSets: [(name: String, path: String)] {
        task == "mnli"
            ? [("mnli", "MNLI/dev_matched.tsv"), ("mnli-mm", "MNLI/dev_mismatched.tsv")]
            : [(task, "\(folder)/dev.tsv")]
    }

    var trainPath: String { "\(folder)/train.tsv" }

    /// The sets to predict: their names, their files, relative to the data folder, and their files in a submission.
    var testSets: [(name: String, path: String, submitted: String)] {
        task == "mnli"
            ? [
                ("mnli", "MNLI/test_matched.tsv", "MNLI-m.tsv"),
                ("mnli-mm", "MNLI/test_mismatched.tsv", "MNLI-mm.tsv"), ("ax", "AX/diagnostic.tsv", "AX.tsv"),
            ] : [(task, "\(folder)/test.tsv", "\(folder).tsv")]
    }

    /// The set's rows, different ones for each path.
    func rows(of path: String) -> [Row] {
        var random = SeededRandom(seed: path.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
        let classes = labels.isEmpty ? (0...10).map { "\(Double($0) / 2)" } : labels
        return (0..<(path == trainPath ? 24 : 13)).map { number in
            let label = number % classes.count
            func text(_ marker: Int?) -> String {
                let fillers = TinyEncoder.words[20...].shuffled(using: &random)
                let words = (marker.map { [TinyEncoder.words[$0]] } ?? []) + fillers.prefix(2 + number % 4)
                return words.joined(separator: " ") + "na."
            }
            let isPair = secondColumn != nil
            return Row(
                first: text(isPair ? nil : label), second: isPair ? text(label) : nil, label: classes[label])
        }
    }

    /// The content of a file with these rows.
    func file(_ rows: [Row]) -> String {
        let lines = rows.enumerated().map { number, row in
            columns.map { column in
                switch column {
                case firstColumn: row.first
                case secondColumn: row.second ?? ""
                case labelColumn: row.label
                default: "\(number)"
                }
            }.joined(separator: "\t")
        }
        return ((task == "cola" ? [] : [columns.joined(separator: "\t")]) + lines).map { $0 + "\n" }.joined()
    }

    /// The content of a file to predict, with these rows without their labels.
    func testFile(_ rows: [Row], of path: String) -> String {
        let columns =
            switch task {
            case "cola", "sst-2": ["index", "sentence"]
            case "qqp": ["id", "question1", "question2"]
            case "mrpc": ["index", "#1 ID", "#2 ID", "#1 String", "#2 String"]
            case "mnli" where path.hasPrefix("AX"): ["index", "sentence1", "sentence2"]
            default: self.columns.filter { !["label1", labelColumn].contains($0) }
            }
        let lines = rows.enumerated().map { number, row in
            columns.map { column in
                if column == secondColumn { return row.second ?? "" }
                return column == firstColumn || column == "sentence" ? row.first : "\(number)"
            }.joined(separator: "\t")
        }
        return ([columns.joined(separator: "\t")] + lines).map { $0 + "\n" }.joined()
    }

    /// Writes the tasks' training and dev files, and those to predict, below a folder.
    static func write(_ tasks: [String], to folder: URL) throws {
        for task in tasks.map(task) {
            for path in [task.trainPath] + task.devSets.map(\.path) {
                try write(task.file(task.rows(of: path)), to: folder.appendingPathComponent(path))
            }
            for (_, path, _) in task.testSets {
                try write(task.testFile(task.rows(of: path), of: path), to: folder.appendingPathComponent(path))
            }
        }
    }

    static func write(_ text: String, to url: URL) throws {
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }
}
