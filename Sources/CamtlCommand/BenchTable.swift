import Foundation
import Tasks
import Training

extension Tables {
    /// A benchmark's figures: the machine on a line, then a table.
    static func benchmark(_ report: BenchmarkReport) -> String {
        let peak = report.gemmPeak
        var rows = [["", "each", "examples/s", "tokens/s", "GFLOP/s", "of peak"]]
        for training in report.training {
            let seconds = training.seconds.sorted()
            rows.append([
                "step of \(training.batchSize), \(training.sampling)",
                "\(text(training.median)) s (\(text(seconds.first ?? .nan))–\(text(seconds.last ?? .nan)))",
                text(training.examplesPerSecond), text(training.tokensPerSecond),
                text(training.operationsPerSecond / 1e9), percent(training.operationsPerSecond / peak),
            ])
        }
        if report.training.count == 2, let first = report.training.first, let last = report.training.last {
            let ratio = format(last.median / first.median, 2)
            rows.append(["\(last.sampling) to \(first.sampling)", "\(ratio) times", "", "", "", ""])
        }
        if let picks = report.picks, picks.picked > 0 {
            rows.append(["equal picks, \(picks.steps) steps", percent(picks.share), "", "", "", ""])
        }
        if let evaluation = report.evaluation {
            rows.append([
                "evaluation, batches of \(evaluation.batchSize)", "", text(evaluation.examplesPerSecond),
                text(evaluation.tokensPerSecond), text(evaluation.operationsPerSecond / 1e9),
                percent(evaluation.operationsPerSecond / peak),
            ])
        }
        if let tokenizer = report.tokenizer {
            rows.append([
                "tokenizer, one thread", "\(text(tokenizer.bytesPerSecond / 1e6)) MB/s",
                text(Double(tokenizer.rows) / Double(tokenizer.tokens) * tokenizer.tokensPerSecond),
                text(tokenizer.tokensPerSecond), "", "",
            ])
        }
        rows.append(["large matrix products", "", "", "", text(peak / 1e9), percent(1)])
        if let seconds = report.secondsToFirstStep {
            rows.append(["first step after", "\(text(seconds)) s", "", "", "", ""])
        }
        if let memory = report.peakMemoryOfTraining ?? report.peakMemory {
            rows.append(["peak memory", "\(text(Double(memory) / 1e6)) MB", "", "", "", ""])
        }
        if let memory = report.peakDeviceMemory {
            rows.append(["peak memory of the device", "\(text(Double(memory) / 1e6)) MB", "", "", "", ""])
        }
        let machine = report.machine
        let device = [report.device, report.products].filter { $0 != "cpu" && $0 != "fp32" }.map { $0 + "; " }.joined()
        return "\(machine.processor), \(report.threads) of \(machine.processors) threads, "
            + "\(format(Double(machine.memory) / 1e9, 1)) GB; libtorch \(report.libtorch), \(report.instructions); "
            + "\(device)\(report.encoderType), \(format(Double(report.parameters) / 1e6, 1)) million parameters, "
            + "\(report.tasks.count) tasks\n\n"
            + layOut(rows, rightAligned: [1, 2, 3, 4, 5])
    }

    /// With three or four digits that count.
    private static func text(_ value: Double) -> String {
        format(value, abs(value) < 1 ? 3 : abs(value) < 10 ? 2 : abs(value) < 100 ? 1 : 0)
    }
}
