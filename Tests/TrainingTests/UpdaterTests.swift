import CAMTL
import Foundation
import Torch
import XCTest

@testable import Training

/// An update as a whole: what is accumulated, clipped and scaled, and where it ends up.
final class UpdaterTests: ToyTestCase {
    private func loss(_ model: CAMTLModel) throws -> Tensor {
        var batch = PackedBatch()
        batch.append(inputIDs: [2, 7, 9, 3], tokenTypeIDs: [0, 0, 0, 0], taskID: 0)
        batch.append(inputIDs: [2, 8, 3], tokenTypeIDs: [0, 0, 0], taskID: 0)
        return try model(batch).loss(targets: [[1], [1]], configuration: model.configuration).total
    }

    /// An epsilon as large as the gradients' roots, so that their size counts, and clipping that does.
    private var settings: OptimizerSettings {
        var settings = OptimizerSettings()
        (settings.learningRate, settings.weightDecay, settings.warmupProportion) = (0.01, 0.2, 0)
        (settings.adamEpsilon, settings.maxGradientNorm) = (1e-3, 0.05)
        return settings
    }

    private func values(_ model: CAMTLModel) throws -> [String: [Double]] {
        try Dictionary(
            uniqueKeysWithValues: model.namedParameters().map { ($0.name, try $0.parameter.wrappedValue.elements()) })
    }

    /// The first step by the formula: m = 0.1 g and v = 0.001 g², with √0.001 / 0.1 for what both begin at.
    func testFirstUpdateIsThatOfTheFormula() throws {
        try writeModel(.bert, tasks: ["cola"])
        let model = try loadModel().model
        let before = try values(model)
        try loss(model).backward()
        var gradients: [String: [Double]] = [:]
        for (name, parameter) in model.namedParameters() {
            gradients[name] = try parameter.wrappedValue.gradient()?.elements()
            try parameter.wrappedValue.setGradient(nil)
        }
        let norm = gradients.values.joined().map { $0 * $0 }.reduce(0, +).squareRoot()
        // Two losses of which one counts for a quarter and one for half.
        let updater = try Updater(model, settings: settings, totalSteps: 10)
        try updater.accumulate(loss(model), share: 0.25, isLast: false)
        try updater.accumulate(loss(model), share: 0.5)
        let step = try updater.step()
        XCTAssertEqual(step.gradientNorm, 0.75 * norm, accuracy: 1e-5 * norm)
        XCTAssertGreaterThan(0.75 * norm, 0.1, "clipping counts")
        XCTAssertEqual(step.learningRate, 0.01)
        let factor = 0.05 / norm
        for (name, values) in try values(model) {
            let rate = Updater.decays(name) ? 0.2 * 0.01 : 0
            for (index, value) in values.enumerated() {
                guard let g = gradients[name].map({ $0[index] * factor }) else {
                    XCTAssertEqual(value, before[name]?[index])
                    continue
                }
                let change = 0.01 * 0.001.squareRoot() / 0.1 * 0.1 * g / (0.001.squareRoot() * abs(g) + 1e-3)
                let expected = ((before[name]?[index] ?? .nan) - change) * (1 - rate)
                XCTAssertEqual(value, expected, accuracy: 1e-6, name)
            }
        }
    }

    /// A loss scale is taken out again, before clipping and for whoever reads the norm: powers of 2 leave no trace.
    func testLossScaleChangesNoUpdate() throws {
        try writeModel(.bert, tasks: ["cola"])
        var results: [[String: [Double]]] = []
        var norms: [[Double]] = []
        for scaler in [nil, LossScaler(scale: 1024, growthInterval: 2)] {
            for maximum in [0.05, 1e6] {
                let model = try loadModel().model
                var settings = settings
                (settings.lossScaler, settings.maxGradientNorm) = (scaler, maximum)
                let updater = try Updater(model, settings: settings, totalSteps: 10)
                norms.append(
                    try (0..<3).map { _ in
                        try updater.accumulate(loss(model), share: 1)
                        return try updater.step().gradientNorm
                    })
                results.append(try values(model))
                XCTAssertEqual(updater.lossScaler?.scale, scaler.map { _ in 2048 })
            }
        }
        XCTAssertEqual(norms[0].count, 3)
        for (one, other) in [(0, 2), (1, 3)] {
            for (a, b) in zip(norms[one], norms[other]) { XCTAssertEqual(a, b, accuracy: 1e-6 * a) }
            for (name, values) in results[one] {
                for (a, b) in zip(values, results[other][name] ?? []) { XCTAssertEqual(a, b, accuracy: 1e-7, name) }
            }
        }
        XCTAssertNotEqual(results[0], results[1])
    }
}
