import Foundation
import Tasks
import Torch

/// Parts a training set into one to train on and one to evaluate on.
struct DevSplit {
    /// Of the examples that are evaluated on, above 0 and below 1.
    let share: Double
    let seed: UInt64

    /// The two parts, each in the set's order. Of a classification's classes each has the same share in both, as near as
    /// whole examples come to it; one that has a single example is trained on.
    ///
    /// - Throws: `TaskError.tooFewExamples` if the set has too few examples for two parts.
    func split(_ whole: FeatureSet, of task: TaskDefinition) throws -> (train: FeatureSet, dev: FeatureSet) {
        var groups: [Float: [Int]] = [:]
        // The windows of a row stay together.
        var windows: [[Int]] = []
        for index in 0..<whole.count {
            let marks = whole.marks(at: index)
            if marks.isContinuation, !windows.isEmpty { windows[windows.count - 1].append(index); continue }
            let isClass = !task.kind.labels.isEmpty && marks.target.count == 1
            groups[isClass ? marks.target[0] : 0, default: []].append(windows.count)
            windows.append([index])
        }
        var random = RandomStream(seed: seed, purpose: "dev share of \(task.name)")
        var isDev = [Bool](repeating: false, count: windows.count)
        let ordered = groups.sorted { $0.key < $1.key }.map { $0.value.shuffled(using: &random) }
        for (group, count) in zip(ordered, counts(of: ordered.map(\.count), using: &random)) {
            for index in group.prefix(count) { isDev[index] = true }
        }
        func positions(_ wanted: Bool) -> [Int] { isDev.indices.filter { isDev[$0] == wanted }.flatMap { windows[$0] } }
        let dev = positions(true)
        guard !dev.isEmpty else {
            throw TaskError.tooFewExamples(
                task: task.name, count: windows.count, wanted: "a dev set of \(String(format: "%g", share * 100))% beside a training set")
        }
        let name = "\(share) by \(seed)"
        return (
            whole.part(positions(false), name: "training part, less \(name)"),
            whole.part(dev, name: "dev part, \(name)")
        )
    }

    /// How many of each group are evaluated on: all together as many as the share of the whole is, of each the share
    /// rounded up or down. Those with the largest remainders are rounded up, and chance decides between equal ones.
    private func counts(of sizes: [Int], using random: inout RandomStream) -> [Int] {
        var counts = sizes.map { min($0 - 1, Int(share * Double($0))) }
        let remainders = zip(sizes, counts).map { share * Double($0) - Double($1) }
        var rest = Int((share * Double(sizes.reduce(0, +))).rounded()) - counts.reduce(0, +)
        let order = sizes.indices.shuffled(using: &random).enumerated()
            .sorted { (-remainders[$0.element], $0.offset) < (-remainders[$1.element], $1.offset) }
        for (_, group) in order where rest > 0 && counts[group] < sizes[group] - 1 && remainders[group] > 0 {
            counts[group] += 1
            rest -= 1
        }
        return counts
    }
}
