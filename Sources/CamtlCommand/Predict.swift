import ArgumentParser
import CAMTL
import Files
import Foundation
import Tasks
import Training

struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Predict rows of text with a trained model.",
        discussion: """
            A row of the input is a JSON object on a line: {"task": "rte", "sentence1": "…", "sentence2": "…"}, or \
            with "sentence" for a single text, or already tokenised with "input_ids" and "token_type_ids". Each row of \
            the output has task, label (or value), probabilities, logits and entropy, in the input's order.
            """)

    @Option(name: .customLong("model_name_or_path"), help: "The trained model's folder.")
    var modelNameOrPath: String

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "What the folder doesn't say: the task of a transformers model, such as a BertForSequenceClassification.")
    var tasks: [String] = []

    @Option(name: .customLong("input"), help: "The file of rows, JSON lines; also a pipe, as /dev/stdin.")
    var input: String

    @Option(name: .customLong("output"), help: "The file to write, JSON lines; also a pipe, as /dev/stdout.")
    var output: String

    @Option(
        name: .customLong("per_device_eval_batch_size"), parsing: .unconditional,
        help: "Rows of a batch; short ones are computed more at a time.")
    var batchSize = 8

    @Option(
        name: .customLong("eval_precision"),
        help: "How exactly to compute: exact, or int8, more than twice as fast and for nearly the same predictions.")
    var precision = Precision.exact

    @OptionGroup var placement: PlacementOptions
    @OptionGroup var naming: TensorNaming

    func run() throws {
        guard (1...Problems.highestCount).contains(batchSize) else {
            throw CommandError(
                "--per_device_eval_batch_size is \(batchSize); it has to be from 1 to \(Problems.highestCount)")
        }
        warn(Precision.warnings([("eval_precision", precision)]))
        var request = TrainedModel.Request()
        request.mustBeTrained = true
        request.tasks = try heads(ofTasks: tasks)
        let folder = try ModelLocation(named: modelNameOrPath).folder()
        let launching = try Launching(allowsCUDA: !placement.noCUDA)
        request.device = launching.device
        request.productType = placement.bf16 ? MixedPrecision.bf16.type : nil
        try launching.run { team in
            try DeviceOptions.check(launching.device, [("eval_precision", precision)])
            if team.writes {
                let warning = placement.bf16 && launching.device == .cpu ? [DeviceOptions.warning(.bf16)] : []
                warn(launching.warnings + warning)
            }
            let trained = try TrainedModel(folder: folder, request)
            if team.writes { naming.reportUnused(trained.loading) }
            let predictor = Predictor(trained, batchSize: batchSize, precision: precision, team: team)
            try endingQuietly {
                try predictor.predict(URL(fileURLWithPath: input), to: URL(fileURLWithPath: output))
            }
        }
    }
}
