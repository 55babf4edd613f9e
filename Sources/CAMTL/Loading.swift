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
    /// Fills the parameters from a folder's `model.safetensors`, or its `pytorch_model.bin`, and the others with
    /// initial values.
    ///
    /// Names are those of the original, with or without the prefix `bert.`, with `LayerNorm.gamma` and `.beta` for
    /// `.weight` and `.bias` in old files; of a whole model with one task also transformers' `classifier` for its
    /// decoder.
    ///
    /// - Parameters:
    ///   - folder: where `model.safetensors` or `pytorch_model.bin` lies.
    ///   - isComplete: whether the folder is one of a whole trained model; then nothing may be missing. From a
    ///     pretrained encoder only its pooler may.
    ///   - seed: what initial values are drawn with.
    ///   - dtype: what the parameters are to be, whatever the file has.
    ///   - device: where they are to be.
    /// - Throws: `ModelError.badModel` if there is no such file, or tensors are missing or of another shape;
    ///   `CheckpointError`.
    public func load(
        from folder: URL, isComplete: Bool, seed: UInt64, dtype: DType = .float32, device: Device = .cpu
    ) throws -> LoadReport {
        let url = try Self.checkpointURL(folder)
        let file = try CheckpointFile.open(url)
        var nameInFile: [String: String] = [:]
        for name in file.names { nameInFile[currentName(name, isComplete: isComplete)] = name }
        let parameters = namedParameters()
        try check(parameters, nameInFile, file, isComplete: isComplete, path: url.path)

        var report = LoadReport(path: url.path)
        try materialize(seed: seed, dtype: dtype, device: device) { name, parameter in
            guard let source = nameInFile[name], let info = file.info(source) else {
                report.new.append(name)
                return nil
            }
            report.loaded.append(name)
            return try file.withBytes(of: source) {
                try Tensor(bytes: $0, shape: info.shape, dtype: info.dtype)
            }
        }
        let known = Set(parameters.map(\.name))
        report.unused = file.names.filter { !known.contains(currentName($0, isComplete: isComplete)) }
        return report
    }

    /// The file with a folder's tensors.
    /// - Throws: `ModelError.badModel` if there is none.
    static func checkpointURL(_ folder: URL) throws -> URL {
        let candidates = ["model.safetensors", "pytorch_model.bin"].map { folder.appendingPathComponent($0) }
        guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
            throw ModelError.badModel(
                path: folder.path, reason: "there is neither model.safetensors nor pytorch_model.bin in this folder")
        }
        return found
    }

    private func check(
        _ parameters: [(name: String, parameter: Parameter)], _ nameInFile: [String: String],
        _ file: CheckpointFile, isComplete: Bool, path: String
    ) throws {
        var missing: [String] = []
        var misshapen: [String] = []
        for (name, parameter) in parameters {
            if let source = nameInFile[name], let info = file.info(source) {
                if info.shape != parameter.shape {
                    misshapen.append("\(source) is \(info.shape), and the model's is \(parameter.shape)")
                } else if !info.dtype.isFloatingPoint {
                    misshapen.append("\(source) holds \(info.dtype) and not floating-point numbers")
                }
            } else if isComplete || (CAMTLModel.comesFromPretraining(name) && !name.hasPrefix("bert.pooler.")) {
                missing.append(name)
            }
        }
        func fail(_ what: String, _ list: [String]) -> ModelError {
            let shown = list.prefix(5).joined(separator: "; ") + (list.count > 5 ? "; …" : "")
            return .badModel(path: path, reason: "\(list.count) \(what): \(shown)")
        }
        if !misshapen.isEmpty { throw fail("tensors don't fit the model", misshapen) }
        if !missing.isEmpty { throw fail("tensors of the model are missing", missing) }
    }

    /// A checkpoint's name for a parameter as this program has it.
    private func currentName(_ name: String, isComplete: Bool) -> String {
        var name = name
        if isComplete, configuration.tasks.count == 1, name.hasPrefix(SequenceClassifier.decoder + ".") {
            name = "decoders.0.model" + name.dropFirst(SequenceClassifier.decoder.count)
        }
        if name.hasSuffix(".gamma") { name = name.dropLast(5) + "weight" }
        if name.hasSuffix(".beta") { name = name.dropLast(4) + "bias" }
        let parts: Set = ["embeddings", "encoder", "pooler", "task_type_embeddings", "conditional_alignment"]
        if let first = name.split(separator: ".").first, parts.contains(String(first)) { name = "bert." + name }
        return name
    }

    /// Writes `model.safetensors`, whole or not at all.
    public func saveWeights(to folder: URL) throws { try saveWeights(to: folder) { $0 } }

    /// The same under other names; parameters for which `rename` gives nil are left out.
    func saveWeights(to folder: URL, rename: (String) -> String?) throws {
        var writer = SafetensorsWriter(metadata: ["format": "pt"])
        for (parameterName, parameter) in namedParameters() {
            guard let name = rename(parameterName) else { continue }
            let tensor = parameter.wrappedValue
            try writer.add(name, TensorInfo(dtype: tensor.dtype, shape: tensor.shape)) { sink in
                try tensor.bytes().withUnsafeBytes { try sink($0) }
            }
        }
        try writer.write(to: folder.appendingPathComponent("model.safetensors"))
    }
}
