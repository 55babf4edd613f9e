import Foundation
import Torch

/// Where the values of a model's parameters came from.
public struct LoadReport: Sendable, Equatable {
    /// The file that was read.
    public var path: String
    /// Parameters that the file had.
    public var loaded: [String] = []
    /// Parameters that start at their initial values, as the file has nothing for them.
    public var new: [String] = []
    /// Tensors of the file, by its names, that the model has no parameter for.
    public var unused: [String] = []
    /// Parameters that the file has infinite values for, or such as are not numbers.
    public var notFinite: [String] = []

    /// How many tensors were loaded, are new and were left unused, and what parts of the model they are: one line.
    public var summary: String {
        let groups = [
            ("tensors loaded", loaded), ("new, at their initial values", new), ("of the file not used", unused),
        ]
        return "\(path): "
            + groups.filter { !$0.1.isEmpty }.map { "\($0.1.count) \($0.0) (\(TensorKinds($0.1)))" }
            .joined(separator: "; ")
    }
}

extension CAMTLModel {
    /// Fills the parameters from a folder's ``Checkpoint``, and the others with initial values.
    ///
    /// Names are those of the original, or such as wrappers and other programs make of them: see ``CheckpointNames``; of
    /// a whole model with one task also what transformers calls its decoder, such as `classifier`.
    ///
    /// - Parameters:
    ///   - folder: where `model.safetensors` or `pytorch_model.bin` lies, or an index of either's shards.
    ///   - isComplete: whether the folder is one of a whole trained model; then nothing may be missing that its tasks
    ///     read. From a pretrained encoder only its pooler may.
    ///   - seed: what initial values are drawn with.
    ///   - dtype: what the parameters are to be, whatever the file has.
    ///   - device: where they are to be.
    /// - Throws: `ModelError.badModel` if there is no such file, or tensors are missing, ambiguous, of another
    ///   shape or of no decoder here;
    ///   `CheckpointError`.
    public func load(
        from folder: URL, isComplete: Bool, seed: UInt64, dtype: DType = .float32, device: Device = .cpu
    ) throws -> LoadReport {
        try load(from: folder, isComplete: isComplete, seed: seed, dtype: dtype, device: device, changes: nil)
    }

