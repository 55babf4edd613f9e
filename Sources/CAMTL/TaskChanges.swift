import Tasks
import Torch

/// What the embedding of a task is at first that a trained model doesn't know.
public enum NewTaskEmbedding: Sendable, Equatable {
    /// The mean of those of the tasks that it knows.
    case mean
    /// Drawn at random, as in a new model.
    case random
    /// As that of a task that it knows.
    case task(String)
    /// As that of the known task whose embedding gives the lowest loss on the new task's training set before training.
    case nearest

    /// `mean`, `random`, `nearest` or a task's name.
    public init(_ text: String) {
        switch text {
        case "mean": self = .mean
        case "random": self = .random
        case "nearest": self = .nearest
        default: self = .task(text)
        }
    }
}

/// The tasks of a model beside those of the model that it is made from.
struct TaskChanges {
    /// Of each task of the model its position among those that the file has; nil of a new one.
    let sources: [Int?]
    /// How many tasks the file has.
    let fileTasks: Int
    let embedding: NewTaskEmbedding

    /// Whether there is anything to change.
    var isEmpty: Bool { sources == (0..<fileTasks).map { $0 } }

    /// The name in the file of a parameter that is not the table of task embeddings; nil where it is a new task's.
    func source(of name: String) -> String? {
        guard let task = TaskChanges.decoder(name) else { return name }
        return sources[task].map { "decoders.\($0)." + name.split(separator: ".", maxSplits: 2)[2] }
    }

    /// The position of the task whose decoder a parameter is of.
    static func decoder(_ name: String) -> Int? {
        let parts = name.split(separator: ".")
        return parts.count > 2 && parts[0] == "decoders" ? Int(parts[1]) : nil
    }

    static let embeddingName = "bert.task_type_embeddings.weight"

    /// The table of task embeddings, [tasks, hidden], from that of the file.
    func embeddings(_ table: Tensor, names: [String], std: Double, seed: UInt64) throws -> Tensor {
        let width = table.size(1)
        func row(_ index: Int) throws -> Tensor { try table.narrowed(0, index..<index + 1).reshaped([width]) }
        let kept = sources.compactMap { $0 }
        let rows = try sources.enumerated().map { position, source -> Tensor in
            if let source { return try row(source) }
            switch embedding {
            case .task(let name):
                guard let known = names.firstIndex(of: name), let source = sources[known] else {
                    throw ModelError.badConfiguration([
                        "--new_task_init \(name): the model has no such task; it is mean, random, nearest, or a name of "
                            + zip(names, sources).filter { $0.1 != nil }.map(\.0).joined(separator: ", ")
                    ])
                }
                return try row(source)
            case .mean, .nearest:
                let sum = try kept.dropFirst().reduce(row(kept[0])) { try $0 + row($1) }
                return try sum * (1 / Double(kept.count))
            case .random:
                var random = RandomStream(seed: seed, purpose: "task embedding \(names[position])")
                return try Tensor.normal([width], std: std, seed: random.next()).to(table.dtype)
            }
        }
        return try Tensor.stacked(rows)
    }
}

extension CAMTLModel {
    /// Freezes everything but the decoders of these tasks and their embeddings.
    ///
    /// - Parameter tasks: their positions in the model's list.
    public func trainOnly(_ tasks: [Int]) throws -> FreezeReport {
        var report = FreezeReport(frozen: [], trainableCount: 0, totalCount: 0)
        for (name, parameter) in namedParameters() {
            let isEmbedding = name == TaskChanges.embeddingName
            let isTrained = isEmbedding || TaskChanges.decoder(name).map(tasks.contains) ?? false
            try parameter.setTrainable(isTrained)
            report.totalCount += parameter.elementCount
            if isTrained {
                report.trainableCount += isEmbedding ? tasks.count * parameter.shape[1] : parameter.elementCount
            } else {
                report.frozen.append(name)
            }
        }
        keptEmbeddings = try bert.taskEmbedding.map { embedding in
            try configuration.tasks.indices.filter { !tasks.contains($0) }.map { task in
                (task, try withoutGradients { try embedding.weight.narrowed(0, task..<task + 1).detached() * 1 })
            }
        } ?? []
        return report
    }

    /// Gives the embeddings of tasks that don't train the values that they had: weight decay moves a table as a whole.
    public func restoreKeptEmbeddings() throws {
        guard let table = bert.taskEmbedding?.weight else { return }
        for (task, row) in keptEmbeddings {
            try withoutGradients { try table.narrowed(0, task..<task + 1).copy(from: row) }
        }
    }

    /// Gives a task's embedding the value of another's.
    public func setEmbedding(ofTask task: Int, asOf other: Int) throws {
        guard let table = bert.taskEmbedding?.weight else { return }
        try withoutGradients {
            try table.narrowed(0, task..<task + 1).copy(from: table.narrowed(0, other..<other + 1))
        }
    }
}
