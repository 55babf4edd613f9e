import CAMTL
import Foundation
import Tasks

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

extension [TaskData] {
    /// The tokens of training examples.
    func lengths(of examples: [ExampleReference]) -> [Int] {
        let sets = Dictionary(uniqueKeysWithValues: map { ($0.id, $0.train) })
        return examples.map { sets[$0.task]??.length(at: $0.index) ?? 0 }
    }
}

extension PackedBatch {
    /// Adds an example of a task's set.
    mutating func append(_ features: FeatureSet, at index: Int, taskID: Int) {
        features.withExample(at: index) { example in
            let second = example.inputIDs.count - example.firstSegmentLength
            append(
                inputIDs: example.inputIDs,
                tokenTypeIDs: repeatElement(0, count: example.firstSegmentLength) + Array(repeating: 1, count: second),
                taskID: taskID)
        }
    }
}

/// Positions in order of rising length, cut into batches: little is lost to the longest of a batch. Equal lengths stay
/// in order.
func batchesByLength(_ lengths: [Int], size: Int) -> [[Int]] {
    let sorted = lengths.indices.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
    return stride(from: 0, to: sorted.count, by: size).map { Array(sorted[$0..<min($0 + size, sorted.count)]) }
}
