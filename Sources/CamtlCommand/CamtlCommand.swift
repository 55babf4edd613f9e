import ArgumentParser
import CAMTL
import Foundation
import Tasks
import Torch
import Training

/// `camtl`: training and evaluation without a subcommand, as the original's `run.py`.
@main
struct CamtlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camtl",
        abstract: "Train one encoder on many text tasks, and put it to work (CA-MTL, ICLR 2021).",
        discussion: """
            camtl --model_name_or_path DIR --data_dir GLUE --output_dir OUT --do_train --do_eval
            """,
        subcommands: Subcommands.configuration.subcommands)

    static func main() {
        WaitPolicy.settle()
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isSubcommand = Subcommands.configuration.subcommands.contains {
            $0.configuration.commandName == arguments.first ?? ""
        }
        if isSubcommand { Subcommands.main(arguments) } else { main(arguments) }
    }

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions

    func run() throws {
        let configuration = try resolvedConfiguration()
        if let threads = training.threads { setThreadCount(threads) }
        let renderer = Renderer(loggingSteps: training.loggingSteps)
        try Run(configuration, report: renderer.render).execute()
    }

    /// Flags to configuration: everything that is wrong with them in one message.
    private func resolvedConfiguration() throws -> RunConfiguration {
        var problems = Problems()
        let modelFolder = problems.catching { try model.folder() }
        if data.dataDir == nil { problems.add("--data_dir is missing: the folder with GLUE's data") }
        if data.outputDir == nil, training.doTrain {
            problems.add("--output_dir is missing: where the trained model goes")
        }
        let freezing = problems.catching { try model.freezeEncoderLayers.map(FreezeRange.init(parsing:)) } ?? nil
        let resolvedSampling = problems.catching { try sampling.resolved() }
        training.check(&problems)
        if let length = model.maxSeqLength, length < 3 {
            problems.add("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        try problems.throwIfAny()
        guard let modelFolder, let dataDir = data.dataDir, let resolvedSampling else {
            preconditionFailure("what is missing is a problem that has been thrown")
        }
        var configuration = RunConfiguration(
            modelFolder: modelFolder, dataDirectory: URL(fileURLWithPath: dataDir),
            cacheDirectory: try data.cacheDirectory())
        configuration.model.encoderType = model.resolvedEncoderType
        configuration.model.maxSequenceLength = model.maxSeqLength
        configuration.model.seed = training.seed
        configuration.taskNames = data.tasks.isEmpty ? nil : data.tasks
        configuration.outputDirectory = data.outputDir.map { URL(fileURLWithPath: $0) }
        configuration.overwritesOutput = data.overwriteOutputDir
        configuration.overwritesCache = data.overwriteCache
        configuration.trains = training.doTrain
        configuration.evaluates = training.doEval
        configuration.freezing = freezing
        configuration.training = training.settings(sampling: resolvedSampling)
        return configuration
    }
}

/// Parses the subcommands in place of `CamtlCommand`, which would keep those of their flags that bear the names of its
/// own for itself.
struct Subcommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camtl", subcommands: [Predict.self, Tokenize.self])
}

/// What is wrong with a command line, said in one message.
struct Problems {
    private var list: [String] = []

    mutating func add(_ problem: String) { list.append(problem) }

    mutating func catching<Result>(_ body: () throws -> Result) -> Result? {
        do { return try body() } catch {
            list.append("\(error)")
            return nil
        }
    }

    func throwIfAny() throws {
        if !list.isEmpty { throw CommandError(list.joined(separator: "\n")) }
    }
}

/// A message for the user, without the usage text behind it.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