    /// - Parameter changes: where the file has other tasks than the model.
    func load(
        from folder: URL, isComplete: Bool, seed: UInt64, dtype: DType = .float32, device: Device = .cpu,
        changes: TaskChanges?
    ) throws -> LoadReport {
        let file = try Self.checkpoint(in: folder)
        let tasks = configuration.tasks
        let names = CheckpointNames(
            file, onlyDecoder: isComplete && tasks.count == 1 ? tasks[0].transformersClass.decoder : nil)
        let parameters = namedParameters()
        try check(parameters, names, file, isComplete: isComplete, changes)

        var report = LoadReport(path: file.url.path)
        try materialize(seed: seed, dtype: dtype, device: device) { name, parameter in
            let nameThere = changes.map { $0.source(of: name) } ?? name
            guard let source = nameThere.flatMap({ names.nameInFile[$0] }), let info = file.info(source) else {
                report.new.append(name)
                return nil
            }
            report.loaded.append(name)
            let tensor = try file.withBytes(of: source) {
                try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype).to(dtype)
            }
            if try !tensor.isFinite { report.notFinite.append(name) }
            guard let changes, name == TaskChanges.embeddingName else { return tensor }
            return try changes.embeddings(
                tensor, names: configuration.tasks.map(\.name), std: configuration.backbone.initializerRange, seed: seed)
        }
        let known = Set(parameters.compactMap { name, _ in changes.map { $0.source(of: name) } ?? name })
        report.unused = zip(names.names, file.names).filter { !known.contains($0.0) }.map(\.1)
        return report
    }

    /// A folder's tensors.
    /// - Throws: `ModelError.badModel` if there are none; `CheckpointError`.
    static func checkpoint(in folder: URL) throws -> Checkpoint {
        if let checkpoint = try Checkpoint.open(in: folder) { return checkpoint }
        let others = [
            "tf_model.h5": "TensorFlow", "bert_model.ckpt.index": "TensorFlow", "flax_model.msgpack": "Flax",
            "adapter_model.safetensors": "an adapter alone", "model.onnx": "ONNX",
        ]
        let found = others.keys.sorted().first {
            FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
        }
        let hint = found.map { "; \($0) is of \(others[$0] ?? ""), which is not read" } ?? ""
        throw ModelError.badModel(
            path: folder.path,
            reason: "there is neither \(Checkpoint.fileNames.joined(separator: " nor ")) in this folder\(hint)")
    }

    private func check(
        _ parameters: [(name: String, parameter: Parameter)], _ names: CheckpointNames, _ file: Checkpoint,
        isComplete: Bool, _ changes: TaskChanges?
    ) throws {
        var missing: [String] = []
        var misshapen: [String] = []
        var ambiguous: [String] = []
        for (ownName, parameter) in parameters {
            // A new task's decoder is in no file.
            guard let name = changes.map({ $0.source(of: ownName) }) ?? ownName else { continue }
            var shape = parameter.shape
            if let changes, name == TaskChanges.embeddingName { shape[0] = changes.fileTasks }
            if let (first, second) = names.repeated[name] {
                ambiguous.append("\(first) and \(second) are both \(name)")
            } else if let source = names.nameInFile[name], let info = file.info(source) {
                if info.shape != shape {
                    misshapen.append("\(source) is \(info.shape), and the model's is \(shape)")
                } else if !info.dtype.isFloatingPoint {
                    misshapen.append("\(source) holds \(info.dtype) and not floating-point numbers")
                }
            } else if name.hasPrefix("bert.pooler.")
                ? isComplete && configuration.tasks.contains(where: \.readsPooler)
                : isComplete || CAMTLModel.comesFromPretraining(name)
            {
                missing.append(name)
            }
        }
        func fail(_ what: String, _ list: [String], _ hint: String = "") -> ModelError {
            let shown = list.prefix(5).joined(separator: "; ") + (list.count > 5 ? "; …" : "")
            return .badModel(path: file.url.path, reason: "\(list.count) \(what): \(shown)\(hint)")
        }
        if !ambiguous.isEmpty { throw fail("parameters have two tensors", ambiguous) }
        if !misshapen.isEmpty { throw fail("tensors don't fit the model", misshapen) }
        let hint = names.unknownPrefix.map { prefix in
            "; the file's names begin with \(prefix.debugDescription): save the encoder's own state dict"
        }
        if !missing.isEmpty { throw fail("tensors of the model are missing", missing, hint ?? "") }
        let decoders = Set((0..<(changes?.fileTasks ?? decoders.count)).map { "\($0)" })
        let strangers = names.names.filter { name in
            let parts = name.split(separator: ".")
            return parts.count > 1 && parts[0] == "decoders" && !decoders.contains(String(parts[1]))
        }
        guard strangers.isEmpty || !isComplete else {
            throw fail("tensors are of decoders that no task of the model's \(decoders.count) has", strangers)
        }
    }

    /// Writes `model.safetensors`, whole or not at all.
    public func saveWeights(to folder: URL) throws { try saveWeights(to: folder) { $0 } }

    /// The same under other names; parameters for which `rename` gives nil are left out. `change` makes other values of
    /// those of a name of the model's.
    func saveWeights(
        to folder: URL, change: (String, Tensor) throws -> Tensor = { $1 }, rename: (String) -> String?
    ) throws {
        var writer = SafetensorsWriter(metadata: ["format": "pt"])
        for (parameterName, parameter) in namedParameters() {
            guard let name = rename(parameterName) else { continue }
            let tensor = try change(parameterName, parameter.wrappedValue)
            try writer.add(name, TensorInfo(dtype: tensor.dtype, shape: tensor.shape)) { sink in
                try tensor.bytes().withUnsafeBytes { try sink($0) }
            }
        }
        try writer.write(to: folder.appendingPathComponent("model.safetensors"))
    }
}
