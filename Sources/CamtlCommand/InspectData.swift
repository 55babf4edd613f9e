import ArgumentParser
import CAMTL
import Foundation
import Tasks
import Tokenization
import Training

struct InspectData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Look at tasks' data before training on it.",
        discussion: """
            For each task, prints the rows of its sets, the shares of its labels, lengths in tokens and how many rows are \
            cut, rows that stand more than once or under different labels, rows of the dev and test sets that stand in \
            the training set, and what a prediction that looks at no text scores on the dev sets. Rows are the same where \
            their texts are, byte for byte. Nothing is written but standard output. Without --model_name_or_path and \
            --tokenizer_name lengths are left out.
            """)

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "Names of GLUE's tasks and task files (.yaml, .json). (default: GLUE's nine)")
    var tasks: [String] = []

    @Option(
        name: .customLong("data_dir"),
        help: "The folder with GLUE's data in its official layout. (required for GLUE's tasks)",
        completion: .directory)
    var dataDir: String?

    @Option(
        name: .customLong("model_name_or_path"),
        help: "The model whose tokenizer measures lengths: a folder, or a name such as bert-base-cased.",
        completion: .directory)
    var modelNameOrPath: String?

    @Option(
        name: .customLong("tokenizer_name"),
        help: "A folder or name with a tokenizer alone, in the place of a model's.", completion: .directory)
    var tokenizerName: String?

    @Option(
        name: .customLong("max_seq_length"), parsing: .unconditional,
        help: "Where rows would be cut, in tokens. (default: 128, or the model's)")
    var maxSeqLength: Int?

    @Option(
        name: .customLong("seed"), parsing: .unconditional,
        help: "The training's seed, which draws dev sets that are a share of the training set.")
    var seed: UInt64 = 42

    @Flag(name: .customLong("json"), help: "Print JSON.")
    var json = false

    func run() throws {
        var problems = Problems()
        if let length = maxSeqLength, length < 3 {
            problems.add("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        DataOptions.check(dataDir: dataDir, tasks: tasks, &problems)
        let chosen = problems.catching { try TaskCatalogue.reading(tasks) }
        let measure = problems.catching(measure)
        try problems.throwIfAny()
        guard let chosen, let measure else { preconditionFailure("what failed is a problem that has been thrown") }
        if maxSeqLength != nil, measure.tokenizer == nil {
            warn(["--max_seq_length has no effect without --model_name_or_path or --tokenizer_name"])
        }
        let (catalogue, names) = chosen
        let inspection = DataInspection(
            tokenizer: measure.tokenizer, maxSequenceLength: measure.length,
            dataDirectory: dataDir.map { URL(fileURLWithPath: $0) }
        ) { [seed] task, strata in
            try DevSplit(share: task.devShare ?? 0, seed: seed).devPart(of: strata, task)
        }
        let report = try inspection.report(on: names.isEmpty ? GLUE.tasks.map(\.name) : names, in: catalogue)
        let text = json ? try report.json.text() : Data((Tables.data(report) + "\n").utf8)
        try endingQuietly { try writeToStandardOutput(text) }
    }

    /// What lengths are measured with, if anything, and where rows are cut.
    private func measure() throws -> (tokenizer: WordPieceTokenizer?, length: Int) {
        guard let name = tokenizerName ?? modelNameOrPath else { return (nil, maxSeqLength ?? 128) }
        let folder = try ModelOptions.location(named: name).folder()
        let model = try modelNameOrPath.map { try ModelOptions.location(named: $0).folder() }
        let trained = try maxSeqLength == nil ? model.flatMap { try ConfigurationFile(folder: $0).trained } : nil
        return (try WordPieceTokenizer(folder: folder), maxSeqLength ?? trained?.maxSequenceLength ?? 128)
    }
}
