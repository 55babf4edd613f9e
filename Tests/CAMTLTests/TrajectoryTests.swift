import CAMTL
import Foundation
import Torch
import Training
import XCTest

/// Training step by step as the original's trainer does: gradients, clipping, schedule, AdamW.
final class TrajectoryTests: ComputingTestCase {
    func testTrainingFollowsTheOriginals() throws {
        try forEachChoice { try GoldenFiles.forEach(Trajectory.all(.float32)) { try $0.compare(in: .float32) } }
    }

    func testTrainingFollowsTheOriginalsInFloat64() throws {
        try GoldenFiles.forEach(Trajectory.all(.float64)) { try $0.compare(in: .float64) }
    }

    /// The original's float64 runs in the precision that training uses: rounding doesn't add up to anything.
    func testFloat32TrainingFollowsTheOriginalsInFloat64() throws {
        try GoldenFiles.forEach(Trajectory.all(.float64)) { try $0.compare(in: .float32) }
    }

    func testWeightDecayAppliesToTheOriginalsParameters() throws {
        for trajectory in try Trajectory.all() {
            XCTAssertEqual(trajectory.variant.decayed.filter { !Updater.decays($0) }, [], trajectory.name)
            XCTAssertEqual(trajectory.variant.notDecayed.filter(Updater.decays), [], trajectory.name)
        }
    }

    /// With the gradients kept at zero, a decoder is left alone until its task's first appearance, and from then on
    /// moves in every step.
    func testDecoderOfAnAbsentTaskMovesOnlyAfterItsFirstAppearance() throws {
        for keepsZeroGradients in [true, false] {
            let (model, absent, partial, full) = try modelWithPartialBatch()
            var settings = OptimizerSettings()
            settings.warmupProportion = 0
            settings.weightDecay = 0.01
            let updater = try Updater(model, settings: settings, totalSteps: 10, keepsZeroGradients: keepsZeroGradients)
            let weight = try XCTUnwrap(model.namedParameters().first { $0.name == absent }).parameter.wrappedValue
            func step(_ batch: GoldenBatch) throws -> [Double] {
                let loss = try model(batch.packed(.none)).loss(targets: batch.labels.map { [$0] }, configuration: model.configuration)
                try updater.accumulate(loss.total, share: 1)
                _ = try updater.step()
                return try weight.elements()
            }
            let initial: [Double] = try weight.elements()
            XCTAssertEqual(try step(partial), initial)
            XCTAssertNil(try weight.gradient())
            let moved = try step(full)
            XCTAssertNotEqual(moved, initial)
            let later = try step(partial)
            XCTAssertEqual(later == moved, !keepsZeroGradients)
        }
    }

    /// A model, the name of a weight that one of its batches gives no gradient, that batch, and one that gives all
    /// parameters one.
    private func modelWithPartialBatch() throws -> (CAMTLModel, String, GoldenBatch, GoldenBatch) {
        for (name, kind) in try TinyModels.read().kinds {
            guard let (partial, absent) = kind.gradNone.first(where: { !$1.isEmpty }),
                let full = kind.gradNone.first(where: { $1.isEmpty })?.key
            else { continue }
            let inputs = try GoldenFiles.tensors("tiny_\(name).inputs")
            return (
                try kind.model(name, .float32), absent[0], try GoldenBatch(inputs, prefix: partial + "."),
                try GoldenBatch(inputs, prefix: full + ".")
            )
        }
        throw XCTSkip("needs a golden set with a batch of all tasks and one without some task")
    }
}

/// A run of the original's trainer.
private struct Trajectory {
    struct Variant: Decodable {
        let losses: [Double]
        let lr: [Double]
        let gradNorm: [Double]
        let stepLossesAccum: Int
        let kind: String
        let dtype: String
        let zeroGrad: String
        let freeze: String?
        let baseLr: Double
        let weightDecay: Double
        let warmupProportion: Double
        let adamEps: Double
        let betas: [Double]
        let maxGradNorm: Double
        let steps: Int
        let decayed: [String]
        let notDecayed: [String]
    }

    let name: String
    let variant: Variant

    static func all(_ dtype: DType? = nil) throws -> [Trajectory] {
        let variants = try GoldenFiles.json("traj.json", as: [String: Variant].self)
        return try variants.sorted { $0.key < $1.key }.compactMap { name, variant in
            let own = try XCTUnwrap(DType(golden: variant.dtype), "\(name): dtype \(variant.dtype)")
            return dtype == nil || dtype == own ? Trajectory(name: name, variant: variant) : nil
        }
    }

    private var settings: OptimizerSettings {
        var settings = OptimizerSettings()
        settings.learningRate = variant.baseLr
        settings.weightDecay = variant.weightDecay
        settings.adamEpsilon = variant.adamEps
        settings.maxGradientNorm = variant.maxGradNorm
        settings.warmupProportion = variant.warmupProportion
        return settings
    }

    private func batches() throws -> [GoldenBatch] {
        let tensors = try GoldenFiles.tensors("traj_\(variant.kind).batches")
        let count = Set(tensors.names.map { $0.prefix { $0 != "." } }).count
        return try (0..<count).map { try GoldenBatch(tensors, prefix: "batch\($0).") }
    }

    /// Trains in `dtype`, and compares every step, then the parameters.
    func compare(in dtype: DType) throws {
        let label = "\(name) in \(dtype.goldenName)"
        XCTAssertEqual(variant.betas, [0.9, 0.999], "\(label): the updater takes these always")
        let kind = try XCTUnwrap(TinyModels.read().kinds[variant.kind])
        let model = try kind.model(variant.kind, dtype)
        _ = try model.freeze(try variant.freeze.map { try FreezeRange(parsing: $0) }, asOriginal: true)
        let updater = try Updater(
            model, settings: settings, totalSteps: variant.steps,
            keepsZeroGradients: variant.zeroGrad.hasPrefix("zeros"))
        let batches = try batches()
        var losses: [Double] = []
        var steps: [Updater.Step] = []
        for index in 0..<variant.steps * variant.stepLossesAccum {
            let batch = batches[index % batches.count]
            let loss = try model(batch.packed(.none)).loss(targets: batch.labels.map { [$0] }, configuration: model.configuration)
            losses.append(try loss.total.item())
            try updater.accumulate(loss.total, share: 1 / Double(variant.stepLossesAccum))
            if (index + 1) % variant.stepLossesAccum == 0 { steps.append(try updater.step()) }
        }

        // Losses and parameters are of the order of 1; norms go up to dozens, and are compared in relation to that.
        let tolerance = dtype == .float64 ? 1e-9 : 1e-5
        assertClose(losses, variant.losses, within: tolerance, "\(label): losses")
        assertRelativelyClose(
            steps.map(\.gradientNorm), variant.gradNorm, within: tolerance, "\(label): gradient norms")
        assertRelativelyClose(steps.map(\.learningRate), variant.lr, within: 1e-12, "\(label): learning rates")
        try compareParameters(of: model, within: tolerance, label)
    }

    private func compareParameters(of model: CAMTLModel, within tolerance: Double, _ label: String) throws {
        let final = try GoldenFiles.tensors("traj_\(name).final")
        XCTAssertEqual(Set(final.names), Set(model.namedParameters().map(\.name)), label)
        // A key's bias changes no attention weight: its gradients are rounding, which Adam divides by its own size.
        for (name, parameter) in model.namedParameters() where !name.hasSuffix("key.bias") {
            try assertClose(
                parameter.wrappedValue.elements(), final.values(name), within: tolerance, "\(label): final \(name)")
        }
    }
}
