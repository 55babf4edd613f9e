import ArgumentParser
import Foundation
import Training

/// Where `--resume_from_checkpoint` goes on from.
enum ResumePoint: ExpressibleByArgument, CustomStringConvertible {
    case newest
    case folder(String)

    init?(argument: String) { self = .folder(argument) }

    var description: String {
        switch self {
        case .newest: "the newest"
        case .folder(let path): path
        }
    }
}

struct CheckpointOptions: SettingsGroup {
    @Option(
        name: .customLong("output_dir"),
        help: "Where the model, its checkpoints and the figures go. (required to train or predict)",
        completion: .directory)
    var outputDir: String?

    @Flag(name: .customLong("overwrite_output_dir"), help: "Write into an output folder that is not empty.")
    var overwriteOutputDir = false

    @Option(
        name: .customLong("save_steps"), parsing: .unconditional,
        help: "Updates between two checkpoints; 0 writes none.")
    var saveSteps = 500

    @Option(
        name: .customLong("save_total_limit"), parsing: .unconditional,
        help: "How many checkpoints are kept: the newest, and never without the best. (default: all)")
    var saveTotalLimit: Int?

    @Option(
        name: .customLong("resume_from_checkpoint"), defaultAsFlag: ResumePoint.newest, parsing: .next,
        help: "Go on from a checkpoint's folder, or from the newest in the output folder.", completion: .directory)
    var resumeFromCheckpoint: ResumePoint?

    @Option(
        name: .customLong("logging_dir"),
        help: "Where TensorBoard's files go. (default: runs/DATE_HOST_NUMBER)", completion: .directory)
    var loggingDir: String?

    @Flag(
        name: .customLong("logging_first_step"),
        help: "Log the first update, too, and evaluate it under --evaluate_during_training.")
    var loggingFirstStep = false

    @Option(
        name: .customLong("logging_steps"), parsing: .unconditional,
        help: "Updates between two log lines, and two evaluations; 0 logs none.")
    var loggingSteps = 500

    @Flag(name: .customLong("verbose"), help: "Name every tensor that is loaded, new, unused or frozen.")
    var verbose = false

    var settings: [Setting] {
        let resume: SettingsRecord.Value? = resumeFromCheckpoint.map {
            switch $0 {
            case .newest: .flag(true)
            case .folder(let path): .text(URL(fileURLWithPath: path).path)
            }
        }
        return [
            Setting("output_dir", path: outputDir), Setting("overwrite_output_dir", overwriteOutputDir),
            Setting("save_steps", saveSteps), Setting("save_total_limit", saveTotalLimit),
            Setting("resume_from_checkpoint", .flagOrText, resume), Setting("logging_dir", path: loggingDir),
            Setting("logging_first_step", loggingFirstStep), Setting("logging_steps", loggingSteps),
            Setting("verbose", verbose),
        ]
    }

    func check(_ problems: inout Problems) {
        for (name, count) in [("save_steps", saveSteps), ("logging_steps", loggingSteps)]
        where count > Problems.highestCount {
            problems.add("--\(name) is \(count); \(Problems.highestCount) is the most")
        }
    }

    func apply(to configuration: inout RunConfiguration) {
        configuration.outputDirectory = outputDir.map { URL(fileURLWithPath: $0) }
        configuration.overwritesOutput = overwriteOutputDir
        configuration.loggingDirectory = loggingDir.map { URL(fileURLWithPath: $0) }
        configuration.training.saveSteps = CheckpointOptions.interval(saveSteps)
        // Below 1, as in the original, there is no limit.
        configuration.training.saveTotalLimit = saveTotalLimit.flatMap { $0 > 0 ? $0 : nil }
        configuration.training.loggingSteps = CheckpointOptions.interval(loggingSteps)
        configuration.training.logsFirstStep = loggingFirstStep
        configuration.resumes = resumeFromCheckpoint.map {
            switch $0 {
            case .newest: .newest
            case .folder(let path): .checkpoint(URL(fileURLWithPath: path))
            }
        }
    }

    /// Updates between two events; no run gets to the last of them if there are to be none.
    private static func interval(_ steps: Int) -> Int { steps > 0 ? steps : .max }

    /// Takes a folder for the logs if none is given: that of the run which is resumed, or else one by the time and
    /// the machine.
    mutating func chooseLoggingDirectory() throws {
        guard loggingDir == nil else { return }
        if resumeFromCheckpoint != nil, let outputDir {
            let earlier = outputDir + "/" + SettingsRecord.fileName
            if FileManager.default.fileExists(atPath: earlier) {
                loggingDir = try SettingsFile(path: earlier, isNamed: false).text("logging_dir")
            }
        }
        loggingDir = loggingDir ?? CheckpointOptions.defaultLoggingDirectory
    }

    /// Such as `runs/Jan31_18-00-59_HOST_1f0c9a7e`: with a number of the run's own, as several may begin in one second.
    private static var defaultLoggingDirectory: String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "MMMdd_HH-mm-ss"
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .replacingOccurrences(of: "/", with: "_")
        let number = String(format: "%08x", UInt32.random(in: 0 ... .max))
        return "runs/\(format.string(from: Date()))_\(host)_\(number)"
    }
}
