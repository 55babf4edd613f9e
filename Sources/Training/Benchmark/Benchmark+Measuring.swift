import CAMTL
import Foundation
import Tasks
import Tokenization
import Torch

/// What is measured besides training.
extension Benchmark {
    static func median(_ values: [Double]) -> Double {
        if values.isEmpty { return .nan }
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    /// The most floating-point operations a second that products of large square matrices come to, with the threads that
    /// are set: the median of many products, of the size and the way that is fastest.
    ///
    /// - Parameters:
    ///   - device: what computes them.
    ///   - type: the matrices' elements.
    ///   - seconds: how long a product takes.
    static func gemmPeak(
        on device: Device, _ type: DType, seconds: (() throws -> Tensor) throws -> Double = medianTime
    ) throws -> Double {
        // libtorch's own products and those of linear layers are not everywhere the same library's.
        let ways: [(Tensor, Tensor) throws -> Tensor] = [
            { try $0.matrixMultiplied($1) }, { try linear($0, weight: $1, bias: nil) },
        ]
        var peak = 0.0
        for size in device == .cpu ? [1024, 1536, 2048] : [4096, 8192] {
            let left = try Tensor.normal([size, size], std: 1, seed: 1).to(type, device: device)
            let right = try Tensor.normal([size, size], std: 1, seed: 2).to(type, device: device)
            let operations = 2 * Double(size) * Double(size) * Double(size)
            for way in ways { peak = max(peak, operations / (try seconds { try way(left, right) })) }
        }
        return peak
    }

    /// The seconds that a tensor takes to compute: the median of many.
    private static func medianTime(_ body: () throws -> Tensor) throws -> Double {
        var times: [Double] = []
        var spent = 0.0
        // The first product also makes the library's buffers.
        while times.count < 5 || spent < 0.3 {
            let start = ContinuousClock.now
            let product = try body()
            // A device is waited for.
            if product.device != .cpu { _ = try Readback(product.narrowed(0, 0..<1)).tensor() }
            times.append((ContinuousClock.now - start).seconds)
            spent += times[times.count - 1]
        }
        return median(times)
    }

    /// Rows of all dev sets, spread evenly over each, as evaluation takes them to their logits.
    func measureEvaluation(_ model: CAMTLModel, _ tasks: [TaskData]) throws -> BenchmarkReport.Evaluation {
        let evaluator = Evaluator(
            model: model, batchSize: configuration.training.evaluationBatchSize,
            precision: configuration.training.evaluationPrecision)
        let sets = tasks.flatMap { task in task.dev.map { (task: task, features: $0.features) } }
        let total = sets.map(\.features.count).reduce(0, +)
        let picks = sets.map { set in
            let count = set.features.count
            let wanted = min(count, (settings.evaluationExamples * count + total - 1) / total)
            return (0..<wanted).map { $0 * count / wanted }
        }
        if let file = settings.evaluationFile {
            try BenchmarkRows.write(
                zip(sets, picks).lazy.flatMap { set, rows in
                    rows.lazy.map { BenchmarkRows.Row(set.features, at: $0, task: set.task.definition.name) }
                }, to: file)
        }
        var result = BenchmarkReport.Evaluation(
            batchSize: evaluator.batchSize, examples: 0, tokens: 0, operations: 0, seconds: 0)
        // Once for the library's buffers.
        for pass in 0..<2 {
            for (set, rows) in zip(sets, picks) {
                let rows = pass == 0 ? Array(rows.prefix(evaluator.batchSize)) : rows
                let lengths = rows.map(set.features.length)
                let kind = set.task.definition.kind
                let sizes = rows.map { Evaluator.Size(set.features, at: $0, kind: kind) }
                let start = ContinuousClock.now
                _ = try evaluator.logits(task: set.task.id, sizes: sizes) {
                    $1.append(set.features, at: rows[$0], taskID: set.task.id)
                }
                guard pass == 1 else { continue }
                result.seconds += (ContinuousClock.now - start).seconds
                result.examples += rows.count
                result.tokens += lengths.reduce(0, +)
                result.operations += model.arithmetic.operations(
                    lengths: lengths, taskIDs: rows.map { _ in set.task.id }
                ).forward
            }
        }
        return result
    }

    /// Rows of the training sets, spread evenly over each, from their bytes to ids.
    /// - Parameter tasks: the run's.
    func measureTokenizer(
        _ tokenizer: WordPieceTokenizer, maxLength: Int, tasks: [TaskDefinition]
    ) throws -> BenchmarkReport.Tokenizer {
        let rows = try tasks.flatMap { task in
            let all = try task.examples(in: task.train, dataDirectory: configuration.dataDirectory).examples
            let count = min(all.count, settings.tokenizerRows)
            return (0..<count).map { (task: task.name, example: all[$0 * all.count / count]) }
        }
        if let file = settings.textsFile {
            try BenchmarkRows.write(rows.lazy.map { BenchmarkRows.TextRow($0.example, task: $0.task) }, to: file)
        }
        let texts = rows.map { (Array($0.example.first.utf8)[...], $0.example.second.map { Array($0.utf8)[...] }) }
        var result = BenchmarkReport.Tokenizer(
            rows: texts.count, bytes: texts.reduce(0) { $0 + $1.0.count + ($1.1?.count ?? 0) }, tokens: 0, seconds: [])
        for _ in 0..<5 {
            let start = ContinuousClock.now
            result.tokens = texts.reduce(0) {
                $0 + tokenizer.encode(utf8: $1.0, pair: $1.1, maxLength: maxLength).inputIDs.count
            }
            result.seconds.append((ContinuousClock.now - start).seconds)
        }
        return result
    }
}
