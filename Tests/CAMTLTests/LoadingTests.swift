import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

final class LoadingTests: ComputingTestCase {
    private var folder = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("camtl-loading-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    // MARK: - Names

    func testReadsAPretrainedEncoderWithTheOriginalsNames() throws {
        try assertReadsPretrained { $0 }
    }

    func testReadsNamesWithoutThePrefix() throws {
        try assertReadsPretrained { String($0.dropFirst("bert.".count)) }
    }

    /// As the first checkpoints of BERT for PyTorch have them.
    func testReadsGammaAndBeta() throws {
        try assertReadsPretrained {
            $0.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
                .replacing("LayerNorm.bias", with: "LayerNorm.beta")
        }
    }

    /// Of DataParallel, torch.compile, FSDP, a training script's class, and two of them.
    func testReadsNamesThroughWrappers() throws {
        for prefix in ["module.", "_orig_mod.", "model.", "model.model.", "bert.", "module._orig_mod.", "module.bert."] {
            try assertReadsPretrained { prefix + $0 }
        }
        try assertReadsPretrained { "module." + $0.dropFirst("bert.".count) }
        try assertReadsPretrained { $0.replacing(".attention.", with: "._fsdp_wrapped_module.attention.") }
        try assertReadsPretrained { $0.replacing("bert.encoder.", with: "bert.encoder._orig_mod.") }
    }

    func testReadsATrainedModelThroughAWrapper() throws {
        let tensors = try tensors(of: newModel())
        for prefix in ["module.", "_orig_mod.", "model."] {
            try write(Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0, $1) }))
            let report = try CAMTLModel(configuration).load(from: folder, isComplete: true, seed: 1)
            XCTAssertEqual(report.new + report.unused, [], prefix)
            XCTAssertEqual(report.loaded.count, tensors.count)
        }
    }

    func testListsWhatItReadsWhatIsNewAndWhatItLeaves() throws {
        var tensors = try pretrained()
        let strangers = ["cls.predictions.bias", "embeddings.position_ids", "bert.encoder.layer.9.output.dense.bias"]
        for name in strangers { tensors[name] = try .zeros([2], dtype: .int64) }
        try write(tensors)
        let model = try CAMTLModel(configuration)
        let report = try model.load(from: folder, isComplete: false, seed: 1)
        let names = Set(model.namedParameters().map(\.name))
        XCTAssertEqual(report.path, folder.appendingPathComponent("model.safetensors").path)
        XCTAssertEqual(Set(report.loaded), names.intersection(tensors.keys))
        XCTAssertEqual(Set(report.new), names.subtracting(tensors.keys))
        // The base variant's last layer has names of its own, so that the pretrained one is left.
        let lastLayer = tensors.keys.filter { $0.hasPrefix("bert.encoder.layer.3.") }
        XCTAssertEqual(lastLayer.count, 16)
        XCTAssertEqual(Set(report.unused), Set(strangers + lastLayer))
    }

    func testConvertsOtherElementTypes() throws {
        let halves = try pretrained().mapValues { try $0.to(.float16) }
        try write(halves)
        let model = try CAMTLModel(configuration)
        let loaded = Set(try model.load(from: folder, isComplete: false, seed: 1, dtype: .float64).loaded)
        for (name, parameter) in model.namedParameters() where loaded.contains(name) {
            XCTAssertEqual(parameter.wrappedValue.dtype, .float64)
            XCTAssertEqual(try parameter.wrappedValue.elements(Double.self), try halves[name]?.elements(), name)
        }
    }

    // MARK: - Refusals

    func testAPretrainedEncoderMayLackOnlyItsPooler() throws {
        var tensors = try pretrained().filter { !$0.key.contains("pooler") }
        try write(tensors)
        let report = try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)
        XCTAssertTrue(report.new.contains("bert.pooler.dense.weight"))

        tensors["bert.encoder.layer.1.output.dense.bias"] = nil
        try write(tensors)
        assertRefuses(isComplete: false, "1 tensors of the model are missing: bert.encoder.layer.1.output.dense.bias")
    }

    func testATrainedModelMayLackNothing() throws {
        try write(tensors(of: newModel()).filter { $0.key != "decoders.1.model.bias" })
        assertRefuses(isComplete: true, "1 tensors of the model are missing: decoders.1.model.bias")
        XCTAssertNoThrow(try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1))
    }

    func testRefusesTensorsOfAnotherShape() throws {
        var tensors = try pretrained()
        tensors["bert.embeddings.word_embeddings.weight"] = try .zeros([12, 24])
        try write(tensors)
        assertRefuses(
            isComplete: false,
            "1 tensors don't fit the model: bert.embeddings.word_embeddings.weight is [12, 24], "
                + "and the model's is [11, 24]")
    }

    func testRefusesTensorsOfIntegers() throws {
        var tensors = try pretrained()
        tensors["bert.embeddings.LayerNorm.weight"] = try .zeros([24], dtype: .int64)
        try write(tensors)
        assertRefuses(
            isComplete: false,
            "1 tensors don't fit the model: bert.embeddings.LayerNorm.weight holds int64 "
                + "and not floating-point numbers")
    }

    func testRefusesAFolderWithoutACheckpoint() throws {
        XCTAssertThrowsError(try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)) {
            XCTAssertEqual(
                "\($0)", "\(folder.path): there is neither model.safetensors nor pytorch_model.bin in this folder")
        }
    }

    func testRefusesNamesBehindAnUnknownPrefixByThatPrefix() throws {
        let tensors = try pretrained()
        try write(Dictionary(uniqueKeysWithValues: tensors.map { ("teacher." + $0, $1) }))
        XCTAssertThrowsError(try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)) {
            XCTAssert("\($0)".contains("the file's names begin with \"teacher.bert.\""), "\($0)")
        }
        // Beside the encoder they are another's, and left.
        var both = tensors
        for (name, tensor) in tensors { both["teacher." + name] = tensor }
        try write(both)
        let report = try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)
        XCTAssertEqual(report.unused.filter { $0.hasPrefix("teacher.") }.count, tensors.count)
    }

    func testRefusesTwoTensorsForOneParameter() throws {
        let name = "bert.embeddings.LayerNorm.weight"
        for other in ["embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.gamma", "module.\(name)"] {
            var tensors = try pretrained()
            tensors[other] = tensors[name]
            try write(tensors)
            XCTAssertThrowsError(try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)) {
                XCTAssert("\($0)".contains("1 parameters have two tensors: "), "\($0)")
                XCTAssert("\($0)".contains(other), "\($0)")
            }
        }
    }

    func testRefusesATrainedModelsDecodersThatHaveNoTask() throws {
        var tensors = try tensors(of: newModel())
        tensors["decoders.2.model.bias"] = try .zeros([2])
        try write(tensors)
        assertRefuses(
            isComplete: true, "1 tensors are of decoders that no task of the model's 2 has: decoders.2.model.bias")
    }

    func testListsWhatIsNotFinite() throws {
        for (dtype, value) in [(DType.float32, Double.nan), (.float16, .infinity), (.float64, 1e300)] {
            var tensors = try pretrained().mapValues { try $0.to(dtype) }
            tensors["bert.embeddings.LayerNorm.bias"] = try .full([24], value, dtype: dtype)
            // Large, with an infinite sum in its own type.
            tensors["bert.pooler.dense.bias"] = try .full([24], 6e4, dtype: dtype)
            try write(tensors)
            let report = try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)
            XCTAssertEqual(report.notFinite, ["bert.embeddings.LayerNorm.bias"], "\(dtype)")
        }
    }

    func testReadsShards() throws {
        let tensors = try pretrained()
        try write(tensors)
        let names = tensors.keys.sorted()
        var map: [String: String] = [:]
        let whole = folder.appendingPathComponent("model.safetensors")
        for (number, part) in [names[..<20], names[20...]].enumerated() {
            let shard = "model-0000\(number + 1)-of-00002.safetensors"
            try write(tensors.filter { part.contains($0.key) })
            try FileManager.default.moveItem(at: whole, to: folder.appendingPathComponent(shard))
            for name in part { map[name] = shard }
        }
        let index = folder.appendingPathComponent("model.safetensors.index.json")
        try JSONEncoder().encode(["weight_map": map]).write(to: index)
        let model = try CAMTLModel(configuration)
        let report = try model.load(from: folder, isComplete: false, seed: 1)
        XCTAssertEqual(report.path, index.path)
        let read = try self.tensors(of: model)
        XCTAssertEqual(Set(report.loaded), Set(names).intersection(read.keys))
        for name in report.loaded { XCTAssertEqual(try read[name]?.bytes(), try tensors[name]?.bytes(), name) }
    }

    func testNamesAFileOfAnotherFrameworkWhereThereIsNoneToRead() throws {
        try Data().write(to: folder.appendingPathComponent("tf_model.h5"))
        XCTAssertThrowsError(try CAMTLModel(configuration).load(from: folder, isComplete: false, seed: 1)) {
            XCTAssertEqual(
                "\($0)", "\(folder.path): there is neither model.safetensors nor pytorch_model.bin in this folder; "
                    + "tf_model.h5 is of TensorFlow, which is not read")
        }
    }

    // MARK: - Round trip

    func testSavedModelIsReadBackBitByBit() throws {
        for dtype in [DType.float32, .float64] {
            for type in EncoderType.allCases {
                var configuration = configuration
                configuration.encoderType = type
                let model = try newModel(configuration, dtype)
                try model.saveWeights(to: folder)
                let copy = try CAMTLModel(configuration)
                let report = try copy.load(from: folder, isComplete: true, seed: 2, dtype: dtype)
                XCTAssertEqual(report.new + report.unused, [], "\(type)")
                let (before, after) = (try tensors(of: model), try tensors(of: copy))
                XCTAssertEqual(Set(before.keys), Set(after.keys))
                for (name, tensor) in before {
                    XCTAssertEqual(after[name]?.shape, tensor.shape, "\(type): \(name)")
                    XCTAssertEqual(try after[name]?.bytes(), try tensor.bytes(), "\(type): \(name)")
                }
                XCTAssertEqual(try copy(batch).pooled?.bytes(), try model(batch).pooled?.bytes(), "\(type)")
            }
        }
    }

    // MARK: - Helpers

    private let configuration = ModelConfiguration(
        encoderType: .caMTLBase,
        backbone: BERTConfiguration(
            hiddenSize: 24, layerCount: 4, attentionHeadCount: 3, intermediateSize: 20, vocabularySize: 11),
        maxSequenceLength: 8, tasks: TaskHead.named(["cola", "sts-b"], [2, 1]))

    private var batch: PackedBatch {
        var batch = PackedBatch()
        batch.append(inputIDs: [2, 5, 7, 3], tokenTypeIDs: [0, 0, 1, 1], taskID: 1)
        batch.append(inputIDs: [2, 10, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
        return batch
    }

    /// A model in which no parameter is 0 or 1 throughout.
    private func newModel(_ configuration: ModelConfiguration? = nil, _ dtype: DType = .float32) throws -> CAMTLModel {
        let model = try CAMTLModel(configuration ?? self.configuration)
        var seed: UInt64 = 0
        try model.materialize(seed: 0, dtype: dtype) { _, parameter in
            seed += 1
            return try Tensor.normal(parameter.shape, std: 0.1, seed: seed, dtype: .float64)
        }
        return model
    }

    private func tensors(of model: CAMTLModel) throws -> [String: Tensor] {
        Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.parameter.wrappedValue) })
    }

    /// What a checkpoint of plain BERT of the same size has.
    private func pretrained() throws -> [String: Tensor] {
        var bert = configuration
        bert.encoderType = .bert
        return try tensors(of: newModel(bert)).filter { $0.key.hasPrefix("bert.") }
    }

    private func write(_ tensors: [String: Tensor]) throws {
        var writer = SafetensorsWriter()
        for (name, tensor) in tensors {
            try writer.add(name, TensorInfo(dtype: tensor.dtype, shape: tensor.shape)) { sink in
                try tensor.bytes().withUnsafeBytes { try sink($0) }
            }
        }
        try writer.write(to: folder.appendingPathComponent("model.safetensors"))
    }

    /// Writes a pretrained encoder's tensors under other names, and compares what a model reads.
    private func assertReadsPretrained(_ rename: (String) -> String, line: UInt = #line) throws {
        let tensors = try pretrained()
        try write(Dictionary(uniqueKeysWithValues: tensors.map { (rename($0), $1) }))
        let model = try CAMTLModel(configuration)
        let report = try model.load(from: folder, isComplete: false, seed: 1)
        let read = try self.tensors(of: model)
        XCTAssertEqual(Set(report.loaded), Set(tensors.keys).intersection(read.keys), line: line)
        XCTAssertEqual(report.loaded.count, tensors.count - 16, "all but the last layer", line: line)
        for name in report.loaded {
            XCTAssertEqual(try read[name]?.bytes(), try tensors[name]?.bytes(), name, line: line)
        }
    }

    private func assertRefuses(isComplete: Bool, _ reason: String, line: UInt = #line) {
        XCTAssertThrowsError(
            try CAMTLModel(configuration).load(from: folder, isComplete: isComplete, seed: 1), line: line
        ) {
            let path = folder.appendingPathComponent("model.safetensors").path
            XCTAssertEqual("\($0)", "\(path): \(reason)", line: line)
        }
    }
}
