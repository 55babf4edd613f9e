import Foundation

/// Which training examples have been used for updates.
public struct ExampleUsage: Sendable, Equatable {
    public struct Task: Sendable, Equatable {
        public var name: String
        /// The task's training examples.
        public var available: Int
        /// Those that were in an update at least once.
        public var used: Int
        /// How often an example of the task was in an update.
        public var updates: Int

        public var share: Double { Double(used) / Double(available) }
    }

    public private(set) var tasks: [Int: Task] = [:]
    private var seen: [Int: [Bool]] = [:]

    init(_ tasks: [(id: Int, name: String, count: Int)]) {
        for task in tasks {
            self.tasks[task.id] = Task(name: task.name, available: task.count, used: 0, updates: 0)
            seen[task.id] = Array(repeating: false, count: task.count)
        }
    }

    mutating func record(_ examples: [ExampleReference]) {
        for example in examples {
            tasks[example.task]?.updates += 1
            guard seen[example.task]?[example.index] == false else { continue }
            seen[example.task]?[example.index] = true
            tasks[example.task]?.used += 1
        }
    }

    /// A bit an example, by task: whether it has been used; with how often the task's were.
    struct Record: Sendable, Equatable, Codable {
        var updates: Int
        var seen: Data
    }

    /// Setting it makes the count go on from there.
    var records: [Int: Record] {
        get {
            tasks.keys.reduce(into: [:]) { records, task in
                let seen = seen[task, default: []]
                var bits = Data(count: (seen.count + 7) / 8)
                for (index, isSeen) in seen.enumerated() where isSeen { bits[index / 8] |= 1 << (index % 8) }
                records[task] = Record(updates: tasks[task]?.updates ?? 0, seen: bits)
            }
        }
        set {
            for (task, record) in newValue {
                guard let count = seen[task]?.count, record.seen.count == (count + 7) / 8 else { continue }
                let used = (0..<count).map { record.seen[$0 / 8] >> ($0 % 8) & 1 == 1 }
                seen[task] = used
                tasks[task]?.used = used.count { $0 }
                tasks[task]?.updates = record.updates
            }
        }
    }

    /// Whether so many examples of these tasks in updates can have left these records.
    func accepts(_ records: [Int: Record], examples: Int) -> Bool {
        guard Set(records.keys) == Set(tasks.keys) else { return false }
        var rest = examples
        for (task, record) in records {
            let count = seen[task, default: []].count
            guard (0...rest).contains(record.updates), record.seen.count == (count + 7) / 8 else { return false }
            rest -= record.updates
            // The last byte's bits may be more than the examples.
            if count % 8 > 0, let last = record.seen.last, last >> (count % 8) != 0 { return false }
            let used = record.seen.reduce(0) { $0 + $1.nonzeroBitCount }
            guard used <= record.updates, used > 0 || record.updates == 0 else { return false }
        }
        return rest == 0
    }

    /// The tasks in the model's order.
    public var ordered: [Task] { tasks.sorted { $0.key < $1.key }.map(\.value) }

    /// The share of all training examples that were in an update at least once.
    public var share: Double {
        Double(tasks.values.map(\.used).reduce(0, +)) / Double(tasks.values.map(\.available).reduce(0, +))
    }
}
