import CAMTL
import Foundation
import Tasks
import Torch

/// A task's sets of examples, encoded.
public struct TaskData: Sendable {
    public var definition: TaskDefinition
    /// The task's position in the model's list.
    public var id: Int
    /// nil where there is no training.
    public var train: FeatureSet?
    /// The sets it is evaluated on, by name.
    public var dev: [(name: String, features: FeatureSet)]
    /// The sets it predicts, by name.
    public var test: [(name: String, features: FeatureSet)]

    public init(
        definition: TaskDefinition, id: Int, train: FeatureSet?, dev: [(name: String, features: FeatureSet)],
        test: [(name: String, features: FeatureSet)] = []
    ) {
        self.definition = definition
        self.id = id
        self.train = train
        self.dev = dev
        self.test = test
    }
}

/// The training sets of a run's tasks, by the tasks' positions in the model's list.
struct TrainingSets: Sendable {
    private let sets: [Int: (features: FeatureSet, kind: any TaskKind)]

    init(_ tasks: [TaskData]) {
        sets = tasks.reduce(into: [:]) { sets, task in
            sets[task.id] = task.train.map { ($0, task.definition.kind) }
        }
    }

    func features(of task: Int) -> FeatureSet { set(task).features }

    func hasFractionalTargets(_ task: Int) -> Bool { set(task).kind.hasFractionalTargets }

    /// What an example weighs in the mean of its task's losses.
    func lossWeight(_ example: ExampleReference) -> Double {
        let (features, kind) = set(example.task)
        return kind.lossWeight(of: features.target(at: example.index)[...])
    }

    /// The tokens of an example.
    @Sendable func length(_ example: ExampleReference) -> Int {
        features(of: example.task).length(at: example.index)
    }

    /// Gives back the memory that the examples looked at take.
    func releasePages() { sets.values.forEach { $0.features.releasePages() } }

    private func set(_ task: Int) -> (features: FeatureSet, kind: any TaskKind) {
        guard let set = sets[task] else { preconditionFailure("a sampler draws from the tasks it was given") }
        return set
    }
}

extension PackedBatch {
    /// Tokens of a forward pass without gradients: enough work for each call of the library, on the CPU on numbers that
    /// stay in its caches.
    static func pieceTokens(on device: Device) -> Int { device == .cpu ? 2048 : 32_768 }

    /// Adds an example of a task's set.
    mutating func append(_ features: FeatureSet, at index: Int, taskID: Int) {
        features.withExample(at: index) { example in
            var start = 0
            for (number, sequence) in example.sequences.enumerated() {
                let second = sequence.length - sequence.firstSegmentLength
                append(
                    inputIDs: example.inputIDs[start..<start + sequence.length],
                    tokenTypeIDs: repeatElement(0, count: sequence.firstSegmentLength) + Array(repeating: 1, count: second),
                    taskID: taskID, continuesExample: number > 0)
                start += sequence.length
            }
        }
    }
}

/// Positions in order of rising length, cut into pieces of at most `tokens` tokens but at least `size` sequences. Equal
/// lengths stay in order.
func piecesByLength(_ lengths: [Int], atLeast size: Int, tokens: Int) -> [[Int]] {
    var pieces: [[Int]] = []
    var piece: [Int] = []
    var sum = 0
    for position in lengths.indices.sorted(by: { (lengths[$0], $0) < (lengths[$1], $1) }) {
        if !piece.isEmpty, piece.count >= size, sum + lengths[position] > tokens {
            pieces.append(piece)
            (piece, sum) = ([], 0)
        }
        piece.append(position)
        sum += lengths[position]
    }
    return piece.isEmpty ? pieces : pieces + [piece]
}
