import Torch

/// Draws the training examples, epoch after epoch. What it draws depends on its arguments alone.
public struct Sampler: Sendable {
    /// The tokens of an example.
    public typealias Lengths = @Sendable (ExampleReference) -> Int

    /// Batches of an epoch.
    public let batchesPerEpoch: Int
    private let sampling: Sampling
    private let sizes: [(task: Int, count: Int)]
    private let batchSize: Int
    private let seed: UInt64
    private let lengths: Lengths?
    private var epoch = 0
    private var position = 0
    private var plan = EpochPlan()
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
    ///   - sizes: the tasks to train on, in order, each by its position in the model's list with its number of
    ///     examples, at least 1 and fewer than 2³² together.
    ///   - batchSize: examples of a batch; under uncertainty sampling also the candidates that each task offers.
    ///   - seed: what orders and choices are drawn with.
    ///   - lengths: if given, an epoch's batches are of examples of about one length. Under uncertainty sampling it
    ///     isn't used, as the model picks what goes into a batch.
    public init(
        _ sampling: Sampling, sizes: [(task: Int, count: Int)], batchSize: Int, seed: UInt64, lengths: Lengths? = nil
    ) {
        self.sampling = sampling
        self.sizes = sizes
        self.batchSize = batchSize
        self.seed = seed
        self.lengths = lengths
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
        case .uncertainty(let share, _, _, _):
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
        if sampling.picksCandidates {
            return .candidates(zip(loaders.indices, sizes).flatMap { loader, size in
                loaders[loader].nextBatch(batchSize).map { ExampleReference(task: size.task, index: Int($0)) }
            })
        }
        if position == 0 { planEpoch() }
        return .batch(plan.batch(position).map { Sampler.example($0, of: sizes) })
    }

    /// Setting it makes a sampler of the same arguments draw what this one would draw next.
    var place: Place {
        get {
            Place(
                epoch: epoch, position: position,
                loaders: sampling.picksCandidates ? loaders.map(\.place) : planStart)
        }
        set {
            (epoch, position) = (newValue.epoch, newValue.position)
            for (index, place) in zip(loaders.indices, newValue.loaders) { loaders[index].place = place }
            if position > 0 { planEpoch() }
        }
    }

    /// The place once `batch` batches (1…`batchesPerEpoch`) of an epoch are drawn, after `epoch` whole ones.
    func place(epoch: Int, batch: Int) -> Place {
        let places = loaders.indices.map { loader -> CyclingOrder.Place in
            switch sampling {
            case .proportional, .sequential: return CyclingOrder.Place(round: 0, position: 0)
            // Of a planned epoch the place before it counts.
            case .uniform(let share):
                return loaders[loader].place(examples: epoch * Sampler.perTask(share, sizes.map(\.count).max() ?? 0))
            case .uncertainty:
                return loaders[loader].place(batches: epoch * batchesPerEpoch + batch, of: batchSize)
            }
        }
        return Place(epoch: epoch, position: batch, loaders: places)
    }

    /// Lays out the batches of the current epoch.
    private mutating func planEpoch() {
        planStart = loaders.map(\.place)
        plan = EpochPlan()
        var random = RandomStream(seed: seed, purpose: "epoch \(epoch)")
        let count = sizes.map(\.count).reduce(0, +)
        switch sampling {
        case .proportional:
            add((0..<UInt32(count)).shuffled(using: &random), &random)
        case .sequential:
            var first: UInt32 = 0
            for size in sizes {
                add((first..<first + UInt32(size.count)).shuffled(using: &random), &random)
                first += UInt32(size.count)
            }
        case .uniform(let share):
            let count = Sampler.perTask(share, sizes.map(\.count).max() ?? 0)
            var all: [UInt32] = []
            all.reserveCapacity(count * sizes.count)
            var first: UInt32 = 0
            for (loader, size) in zip(loaders.indices, sizes) {
                for _ in 0..<count { all.append(first + loaders[loader].next()) }
                first += UInt32(size.count)
            }
            add(all.shuffled(using: &random), &random)
        case .uncertainty: break
        }
    }

