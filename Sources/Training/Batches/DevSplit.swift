import Foundation
import Tasks
import Torch

/// Parts a training set into one to train on and one to evaluate on.
public struct DevSplit: Sendable {
    /// Of the examples that are evaluated on, above 0 and below 1.
    let share: Double
    let seed: UInt64

    /// - Parameters:
    ///   - share: of the examples that are evaluated on, above 0 and below 1.
    ///   - seed: the run's.
    public init(share: Double, seed: UInt64) {
        self.share = share
        self.seed = seed
    }

    /// The two parts, each in the set's order. Of a classification's classes each has the same share in both, as near as
    /// whole examples come to it; one that has a single example is trained on.
    ///
    /// - Throws: `TaskError.tooFewExamples` if the set has too few examples for two parts.
    func split(_ whole: FeatureSet, of task: TaskDefinition) throws -> (train: FeatureSet, dev: FeatureSet) {
        // The windows of a row stay together.
        let starts = whole.rowStarts()
        let strata = starts.enumerated().map { row, index in
            if row % (1 << 16) == 0 { whole.releasePages() }
            return task.stratum(of: whole.target(at: Int(index)))
        }
        let isDev = try devPart(of: strata, task)
        func places(_ part: Bool) -> [UInt32] {
            isDev.indices.lazy.filter { isDev[$0] == part }.flatMap { row in
                starts[row]..<(row + 1 < starts.count ? starts[row + 1] : UInt32(whole.count))
            }
        }
        let name = "\(share) by \(seed)"
        return (
            whole.part(places(false), name: "training part, less \(name)"),
            whole.part(places(true), name: "dev part, \(name)")
        )
    }

    /// Which examples are evaluated on.
    ///
    /// - Parameters:
    ///   - strata: the stratum of each example.
    ///   - task: the one whose they are.
    /// - Throws: `TaskError.tooFewExamples` if there are too few examples for two parts.
    public func devPart(of strata: [Float], _ task: TaskDefinition) throws -> [Bool] {
        var groups: [Float: [UInt32]] = [:]
        for (stratum, count) in strata.reduce(into: [Float: Int](), { $0[$1, default: 0] += 1 }) {
            groups[stratum] = []
            groups[stratum]?.reserveCapacity(count)
        }
        for (index, stratum) in strata.enumerated() { groups[stratum, default: []].append(UInt32(index)) }
        var random = RandomStream(seed: seed, purpose: "dev share of \(task.name)")
        let ordered = groups.keys.sorted()
        for stratum in ordered { groups[stratum]?.shuffle(using: &random) }
        let sizes = ordered.map { groups[$0]?.count ?? 0 }
        var isDev = [Bool](repeating: false, count: strata.count)
        for (stratum, count) in zip(ordered, counts(of: sizes, using: &random)) {
            for index in groups[stratum]?.prefix(count) ?? [] { isDev[Int(index)] = true }
        }
        guard isDev.contains(true) else {
            throw TaskError.tooFewExamples(
                task: task.name, count: strata.count,
                wanted: "a dev set of \(String(format: "%g", share * 100))% beside a training set")
        }
        return isDev
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
