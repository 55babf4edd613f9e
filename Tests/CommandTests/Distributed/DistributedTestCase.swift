import Foundation
import TestSupport
import Torch
import XCTest

/// A test that runs the program in several processes at once, each in one thread.
class DistributedTestCase: CommandTestCase {
    static let tasks = ["rte", "sts-b", "sst-2"]

    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyEncoder(layerCount: 4).write(to: encoder)
        try TinyGLUE.write(DistributedTestCase.tasks, to: data)
        // 73 rows in all: the last batch has fewer than there are processes.
        let task = TinyGLUE.task("rte")
        let rows = task.rows(of: task.trainPath)
        try TinyGLUE.write(task.file(rows + [rows[3]]), to: data.appendingPathComponent(task.trainPath))
    }

    /// What a launcher sets for a process.
    func environment(rank: Int, size: Int, port: Int) -> [String: String] {
        ["RANK": "\(rank)", "WORLD_SIZE": "\(size)", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)"]
    }

    /// A training run on the test's data, of a batch of 8 over all processes.
    func training(_ output: URL, size: Int, _ more: [String]) -> [String] {
        arguments(tasks: DistributedTestCase.tasks, output: output, "--encoder_type", "ca-mtl-base", "--do_train")
            + ["--per_device_train_batch_size", "\(8 / size)", "--learning_rate", "2e-4", "--logging_steps", "1"] + more
    }

    func startAll(
        _ arguments: (_ rank: Int) -> [String], size: Int, port: Int? = nil
    ) throws -> [RunningProgram] {
        let port = try port ?? freePort()
        return try (0..<size).map {
            try start(arguments($0), environment: environment(rank: $0, size: size, port: port))
        }
    }

    /// Runs all processes, which have to succeed; what rank 0 said.
    @discardableResult
    func runAll(
        _ arguments: [String], size: Int, file: StaticString = #filePath, line: UInt = #line
    ) throws -> Outcome {
        if size == 1 { return try camtl(arguments, file: file, line: line) }
        let outcomes = try startAll({ _ in arguments }, size: size).map { try $0.finish() }
        for (rank, outcome) in outcomes.enumerated() {
            XCTAssertEqual(outcome.status, 0, "rank \(rank): \(outcome.messages)", file: file, line: line)
            // On a busy machine a process may be late, and others say that they wait.
            let messages = outcome.messages.split(separator: "\n").filter { !$0.contains(" has waited for ") }
            if rank > 0 { XCTAssertEqual(messages, [], "rank \(rank) talks", file: file, line: line) }
        }
        return outcomes[0]
    }

    // MARK: - Comparing runs

    struct Log: Decodable, Equatable {
        let step: Int
        let loss: Double?
        let gradientNorm: Double?
        let taskLosses: [String: Double]
        /// The shares of the tasks' examples, and the entropies of their candidates.
        let picks: [String: Double]

        init(from decoder: any Decoder) throws {
            let fields = try decoder.singleValueContainer().decode([String: Double?].self)
            step = Int((fields["step"] ?? nil) ?? -1)
            loss = fields["loss"] ?? nil
            gradientNorm = fields["grad_norm"] ?? nil
            taskLosses = fields.compactMapValues { $0 }.filter { $0.key.hasPrefix("loss_") }
            picks = fields.compactMapValues { $0 }.filter { $0.key.hasPrefix("share_") }
        }
    }

    func logs(of folder: URL) throws -> [Log] {
        struct State: Decodable { let log_history: [Log] }
        let data = try Data(contentsOf: folder.appendingPathComponent("trainer_state.json"))
        return try JSONDecoder().decode(State.self, from: data).log_history.filter { $0.loss != nil }
    }

    /// A model's numbers, less the biases of keys: no change of theirs changes what the model computes, so that their
    /// gradient is nothing but rounding, which Adam makes as large as any other.
    func weights(of folder: URL) throws -> [String: [Float]] {
        let file = try CheckpointFile.open(folder.appendingPathComponent("model.safetensors"))
        var weights: [String: [Float]] = [:]
        for name in file.names where !name.hasSuffix("key.bias") {
            weights[name] = try file.withBytes(of: name) { Array($0.bindMemory(to: Float.self)) }
        }
        return weights
    }

    /// Checks that two runs had the same picks, and losses and final weights within 1e-6, losses above 1 in relation to
    /// them.
    func assertSameCourse(
        _ run: URL, _ other: URL, _ name: String, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let (logs, others) = (try logs(of: run), try self.logs(of: other))
        XCTAssertEqual(logs.map(\.step), others.map(\.step), name, file: file, line: line)
        XCTAssertEqual(logs.map(\.picks), others.map(\.picks), name, file: file, line: line)
        for (a, b) in zip(logs, others) {
            let (loss, other) = (a.loss ?? .nan, b.loss ?? .nan)
            XCTAssertEqual(
                loss, other, accuracy: 1e-6 * max(1, abs(other)), "\(name), step \(a.step)", file: file, line: line)
            // Adam makes the same of gradients that are all too large or too small; the norm tells.
            let (norm, otherNorm) = (a.gradientNorm ?? .nan, b.gradientNorm ?? .nan)
            XCTAssertEqual(
                norm, otherNorm, accuracy: 1e-4 * otherNorm, "\(name), the gradient of step \(a.step)", file: file,
                line: line)
            XCTAssertEqual(a.taskLosses.keys.sorted(), b.taskLosses.keys.sorted(), name, file: file, line: line)
            for (task, loss) in a.taskLosses {
                let other = b.taskLosses[task] ?? .nan
                XCTAssertEqual(
                    loss, other, accuracy: 1e-6 * max(1, abs(other)), "\(name), \(task) of step \(a.step)",
                    file: file, line: line)
            }
        }
        let (weights, otherWeights) = (try weights(of: run), try self.weights(of: other))
        XCTAssertEqual(weights.keys.sorted(), otherWeights.keys.sorted(), file: file, line: line)
        for (tensor, values) in weights {
            let difference = zip(values, otherWeights[tensor] ?? []).map { abs($0 - $1) }.max() ?? .nan
            XCTAssertLessThanOrEqual(difference, 1e-6, "\(name): \(tensor)", file: file, line: line)
        }
    }
}
