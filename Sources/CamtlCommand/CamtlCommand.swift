import ArgumentParser
import CAMTL
import Foundation
import Reporting
import Tasks
import Torch
import Training

/// The version that `CHANGELOG.md` has as its newest; while that is of changes that are not released, the next one's,
/// with `-dev` behind it.
private let camtlVersion = "0.1.0-dev"

/// `camtl`: training, evaluation and prediction without a subcommand, as the original's `run.py`.
@main
struct CamtlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camtl",
        abstract: "Train one encoder on many text tasks, and put it to work (CA-MTL, ICLR 2021).",
        discussion: """
            camtl --model_name_or_path DIR --data_dir GLUE --output_dir OUT --do_train --do_eval
            camtl --model_name_or_path DIR --tasks TASKS.yaml --output_dir OUT --do_train --do_eval

            Or camtl FILE.json alone: a JSON object of the same settings by the flags' names, as each run leaves one \
            in its output folder.

            TASKS.yaml describes tasks of your own, such as

            tasks:
              - {name: priority, type: classification, train: t.csv, dev: 10%, text: [subject, body], label: priority}
              - {name: score, type: regression, train: t.csv, dev: 10%, text: body, label: score}
              - {name: tags, type: multilabel, train: t.jsonl, dev: 10%, text: body, label: tags}
              - {name: names, type: tagging, train: n.conll, dev: 10%, text: 0, label: 1}
              - {name: answers, type: span, train: squad.json, dev: 10%}
              - {name: cause, type: choice, train: c.csv, dev: 10%, text: premise, choices: [a, b], label: right}

            camtl data --tasks TASKS.yaml looks at their data first.
            """,
        version: "camtl \(camtlVersion)", subcommands: Subcommands.configuration.subcommands)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Evaluation and prediction") var evaluation: EvaluationOptions
    @OptionGroup(title: "Checkpoints and logging") var checkpoints: CheckpointOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Devices") var devices: DeviceOptions
    @OptionGroup(title: "Deprecated") var deprecated: DeprecatedOptions

    private var groups: [any SettingsGroup] {
        [model, data, training, evaluation, checkpoints, sampling, devices, deprecated]
    }

    static func main() {
        StandardStreams.settle()
        keepFreedMemory()
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            if let subcommand = Subcommands.named(arguments.first ?? "") {
                try CommandLineReading.check(Array(arguments.dropFirst()), of: subcommand)
                return Subcommands.main(arguments)
            }
            main(try CommandLineReading(arguments, settings: parse([]).groups.flatMap(\.settings)).arguments)
        } catch {
            exit(withError: error)
        }
    }

    mutating func run() throws {
        // The launcher starts anew what has died.
        if training.doTrain, try Launch.restarts(ProcessInfo.processInfo.environment) > 0 {
            checkpoints.resumeFromCheckpoint = checkpoints.resumeFromCheckpoint ?? .newest
        }
        var warnings =
            deprecated.warnings + originalWarnings + sampling.warnings + evaluationWarnings
            + Precision.warnings(precisions)
        var configuration = try resolvedConfiguration()
        let launching = try Launching(
            allowsCUDA: !devices.placement.noCUDA, localRank: devices.localRank, timeout: devices.ddpTimeout,
            threads: devices.threads)
        configuration.model.device = launching.device
        warnings += launching.warnings
        configuration.training.batchSize *= launching.team?.size ?? 1
        let renderer = Renderer(isVerbose: checkpoints.verbose)
        try launching.run { team in
            warnings += try devices.apply(on: launching.device, precisions)
            if team.writes { warn(warnings) }
            try CamtlCommand.run(configuration, team, renderer: team.writes ? renderer : nil)
        }
    }

    /// - Parameter renderer: shows what happens; nil in a process that says and writes nothing of it.
    private static func run(_ configuration: RunConfiguration, _ team: Team?, renderer: Renderer?) throws {
        let reporter = renderer != nil ? try RunReporter(configuration) { renderer?.warn($0) } : nil
        let signals = StopSignals()
        do {
            try Run(configuration, team: team, shouldStop: { signals.isStopRequested }) { event in
                try reporter?.report(event)
                renderer?.render(event)
                try signals.note(event)
            }.execute()
            // Where nothing is trained, the table is what the run was for.
            if !configuration.trains, let failure = renderer?.failure { try endingQuietly { throw failure } }
        } catch let stop as TrainingError {
            guard case .stopped = stop else { throw stop }
            if renderer != nil { writeToStandardError("camtl: \(stop)\n") }
            throw signals.exitCode
        }
    }

    private var originalWarnings: [String] {
        guard training.reproduceOriginal, training.warmupSteps != nil else { return [] }
        return ["--warmup_steps is ignored under --reproduce_original, as in the original"]
    }

    private var evaluationWarnings: [String] {
        withoutEffect(
            [
                ("evaluate_during_training", evaluation.evaluateDuringTraining),
                ("load_best_model_at_end", evaluation.loadBestModelAtEnd),
                ("early_stopping_patience", evaluation.earlyStoppingPatience != nil),
            ], unless: training.doTrain, need: "--do_train")
    }

    private var precisions: [(name: String, precision: Precision)] {
        [("uncertainty_scoring", sampling.scoringPrecision), ("eval_precision", evaluation.precision)]
    }

    /// The deprecated flags go before those that took their place.
    private mutating func replaceDeprecated() {
        training.trainBatchSize = deprecated.trainBatchSize ?? training.trainBatchSize
        evaluation.evalBatchSize = deprecated.evalBatchSize ?? evaluation.evalBatchSize
        deprecated.trainBatchSize = nil
        deprecated.evalBatchSize = nil
    }

    /// Flags to configuration: everything that is wrong with them in one message.
    private mutating func resolvedConfiguration() throws -> RunConfiguration {
        var problems = Problems()
        for group in groups { group.check(&problems) }
        checkCombinations(&problems)
        let location = model.modelNameOrPath == nil ? nil : problems.catching(model.location)
        try problems.throwIfAny()
        guard let location else { preconditionFailure("what is missing is a problem that has been thrown") }
        replaceDeprecated()
        if training.doTrain { try checkpoints.chooseLoggingDirectory() }
        var configuration = try RunConfiguration(location, model, data, training, sampling)
        configuration.trains = training.doTrain
        configuration.training.mixedPrecision = devices.mixedPrecision
        checkpoints.apply(to: &configuration)
        evaluation.apply(to: &configuration, loggingSteps: checkpoints.loggingSteps)
        configuration.record = SettingsRecord(groups.flatMap(\.settings).map { ($0.name, $0.value) })
        return configuration
    }

    /// Adds what is wrong with flags of several groups together.
    private func checkCombinations(_ problems: inout Problems) {
        for (name, isGiven) in [("do_train", training.doTrain), ("do_predict", evaluation.doPredict)]
        where isGiven && checkpoints.outputDir == nil {
            problems.add("--output_dir is missing: where what --\(name) makes goes")
            break
        }
        if evaluation.evaluateDuringTraining, checkpoints.loggingSteps < 1 {
            problems.add(
                "--evaluate_during_training evaluates every --logging_steps updates, which is "
                    + "\(checkpoints.loggingSteps); it has to be at least 1")
        }
        if checkpoints.resumeFromCheckpoint != nil, !training.doTrain {
            problems.add("--resume_from_checkpoint goes on with training, and --do_train isn't given")
        }
    }
}

/// Parses the subcommands in place of `CamtlCommand`, which would keep those of their flags that bear the names of its
/// own for itself.
struct Subcommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camtl", version: "camtl \(camtlVersion)",
        subcommands: [Predict.self, InspectData.self, Convert.self, Tokenize.self, Download.self, Bench.self])

    static var names: [String] {
        configuration.subcommands.map { $0.configuration.commandName ?? "" }
    }

    static func named(_ name: String) -> (any ParsableCommand.Type)? {
        configuration.subcommands.first { $0.configuration.commandName == name }
    }
}
