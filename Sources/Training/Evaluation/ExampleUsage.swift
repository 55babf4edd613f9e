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

    /// The tasks in the model's order.
    public var ordered: [Task] { tasks.sorted { $0.key < $1.key }.map(\.value) }

    /// The share of all training examples that were in an update at least once.
    public var share: Double {
        Double(tasks.values.map(\.used).reduce(0, +)) / Double(tasks.values.map(\.available).reduce(0, +))
    }
}
