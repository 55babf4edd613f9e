import Torch

/// Draws the training examples, epoch after epoch. What it draws depends on its arguments alone.
public struct Sampler: Sendable {
    /// Batches of an epoch.
    public let batchesPerEpoch: Int
    private let sampling: Sampling
    private let sizes: [(task: Int, count: Int)]
    private let batchSize: Int
    private let seed: UInt64
    private var epoch = 0
    private var position = 0
    private var batches: [[ExampleReference]] = []
    private var loaders: [CyclingOrder]
    /// The loaders' places before the current epoch was planned.
    private var planStart: [CyclingOrder.Place]

    /// How far it has come.
    struct Place: Sendable, Equatable, Codable {
        fileprivate var epoch: Int
        fileprivate var position: Int
        fileprivate var loaders: [CyclingOrder.Place]
    }

    /// - Parameters:
    ///   - sampling: how examples are chosen.
    ///   - sizes: the tasks to train on, in order, each by its position in the model's list with its number of examples, at
    ///     least 1.
    ///   - batchSize: examples of a batch; under uncertainty sampling also the candidates that each task offers.
    ///   - seed: what orders and choices are drawn with.
    public init(_ sampling: Sampling, sizes: [(task: Int, count: Int)], batchSize: Int, seed: UInt64) {
        self.sampling = sampling
        self.sizes = sizes
        self.batchSize = batchSize
        self.seed = seed
        loaders = sizes.map { CyclingOrder(task: $0.task, count: $0.count, seed: seed) }
        planStart = loaders.map(\.place)
        batchesPerEpoch = Sampler.batchesPerEpoch(sampling, sizes.map(\.count), batchSize)
    }

    private static func batchesPerEpoch(_ sampling: Sampling, _ counts: [Int], _ batchSize: Int) -> Int {
        func batches(_ count: Int) -> Int { (count + batchSize - 1) / batchSize }
        let largest = counts.max() ?? 0
        switch sampling {
        case .proportional: return batches(counts.reduce(0, +))
        case .sequential: return counts.map(batches).reduce(0, +)
        case .uniform(let share): return batches(counts.count * perTask(share, largest))
        case .uncertainty(let share, _):
            return max(1, Int(Double(batches(largest) * counts.count) * min(1, max(0, share))))
        }
    }

    /// A uniform epoch's examples of each task.
    private static func perTask(_ share: Double, _ largest: Int) -> Int {
        max(1, Int((min(1, max(0, share)) * Double(largest)).rounded()))
    }

    public mutating func next() -> Draw {
        if position == batchesPerEpoch {
            epoch += 1
            position = 0
        }
        defer { position += 1 }
        if case .uncertainty = sampling {
            return .candidates(loaders.indices.flatMap { loaders[$0].nextBatch(batchSize) })
        }
        if position == 0 { batches = plan() }
        return .batch(batches[position])
    }

    /// Setting it makes a sampler of the same arguments draw what this one would draw next.
    var place: Place {
        get {
            var isPlanned = true
            if case .uncertainty = sampling { isPlanned = false }
            return Place(
                epoch: epoch, position: position, loaders: isPlanned ? planStart : loaders.map(\.place))
        }
        set {
            (epoch, position) = (newValue.epoch, newValue.position)
            for (index, place) in zip(loaders.indices, newValue.loaders) { loaders[index].place = place }
            if position > 0 { batches = plan() }
        }
    }

    /// The batches of the current epoch.
    private mutating func plan() -> [[ExampleReference]] {
        planStart = loaders.map(\.place)
        var random = RandomStream(seed: seed, purpose: "epoch \(epoch)")
        switch sampling {
        case .proportional:
            let all = sizes.flatMap { size in
                (0..<size.count).map { ExampleReference(task: size.task, index: $0) }
            }
            return chunks(all.shuffled(using: &random))
        case .sequential:
            return sizes.flatMap { size in
                chunks((0..<size.count).map { ExampleReference(task: size.task, index: $0) }.shuffled(using: &random))
            }
        case .uniform(let share):
            let count = Sampler.perTask(share, sizes.map(\.count).max() ?? 0)
            let all = loaders.indices.flatMap { task in (0..<count).map { _ in loaders[task].next() } }
            return chunks(all.shuffled(using: &random))
        case .uncertainty:
            return []
        }
    }

    private func chunks(_ examples: [ExampleReference]) -> [[ExampleReference]] {
        stride(from: 0, to: examples.count, by: batchSize).map {
            Array(examples[$0..<min($0 + batchSize, examples.count)])
        }
    }
}

/// One task's examples in random order, each once before any comes again.
private struct CyclingOrder: Sendable {
    private let task: Int
    private let count: Int
    private let seed: UInt64
    private var order: [Int] = []
    private var position = 0
    /// Rounds begun.
    private var round = 0

    struct Place: Sendable, Equatable, Codable {
        var round: Int
        var position: Int
    }

    init(task: Int, count: Int, seed: UInt64) {
        self.task = task
        self.count = count
        self.seed = seed
    }

    var place: Place {
        get { Place(round: round, position: position) }
        set {
            (round, position) = (newValue.round, newValue.position)
            if round > 0 { order = order(ofRound: round - 1) }
        }
    }

    private func order(ofRound round: Int) -> [Int] {
        var random = RandomStream(seed: seed, purpose: "task \(task) round \(round)")
        return (0..<count).shuffled(using: &random)
    }

    mutating func next() -> ExampleReference {
        if position == order.count {
            order = order(ofRound: round)
            position = 0
            round += 1
        }
        defer { position += 1 }
        return ExampleReference(task: task, index: order[position])
    }

    /// The next `size` examples, or fewer where a round ends: as a data loader that keeps its last batch.
    mutating func nextBatch(_ size: Int) -> [ExampleReference] {
        var batch = [next()]
        while batch.count < size, position < order.count { batch.append(next()) }
        return batch
    }
}
