import CAMTL
import Foundation
import Tasks
import Torch
import XCTest

/// A real pretrained encoder under CA-MTL's base variant, on real sentence pairs.
final class MiniLMTests: ComputingTestCase {
    private struct Golden: Decodable {
        let tasks: [String]
        let maxSeqLength: Int
        let missingKeys: [String]
        let unexpectedKeys: [String]
        let nParams: Int
        let nNew: Int
        /// By type, then by parameter.
        let gradNorms: [String: [String: Double]]
    }

    func testFindsTheParametersThatTheOriginalFinds() throws {
        let golden: Golden = try GoldenFiles.json("minilm.json")
        let (model, report) = try Self.load(golden, .float32)
        XCTAssertEqual(Set(report.new), Set(golden.missingKeys))
        // The file has the names without the prefix, and a list of position numbers, which the original overlooks.
        XCTAssertEqual(
            Set(report.unused.map { "bert." + $0 }), Set(golden.unexpectedKeys + ["bert.embeddings.position_ids"]))
        let parameters = model.namedParameters()
        XCTAssertEqual(Set(report.loaded), Set(parameters.map(\.name)).subtracting(golden.missingKeys))
        func size(_ names: Set<String>) -> Int {
            parameters.filter { names.contains($0.name) }.reduce(0) { $0 + $1.parameter.elementCount }
        }
        XCTAssertEqual(size(Set(parameters.map(\.name))), golden.nParams)
        XCTAssertEqual(size(Set(report.new)), golden.nNew)
    }

    func testComputesWhatTheOriginalComputes() throws {
        try forEachChoice { try compare(.float32) }
    }

    func testComputesWhatTheOriginalComputesInFloat64() throws {
        try compare(.float64)
    }

    private func compare(_ dtype: DType) throws {
        let golden: Golden = try GoldenFiles.json("minilm.json")
        let expected = try GoldenFiles.tensors("minilm.out.\(dtype.goldenName)")
        let batch = try GoldenBatch(GoldenFiles.tensors("minilm.inputs"))
        let (model, _) = try Self.load(golden, dtype)
        var layers: [String: Tensor] = [:]
        for (name, module) in model.namedModules() {
            guard let layer = Self.goldenName(ofLayer: name) else { continue }
            module.observer = { layers[layer] = $0 }
        }
        let output = try model(batch.packed(.none), sequence: true)
        let loss = try output.loss(targets: batch.labels.map { [$0] }, configuration: model.configuration)

        let tolerance = Tolerance(dtype)
        func compare(_ name: String, _ values: [Double], within limit: Double? = nil) throws {
            try assertClose(values, expected.values(name), within: limit ?? tolerance.output, name)
        }
        try compare("loss", [loss.total.item()])
        try compare("pooled", XCTUnwrap(output.pooled).elements())
        for task in output.tasks { try compare("logits.task\(task.task)", task.logits.elements()) }
        let (entropies, means) = try output.entropies(batch)
        // Ours are computed from float32 logits.
        try compare("entropy", entropies, within: max(tolerance.output, 1e-6))
        try compare("entropy_mean", means, within: max(tolerance.output, 1e-6))
        try compareLayers(layers, of: batch, with: expected, within: tolerance.output)
        try loss.total.backward()
        try compareGradients(of: model, with: XCTUnwrap(golden.gradNorms[dtype.goldenName]), within: tolerance)
    }

    /// Each layer's output at the first position of every sample, and all of the first sample's.
    ///
    /// Hidden states go far above 1, and their rounding with them: they are compared in relation to the largest. The
    /// worst of a sample's tens of thousands of numbers is as far off as the order in which the processor's products
    /// add lets it be: on some, float32 comes to more than 1e-5.
    private func compareLayers(
        _ layers: [String: Tensor], of batch: GoldenBatch, with expected: GoldenTensors, within tolerance: Double
    ) throws {
        // Stored in this file alone, in float32.
        let samples = try GoldenFiles.tensors("minilm.out.f64")
        let names = expected.names.filter { $0.hasSuffix(".cls") }.map { String($0.dropLast(".cls".count)) }
        XCTAssertEqual(Set(layers.keys), Set(names))
        func compare(_ name: String, _ values: [Double], _ golden: [Double], within tolerance: Double) {
            let largest = golden.reduce(1) { max($0, abs($1)) }
            assertClose(values, golden, within: tolerance * largest, name)
        }
        for (name, layer) in layers {
            let own = try layer.elements(Double.self).chunks(batch.count)
            let firsts = own.flatMap { $0.prefix(layer.size(-1)) }
            try compare(name + ".cls", firsts, expected.values(name + ".cls"), within: tolerance)
            try compare(
                name + ".sample0", Array(own[0]), samples.values(name + ".sample0"), within: max(2 * tolerance, 1e-7))
        }
    }

    private func compareGradients(
        of model: CAMTLModel, with norms: [String: Double], within tolerance: Tolerance
    ) throws {
        let largest = norms.values.max() ?? 0
        var compared: Set<String> = []
        for (name, parameter) in model.namedParameters() {
            guard let gradient = try parameter.wrappedValue.gradient(), let norm = norms[name] else { continue }
            compared.insert(name)
            let own = try (gradient * gradient).sum().item().squareRoot()
            XCTAssertEqual(own, norm, accuracy: tolerance.gradient * largest, "the norm of the gradient of \(name)")
        }
        XCTAssertEqual(compared, Set(norms.keys))
    }

    private static func goldenName(ofLayer module: String) -> String? {
        if module == "bert.conditional_alignment" { return "embedding_aligned" }
        let parts = module.split(separator: ".")
        return parts.count == 4 && module.hasPrefix("bert.encoder.layer.") ? "layer\(parts[3])" : nil
    }

    /// The pretrained encoder in a model whose new parameters have the golden set's values.
    private static func load(_ golden: Golden, _ dtype: DType) throws -> (CAMTLModel, LoadReport) {
        let new = try GoldenFiles.tensors("minilm.new_params_f16")
        let folder = ProcessInfo.processInfo.environment["CAMTL_PRETRAINED"].map { URL(fileURLWithPath: $0) }
            ?? GoldenFiles.packageRoot.appendingPathComponent(".pretrained/minilm")
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw XCTSkip("needs .pretrained/minilm (run make setup)")
        }
        let labelCounts = try golden.tasks.indices.map { task in
            try XCTUnwrap(new.info("decoders.\(task).model.weight")).shape[0]
        }
        let configuration = ModelConfiguration(
            encoderType: .caMTLBase, backbone: try ConfigurationFile(folder: folder).backbone,
            maxSequenceLength: golden.maxSeqLength, tasks: TaskHead.named(golden.tasks, labelCounts))
        let model = try CAMTLModel(configuration)
        let report = try model.load(from: folder, isComplete: false, seed: 0, dtype: dtype)
        for (name, parameter) in model.namedParameters() where report.new.contains(name) {
            try parameter.wrappedValue.copy(from: new.tensor(name))
        }
        return (model, report)
    }
}
