import CAMTL
import Files
import Torch

extension TrainingSettings {
    /// All that decides a run's numbers, by flags and data: two runs that share it end with the same model.
    func identity(_ model: CAMTLModel, _ tasks: [TaskData]) -> [String: String] {
        let configuration = model.configuration
        var identity: [String: String] = [
            "encoder_type": configuration.encoderType.rawValue,
            "max_seq_length": "\(configuration.maxSequenceLength)",
            "tasks": tasks.map(\.definition.name).joined(separator: " "),
            "sampling": "\(sampling)",
            "group_by_length": "\(groupsByLength)",
            "train batch size of all processes": "\(batchSize)",
            "gradient_accumulation_steps": "\(accumulationSteps)",
            "num_train_epochs": maxSteps == nil ? "\(epochs)" : "-",
            "max_steps": maxSteps.map { "\($0)" } ?? "-1",
            "learning_rate": "\(optimizer.learningRate)",
            "weight_decay": "\(optimizer.weightDecay)",
            "adam_epsilon": "\(optimizer.adamEpsilon)",
            "max_grad_norm": "\(optimizer.maxGradientNorm)",
            "warmup_proportion": optimizer.warmupSteps == nil ? "\(optimizer.warmupProportion)" : "-",
            "warmup_steps": optimizer.warmupSteps.map { "\($0)" } ?? "-",
            "dropout": dropout.map { "\($0)" } ?? "-",
            "seed": "\(seed)",
            "reproduce_original": "\(reproducesOriginal)",
            "parameters that train": "\(model.namedParameters().count { $0.parameter.isTrainable })",
        ]
        if let mixedPrecision { identity["half precision"] = mixedPrecision.rawValue }
        // The candidates are scored in pieces of at least this size, and a sum's last bit depends on its batch.
        if sampling.picksCandidates { identity["per_device_eval_batch_size"] = "\(evaluationBatchSize)" }
        // In the original an evaluation turns dropout off for the scoring after it.
        if sampling.picksCandidates, reproducesOriginal {
            identity["evaluation"] = evaluationSteps.map { "every \($0) steps" } ?? "-"
        }
        for task in tasks {
            let definition = task.definition
            identity["data of \(definition.name)"] = task.train.map { String($0.identity.prefix(16)) } ?? "-"
            if definition.weight != 1 { identity["weight of \(definition.name)"] = "\(definition.weight)" }
            for (option, value) in definition.options { identity["\(option) of \(definition.name)"] = text(of: value) }
        }
        return identity
    }
}

extension CAMTLModel {
    /// What two models have in common only if all their parameters have the same bits, wherever they are and however
    /// many threads there are: a polynomial in the words of each, and of these.
    func checksum() throws -> String {
        var sum: UInt64 = 0
        for (_, parameter) in namedParameters() {
            let elements = try withoutGradients { try parameter.wrappedValue.elements(Float.self) }
            let own = elements.reduce(into: UInt64(1)) { $0 = $0 &* 0x0000_0100_0000_01b3 &+ UInt64($1.bitPattern) }
            sum = (sum ^ own) &* 0x9e37_79b9_7f4a_7c15
        }
        return String(sum, radix: 16)
    }
}

/// A value of JSON in one spelling, for a message.
private func text(of value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text): text
    case .array(let values): "[\(values.map(text).joined(separator: ", "))]"
    case .object(let members):
        "{\(members.sorted { $0.key < $1.key }.map { "\($0): \(text(of: $1))" }.joined(separator: ", "))}"
    }
}

/// What differs between the settings of a checkpoint and those of a run, for a message.
func differences(checkpoint: [String: String], run: [String: String]) -> [String] {
    Set(checkpoint.keys).union(run.keys).sorted().compactMap { name in
        let (then, now) = (checkpoint[name] ?? "-", run[name] ?? "-")
        return then == now ? nil : "\(name) was \(then) and is \(now)"
    }
}
