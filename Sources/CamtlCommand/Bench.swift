import ArgumentParser
import Files
import Foundation
import Torch
import Training

extension BenchmarkSettings.Part: ExpressibleByArgument {}

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine for a model and data.",
        discussion: """
            Trains some steps, evaluates rows of the dev sets and tokenizes rows of the training sets, as a run with \
            the same flags would, and prints how fast that was, and what share of the machine's peak. It keeps nothing \
            of what it trained.
            """)

    @OptionGroup(title: "Benchmark") var bench: BenchOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Devices") var devices: DeviceOptions

    func run() throws {
        var problems = Problems()
        bench.check(&problems)
        for group in [model, data, training, sampling, devices] as [any SettingsGroup] { group.check(&problems) }
        if bench.comparedSteps > 0, sampling.scoringPrecision == .exact {
            problems.add(
                "--bench_picks compares the picks of --uncertainty_scoring int8 under --sampling uncertainty with exact "
                    + "ones; give these, too, or leave it out")
        }
        let location = model.modelNameOrPath == nil ? nil : problems.catching(model.location)
        try problems.throwIfAny()
        guard try Launch.find(ProcessInfo.processInfo.environment, localRank: devices.localRank) == nil else {
            throw CommandError("camtl bench measures one process; start it without torchrun or srun")
        }
        guard let location else { preconditionFailure("what is missing is a problem that has been thrown") }
        for file in bench.files { try OutputFile.check(file) }
        try bench.checkFilesDiffer()
        let precisions = [("uncertainty_scoring", sampling.scoringPrecision), ("eval_precision", bench.evalPrecision)]
        let (device, warning) = try Device.choose(allowsCUDA: !devices.placement.noCUDA, launch: nil)
        warn(Precision.warnings(precisions) + (try devices.apply(on: device, precisions)))
        warn((warning.map { [$0] } ?? []) + sampling.warnings)
        if let threads = devices.threads { setThreadCount(threads) }
        var configuration = try RunConfiguration(location, model, data, training, sampling)
        configuration.model.device = device
        configuration.training.mixedPrecision = devices.mixedPrecision
        configuration.training.evaluationBatchSize = bench.evalBatchSize
        configuration.training.evaluationPrecision = bench.evalPrecision
        configuration.training.readsEveryPosition = bench.everyPosition
        let renderer = Renderer()
        let report = try Benchmark(configuration, settings: bench.settings) { event in
            if case .encoded = event { renderer.render(event) }
        }()
        if let path = bench.json { try report.write(to: URL(fileURLWithPath: path)) }
        try endingQuietly { try writeToStandardOutput("\(Tables.benchmark(report))\n".utf8) }
    }
}

struct BenchOptions: ParsableArguments {
    @Option(
        name: .customLong("measure"), parsing: .upToNextOption,
        help: "What to measure: training, evaluation, tokenizer. (default: all three)")
    var parts: [BenchmarkSettings.Part] = []

    @Option(name: .customLong("bench_steps"), parsing: .unconditional, help: "Training steps to measure.")
    var steps = 20

    @Option(name: .customLong("bench_warmup"), parsing: .unconditional, help: "Training steps before those.")
    var warmup = 3

    @Option(
        name: .customLong("bench_picks"), parsing: .unconditional,
        help: "Steps to train to compare the picks of --uncertainty_scoring int8 with exact ones.")
    var comparedSteps = 0

    @Flag(
        name: .customLong("every_position"),
        help: "Compute the encoder's output for every token, and not only where the decoders read it.")
    var everyPosition = false

    @Option(
        name: .customLong("bench_examples"), parsing: .unconditional,
        help: "Rows of the dev sets to evaluate, spread over all sets.")
    var examples = 2048

    @Option(
        name: .customLong("per_device_eval_batch_size"), parsing: .unconditional,
        help: "Examples of a batch in evaluation.")
    var evalBatchSize = 8

    @Option(name: .customLong("eval_precision"), help: "How exactly evaluation computes: exact, or int8.")
    var evalPrecision = Precision.exact

    @Option(
        name: .customLong("task_count"), parsing: .unconditional,
        help: "How many tasks to train: those named, and copies of them. (default: those named)")
    var taskCount: Int?

    @Option(name: .customLong("json"), help: "A file to write the figures to.", completion: .file())
    var json: String?

    @Option(
        name: .customLong("write_batches"),
        help: "A file to write the training batches to, those before the measured ones first: JSON lines.")
    var batchesFile: String?

    @Option(name: .customLong("write_eval_rows"), help: "A file to write the evaluated rows to: JSON lines.")
    var evaluationFile: String?

    @Option(
        name: .customLong("write_texts"), help: "A file to write the tokenized texts to, as camtl predict takes them.")
    var textsFile: String?

    /// All that are written.
    var files: [URL] {
        [json, batchesFile, evaluationFile, textsFile].compactMap { $0.map { URL(fileURLWithPath: $0) } }
    }

    /// Refuses two results for one file, which would keep the last one alone.
    func checkFilesDiffer() throws {
        for (number, file) in files.enumerated() {
            for other in files[..<number]
            where file.standardizedFileURL == other.standardizedFileURL || isSameFile(file, other) {
                guard !FileManager.default.fileExists(atPath: file.path) || isRegularFile(file) else { continue }
                throw CommandError("\(file.path): two results are to be written to this file; name another")
            }
        }
    }

    var settings: BenchmarkSettings {
        var settings = BenchmarkSettings()
        if !parts.isEmpty { settings.parts = Set(parts) }
        settings.steps = steps
        settings.warmupSteps = warmup
        settings.comparedSteps = comparedSteps
        settings.evaluationExamples = examples
        settings.taskCount = taskCount
        settings.batchesFile = batchesFile.map { URL(fileURLWithPath: $0) }
        settings.evaluationFile = evaluationFile.map { URL(fileURLWithPath: $0) }
        settings.textsFile = textsFile.map { URL(fileURLWithPath: $0) }
        return settings
    }

    func check(_ problems: inout Problems) {
        problems.check("bench_steps", steps, to: 1_000_000)
        problems.check("bench_warmup", warmup, to: 1_000_000)
        problems.check("bench_picks", comparedSteps, from: 0)
        problems.check("bench_examples", examples)
        problems.check("per_device_eval_batch_size", evalBatchSize)
        problems.check("task_count", taskCount, to: 1000)
        let needed: [(flag: String, file: String?, part: BenchmarkSettings.Part)] = [
            ("write_batches", batchesFile, .training), ("write_eval_rows", evaluationFile, .evaluation),
            ("write_texts", textsFile, .tokenizer),
        ]
        for (flag, file, part) in needed where file != nil && !parts.isEmpty && !parts.contains(part) {
            problems.add("--\(flag) writes what \(part.rawValue) is measured with, and --measure leaves that out")
        }
    }
}
