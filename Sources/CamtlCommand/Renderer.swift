import CAMTL
import Foundation
import Tasks
import Training

/// Shows a run: a progress bar on a terminal, plain lines elsewhere, on standard error; the tables on standard output.
final class Renderer {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    /// Whether it names every tensor.
    private let isVerbose: Bool
    private var totalSteps = 0
    /// Updates that an earlier run made.
    private var firstStep = 0
    private var trainingStart = ContinuousClock.now
    private var hasBar = false
    /// The figures without a value that have been named.
    private var undefined: Set<String> = []
    /// Why the first table that could not be written to standard output could not.
    private(set) var failure: (any Error)?

    init(isVerbose: Bool = false) { self.isVerbose = isVerbose }

    func render(_ event: RunEvent) {
        switch event {
        case .computing(let device): line("computing on \(device)")
        case .loaded(let configuration, let report): show(configuration, report)
        case .passedOver(let folder, let reason): line("\(folder.path) is passed over: \(reason)")
        case .withoutChecksums(let folder):
            line(
                "warning: \(folder.path) has no checksums, as an earlier version wrote it: damage that leaves its "
                    + "files' sizes as they were is not noticed")
        case .nothingToResume: line("there is no checkpoint to go on from; training starts at the beginning")
        case .frozen(let report): show(report)
        case .placed(let task, let near, let loss):
            line("\(task) starts with the task embedding of \(near): its loss is \(String(format: "%.4f", loss))")
        case .encoded(let set, let split, let examples, let skipped, let origin):
            let damaged = skipped == 0 ? "" : ", \(skipped) rows left out, damaged or without a label"
            line("\(set) \(split.rawValue): \(examples) examples\(damaged) (\(origin.text))")
        case .evaluatesOnTraining(let task, let path):
            warn("\(task) is evaluated on \(path), which it is trained on: its figures say nothing of other texts")
        case .training(let event): show(event)
        case .trained(let summary): show(summary)
        case .saved(let folder): line("saved the model to \(folder.path)")
        case .evaluating: break
        case .evaluated(let report):
            table(Tables.evaluation(report))
            sayUndefined(report)
        case .predicted(let submission, let output): show(submission, in: output)
        }
    }

    /// Says, once of each, which figures have no value.
    private func sayUndefined(_ report: EvaluationReport) {
        for result in report.results {
            for entry in result.scores.entries where entry.value.isNaN {
                let figure = "\(result.name)_\(entry.metric.rawValue)"
                guard undefined.insert(figure).inserted else { continue }
                warn("\(figure) is not defined, as \(entry.metric.undefinedWhere)")
            }
        }
    }

    private func show(_ submission: Submission, in output: URL) {
        let folder = Submission.folder(in: output)
        for member in submission.members {
            let path = folder.appendingPathComponent(member.fileName).path
            line("\(member.predictions.set) test: \(member.predictions.count) rows predicted, \(path)")
        }
        guard submission.hasGLUE else { return }
        let archive = Submission.archive(in: output).path
        guard !submission.gaps.isEmpty else {
            return line("wrote \(archive): a complete submission of \(submission.members.count(where: \.isGLUE)) files")
        }
        line("warning: \(archive) is not a complete submission")
        for gap in submission.gaps { line("  \(gap)") }
    }

    private func show(_ configuration: ModelConfiguration, _ report: LoadReport) {
        line(
            "\(configuration.encoderType.rawValue): \(configuration.backbone.layerCount) layers of "
                + "\(configuration.backbone.hiddenSize), "
                + "tasks \(configuration.tasks.map(\.name).joined(separator: ", "))")
        line(report.summary)
        guard isVerbose else { return }
        for (what, names) in [("loaded", report.loaded), ("new", report.new), ("not used", report.unused)]
        where !names.isEmpty {
            line("\(what): \(patterns(of: names))")
        }
    }

    private func show(_ report: FreezeReport) {
        let share = Double(report.trainableCount) / Double(report.totalCount)
        line(report.frozen.isEmpty ? "nothing is frozen" : "frozen: \(TensorKinds(report.frozen))")
        if isVerbose, !report.frozen.isEmpty { line("frozen: \(patterns(of: report.frozen))") }
        line("\(report.trainableCount) of \(report.totalCount) parameters train (\(percent(share)))")
    }

