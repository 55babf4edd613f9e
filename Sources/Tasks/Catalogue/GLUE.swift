/// The nine tasks of GLUE as their official files lay them out.
public enum GLUE {
    /// In the default order of the original, which numbers its tasks by it.
    public static let tasks: [TaskDefinition] = [
        cola, mnli,
        pairTask("rte", folder: "RTE", kind: entailment),
        pairTask("wnli", folder: "WNLI", kind: binary),
        qqp, stsB, sst2,
        pairTask("qnli", folder: "QNLI", kind: entailment, first: "question", second: "sentence"),
        pairTask(
            "mrpc", folder: "MRPC", kind: binary, measured: [.accuracy, .f1], mean: .accuracyAndF1,
            first: "#1 String", second: "#2 String", label: "Quality"),
    ]

    /// The task of that name.
    ///
    /// - Throws: `TaskError.evaluationSet` for a further set of a task, such as `mnli-mm`; `TaskError.unknownTask`,
    ///   with the nearest right name if there is a near one, for any other name.
    public static func task(named name: String) throws -> TaskDefinition {
        if let task = tasks.first(where: { $0.name == name }) { return task }
        if let owner = tasks.first(where: { ($0.dev + $0.test).contains { $0.name == name } }) {
            throw TaskError.evaluationSet(name: name, task: owner.name)
        }
        let known = tasks.map(\.name)
        throw TaskError.unknownTask(name: name, nearest: nearestName(to: name, among: known), known: known)
    }

    private static let entailment = classes(["entailment", "not_entailment"])
    private static let binary = classes(["0", "1"])

    private static func classes(_ labels: [String]) -> Classification {
        guard let kind = try? Classification(labels: labels) else { preconditionFailure("labels twice: \(labels)") }
        return kind
    }

    /// A task of sentence pairs whose three files have the same column names.
    private static func pairTask(
        _ name: String, folder: String, kind: some TaskKind, measured: [Metric]? = nil, mean: Metric? = nil,
        first: String = "sentence1", second: String = "sentence2", label: String = "label"
    ) -> TaskDefinition {
        let labelled = Columns.named(first: first, second: second, label: label)
        return TaskDefinition(
            name: name, kind: kind, measured: measured, meanMetric: mean,
            train: DataFile(name: name, paths: ["\(folder)/train.tsv"], columns: labelled),
            dev: [DataFile(name: name, paths: ["\(folder)/dev.tsv"], columns: labelled)],
            test: [
                testFile(name, ["\(folder)/test.tsv"], .named(first: first, second: second))
            ])
    }

    /// A file to predict, whose rows are counted from 0.
    private static func testFile(_ name: String, _ paths: [String], _ columns: Columns) -> DataFile {
        DataFile(name: name, paths: paths, columns: columns, indexColumn: "index")
    }

    /// Only CoLA's test file has a header.
    private static let cola = TaskDefinition(
        name: "cola", kind: binary, measured: [.matthews],
        train: DataFile(name: "cola", paths: ["CoLA/train.tsv"], columns: .numbered(first: 3, label: 1)),
        dev: [DataFile(name: "cola", paths: ["CoLA/dev.tsv"], columns: .numbered(first: 3, label: 1))],
        test: [testFile("cola", ["CoLA/test.tsv"], .named(first: "sentence"))])

    private static let sst2 = TaskDefinition(
        name: "sst-2", kind: binary,
        train: DataFile(
            name: "sst-2", paths: ["SST-2/train.tsv"], columns: .named(first: "sentence", label: "label")),
        dev: [DataFile(name: "sst-2", paths: ["SST-2/dev.tsv"], columns: .named(first: "sentence", label: "label"))],
        test: [testFile("sst-2", ["SST-2/test.tsv"], .named(first: "sentence"))])

    private static let stsB = pairTask(
        "sts-b", folder: "STS-B", kind: Regression(range: 0...5), mean: .pearsonAndSpearman, label: "score")

    /// A few rows of QQP's official training file lack columns. A row of the test file is never left out: that would
    /// shift the rows of a submission.
    private static let qqp = {
        var task = pairTask(
            "qqp", folder: "QQP", kind: binary, measured: [.accuracy, .f1], mean: .accuracyAndF1, first: "question1",
            second: "question2", label: "is_duplicate")
        task.train.skipsDamagedRows = true
        task.dev[0].skipsDamagedRows = true
        task.test[0].indexColumn = "id"
        return task
    }()

    /// The mismatched sets and the diagnostic set are read through MNLI's decoder.
    private static let mnli = {
        let labelled = Columns.named(first: "sentence1", second: "sentence2", label: "gold_label")
        let unlabelled = Columns.named(first: "sentence1", second: "sentence2")
        let diagnostic = ["AX/diagnostic.tsv", "diagnostic/diagnostic.tsv", "MNLI/diagnostic.tsv", "diagnostic.tsv"]
        return TaskDefinition(
            name: "mnli",
            kind: classes(["contradiction", "entailment", "neutral"]),
            train: DataFile(name: "mnli", paths: ["MNLI/train.tsv"], columns: labelled),
            dev: [
                DataFile(name: "mnli", paths: ["MNLI/dev_matched.tsv"], columns: labelled),
                DataFile(name: "mnli-mm", paths: ["MNLI/dev_mismatched.tsv"], columns: labelled),
            ],
            test: [
                testFile("mnli", ["MNLI/test_matched.tsv"], unlabelled),
                testFile("mnli-mm", ["MNLI/test_mismatched.tsv"], unlabelled),
                testFile("ax", diagnostic, unlabelled),
            ])
    }()
}