    private mutating func add(_ examples: [UInt32], _ random: inout RandomStream) {
        guard let lengths else { return plan.add(examples, batchSize: batchSize) }
        let sizes = sizes
        plan.add(
            examples, batchSize: batchSize, groupedBy: { lengths(Sampler.example($0, of: sizes)) }, random: &random)
    }

    /// The example of a number that counts the tasks' examples, one task after the other.
    private static func example(_ number: UInt32, of sizes: [(task: Int, count: Int)]) -> ExampleReference {
        var index = Int(number)
        for size in sizes {
            if index < size.count { return ExampleReference(task: size.task, index: index) }
            index -= size.count
        }
        preconditionFailure("example \(number) of \(sizes)")
    }
}

/// The batches of an epoch: four bytes an example.
private struct EpochPlan: Sendable {
    /// As Hugging Face's Trainer has it under `group_by_length`: batches of a megabatch.
    private static let batchesPerMegabatch = 50

    private var examples: [UInt32] = []
    /// Where each batch ends.
    private var ends: [Int] = []

    func batch(_ position: Int) -> ArraySlice<UInt32> {
        examples[(position == 0 ? 0 : ends[position - 1])..<ends[position]]
    }

    /// Adds examples in their order, cut into batches.
    mutating func add(_ more: [UInt32], batchSize: Int) {
        let start = examples.count
        if examples.isEmpty { examples = more } else { examples += more }
        for first in stride(from: start, to: examples.count, by: batchSize) {
            ends.append(min(first + batchSize, examples.count))
        }
    }

    /// Adds examples in random order as batches of about one length: those of a megabatch are sorted by falling length
    /// and cut into batches, and all whole batches are then put in random order.
    mutating func add(
        _ more: [UInt32], batchSize: Int, groupedBy length: (UInt32) -> Int, random: inout RandomStream
    ) {
        let megabatch = batchSize * max(1, min(EpochPlan.batchesPerMegabatch, more.count / (4 * batchSize)))
        var sorted: [UInt32] = []
        for first in stride(from: 0, to: more.count, by: megabatch) {
            let part = more[first..<min(first + megabatch, more.count)].enumerated()
                .map { (length: length($1), place: $0, example: $1) }
            // Equal lengths stay in their random order.
            sorted += part.sorted { ($1.length, $0.place) < ($0.length, $1.place) }.map(\.example)
        }
        let whole = (0..<more.count / batchSize).shuffled(using: &random)
        add(
            whole.flatMap { sorted[$0 * batchSize..<($0 + 1) * batchSize] } + sorted[(whole.count * batchSize)...],
            batchSize: batchSize)
    }
}

/// One task's examples in random order, each once before any comes again.
private struct CyclingOrder: Sendable {
    private let task: Int
    private let count: Int
    private let seed: UInt64
    private var order: [UInt32] = []
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
            order = round > 0 ? order(ofRound: round - 1) : []
        }
    }

    /// The place after so many calls of `next()`.
    func place(examples: Int) -> Place {
        guard examples > 0 else { return Place(round: 0, position: 0) }
        return Place(round: (examples - 1) / count + 1, position: (examples - 1) % count + 1)
    }

    /// The place after so many calls of `nextBatch(size)`.
    func place(batches: Int, of size: Int) -> Place {
        guard batches > 0 else { return Place(round: 0, position: 0) }
        let perRound = (count + size - 1) / size
        return Place(
            round: (batches - 1) / perRound + 1, position: min(((batches - 1) % perRound + 1) * size, count))
    }

    private func order(ofRound round: Int) -> [UInt32] {
        var random = RandomStream(seed: seed, purpose: "task \(task) round \(round)")
        return (0..<UInt32(count)).shuffled(using: &random)
    }

    mutating func next() -> UInt32 {
        if position == order.count {
            order = order(ofRound: round)
            position = 0
            round += 1
        }
        defer { position += 1 }
        return order[position]
    }

    /// The next `size` examples, or fewer where a round ends: as a data loader that keeps its last batch.
    mutating func nextBatch(_ size: Int) -> [UInt32] {
        var batch = [next()]
        while batch.count < size, position < order.count { batch.append(next()) }
        return batch
    }
}