    private func show(_ event: TrainingEvent) {
        switch event {
        case .started(let plan):
            totalSteps = plan.totalSteps
            trainingStart = .now
            line(
                "training on \(plan.examples) examples: \(plan.totalSteps) steps of \(plan.batchSize)"
                    + (plan.accumulationSteps > 1 ? " × \(plan.accumulationSteps)" : "")
                    + ", \(plan.batchesPerEpoch) batches an epoch")
        case .resumed(let step, let folder):
            firstStep = step
            line("going on after step \(step), from \(folder.path)")
        case .stepped(let report): show(report)
        case .skipped(let step, let scale):
            line("step \(step) is skipped: its gradients were not finite; the loss scale is now \(format(scale, 0))")
        case .logged(let report): show(report)
        case .evaluated(let step, let report):
            line("after step \(step):\n\(Tables.evaluation(report))")
            sayUndefined(report)
        case .saved(let folder): line("saved \(folder.path)")
        case .stoppedEarly(let stop): line("training ends early: \(stop)")
        case .noBest(let metric, let step):
            line(
                "warning: no evaluation had a number for \(metric), so that none was the best; the model at the end is "
                    + "that of the last step, \(step)")
        case .loadedBest(let step, let folder): line("the best model is that of step \(step): loaded \(folder.path)")
        }
    }

    private func show(_ report: StepReport) {
        guard isTerminal else { return }
        bar(
            text(
                report.step, epoch: report.epoch, loss: report.loss, rate: report.learningRate,
                examplesPerSecond: Double(report.examples) / max(report.seconds, 1e-9)),
            Double(report.step) / Double(totalSteps))
    }

    private func show(_ report: LogReport) {
        line(
            text(
                report.step, epoch: report.epoch, loss: report.loss, rate: report.learningRate,
                examplesPerSecond: report.examplesPerSecond))
    }

    private func text(
        _ step: Int, epoch: Double, loss: Double, rate: Double, examplesPerSecond: Double
    ) -> String {
        let elapsed = (ContinuousClock.now - trainingStart) / .seconds(1)
        let left = elapsed / Double(max(step - firstStep, 1)) * Double(totalSteps - step)
        return "step \(step)/\(totalSteps)  epoch \(format(epoch, 2))  loss \(format(loss, 4))"
            + "  rate \(String(format: "%.2e", rate))  \(format(examplesPerSecond, 1)) examples/s"
            + "  left \(duration(left))"
    }

    private func show(_ summary: TrainingSummary) {
        line(
            "\(summary.steps) steps in \(duration(summary.seconds)), "
                + "\(format(summary.seconds / Double(max(summary.steps, 1)), 3)) s each")
        table(Tables.usage(summary.usage))
    }

    /// Says what goes on all the same, but may not be what the user is after.
    func warn(_ text: String) { line("warning: \(text)") }

    /// A table can be read in the run's files as well, where it has an output folder: the run goes on without.
    private func table(_ text: String) {
        do {
            try writeToStandardOutput((text + "\n").utf8)
        } catch {
            if failure == nil { warn("\(error) The run goes on.") }
            failure = failure ?? error
        }
    }

    private func line(_ text: String) {
        let clear = hasBar ? "\r\u{1B}[K" : ""
        hasBar = false
        writeToStandardError(clear + text + "\n")
    }

    private func bar(_ text: String, _ share: Double) {
        let width = 20
        let full = min(width, Int(share * Double(width)))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        writeToStandardError("\r\u{1B}[K\(bar) \(text)")
        hasBar = true
    }
}

extension FeatureSet.Origin {
    fileprivate var text: String {
        switch self {
        case .cached: "from the cache"
        case .built: "encoded"
        case .rebuilt(let reason): "encoded anew: \(reason)"
        }
    }
}

func format(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

func percent(_ share: Double) -> String { format(100 * share, 1) + " %" }

/// Names in short: those that differ in their layer's number alone stand together, as in
/// `layer.{0-4}.output.dense.weight`.
func patterns(of names: [String]) -> String {
    var order: [String] = []
    var numbers: [String: [Int]] = [:]
    for name in names {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let place = parts.firstIndex { Int($0) != nil }
        let pattern = parts.enumerated().map { $0 == place ? "#" : String($1) }.joined(separator: ".")
        if numbers[pattern] == nil { order.append(pattern) }
        numbers[pattern, default: []] += place.flatMap { Int(parts[$0]) }.map { [$0] } ?? []
    }
    return order.map { pattern in
        let found = numbers[pattern] ?? []
        guard let first = found.first, let last = found.last else { return pattern }
        // A file's names may have any numbers: none is counted up to.
        let isRange =
            found.count > 1
            && zip(found, found.dropFirst()).allSatisfy { $0.addingReportingOverflow(1) == ($1, false) }
        let list = isRange ? "\(first)-\(last)" : found.map(String.init).joined(separator: ",")
        return pattern.replacingOccurrences(of: "#", with: found.count == 1 ? list : "{\(list)}")
    }.joined(separator: ", ")
}

private func duration(_ seconds: Double) -> String {
    let seconds = Int(max(0, min(seconds, 1e9)).rounded())
    return seconds < 3600
        ? String(format: "%d:%02d", seconds / 60, seconds % 60)
        : String(format: "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
