import ArgumentParser
import CAMTL
import Foundation
import Tasks

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert trained models from and to the formats of other programs.",
        discussion: """
            A model that camtl trained with the bert encoder becomes, for each task, a folder OUT/TASK that \
            transformers loads: as BertForSequenceClassification, BertForTokenClassification (tagging), \
            BertForQuestionAnswering (span) or BertForMultipleChoice (choice). A checkpoint of the original code \
            (pytorch_model.bin), or a folder of one of these classes with its task in --tasks, becomes a model of \
            camtl, in OUT.
            """)

    @Option(name: .customLong("model_name_or_path"), help: "The folder of the model to convert.")
    var modelNameOrPath: String

    @Option(name: .customLong("output_dir"), help: "Where the converted model goes.")
    var outputDir: String

    @Flag(name: .customLong("overwrite_output_dir"), help: "Write into an output folder that is not empty.")
    var overwriteOutputDir = false

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "The tasks to export, or a checkpoint's, in its order. (default: the model's; the original's nine)")
    var tasks: [String] = []

    @Option(
        name: .customLong("encoder_type"),
        help: "What a checkpoint's encoder has to be. (default: what its tensors say)")
    var encoderType: EncoderType?

    @Option(
        name: .customLong("max_seq_length"), parsing: .unconditional,
        help: "The longest input in tokens, of a model with the bert encoder. (default: 128, or the model's)")
    var maxSeqLength: Int?

    @Option(
        name: .customLong("tokenizer_name"),
        help: "A folder or name with the vocabulary, for a checkpoint without one: the encoder it was trained from.")
    var tokenizerName: String?

    @OptionGroup var naming: TensorNaming

    func run() throws {
        if let length = maxSeqLength, length < 3 {
            throw CommandError("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        var request = TrainedModel.Request()
        request.tasks = try heads(ofTasks: tasks)
        request.encoderType = encoderType
        request.maxSequenceLength = maxSeqLength
        request.vocabularyFolder = try tokenizerName.map { try ModelLocation(named: $0).folder() }
        var conversion = Conversion(
            from: try ModelLocation(named: modelNameOrPath).folder(), to: URL(fileURLWithPath: outputDir), request)
        conversion.overwritesOutput = overwriteOutputDir
        let result = try conversion()
        naming.reportUnused(result.loading)
        for task in result.untrained {
            writeToStandardError("\(task) is left out: its decoder is at its random start\n")
        }
        try endingQuietly { try writeToStandardOutput(result.folders.map { $0.path + "\n" }.joined().utf8) }
    }
}
