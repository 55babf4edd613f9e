import Foundation
import TestSupport
import Torch
import XCTest

final class OptimizationTests: EveryProcessorChoiceTestCase {
    private func parameter(_ values: [Double], dtype: DType) throws -> Parameter {
        let parameter = Parameter("p")
        parameter.declare([values.count], .zeros)
        try parameter.materialize(Tensor(values).to(dtype))
        return parameter
    }

    private func setGradient(_ parameter: Parameter, _ gradient: [Double]?) throws {
        let tensor = parameter.wrappedValue
        try tensor.setGradient(gradient.map { try Tensor($0).to(tensor.dtype) })
    }

    // MARK: - AdamW

    /// One parameter after the documented formula, in Swift.
    private struct ReferenceAdamW {
        var values: [Double]
        let decay: Double
        let epsilon: Double
        private var first: [Double]
        private var second: [Double]
        private var step = 0.0

        init(_ values: [Double], decay: Double, epsilon: Double) {
            (self.values, self.decay, self.epsilon) = (values, decay, epsilon)
            first = values.map { _ in 0 }
            second = first
        }

        mutating func update(_ gradient: [Double]?, rate: Double) {
            guard let gradient else { return }
            step += 1
            for (index, g) in gradient.enumerated() {
                first[index] = 0.9 * first[index] + 0.1 * g
                second[index] = 0.999 * second[index] + 0.001 * g * g
                let correction = (1 - pow(0.999, step)).squareRoot() / (1 - pow(0.9, step))
                values[index] -= rate * correction * first[index] / (second[index].squareRoot() + epsilon)
                values[index] -= rate * decay * values[index]
            }
        }
    }

    /// Two groups of parameters, one of which decays; one parameter of each often lacks a gradient.
    private func assertAdamWFollowsItsFormula(_ dtype: DType, epsilon: Double, within accuracy: Double) throws {
        var random = RandomStream(seed: 9)
        func values(_ count: Int, _ size: Double) -> [Double] {
            // Such as float32 holds, so that both begin with the same.
            (0..<count).map { _ in Double(Float(Double.random(in: -size...size, using: &random))) }
        }
        let decays = [0.1, 0.1, 0, 0]
        var references = decays.indices.map {
            ReferenceAdamW(values(3 + $0, 1), decay: decays[$0], epsilon: epsilon)
        }
        let parameters = try references.map { try parameter($0.values, dtype: dtype) }
        let optimizer = AdamW(
            [
                AdamW.Group(parameters: Array(parameters[..<2]), weightDecay: 0.1),
                AdamW.Group(parameters: Array(parameters[2...]), weightDecay: 0),
            ], epsilon: epsilon)
        for step in 0..<50 {
            let rate = 0.01 * Double(step % 7)
            for (index, parameter) in parameters.enumerated() {
                let isAbsent = index % 2 == 1 && step % 3 != 1
                let gradient = isAbsent ? nil : values(3 + index, pow(10, Double(index - 3)))
                try setGradient(parameter, gradient)
                references[index].update(gradient, rate: rate)
            }
            try optimizer.step(rate: rate)
            try optimizer.clearGradients()
            for (index, parameter) in parameters.enumerated() {
                XCTAssertNil(try parameter.wrappedValue.gradient())
                let own: [Double] = try parameter.wrappedValue.elements()
                for (value, expected) in zip(own, references[index].values) {
                    XCTAssertEqual(value, expected, accuracy: accuracy, "parameter \(index) in step \(step)")
                }
            }
        }
    }

    func testAdamWFollowsItsFormula() throws {
        // Rounding of 50 steps; an epsilon that counts shows where it is added.
        for epsilon in [1e-8, 1e-3] {
            try assertAdamWFollowsItsFormula(.float64, epsilon: epsilon, within: 1e-13)
            try assertAdamWFollowsItsFormula(.float32, epsilon: epsilon, within: 3e-6)
        }
    }

    func testParameterWithoutAGradientStays() throws {
        let parameter = try parameter([1, 2], dtype: .float32)
        let optimizer = AdamW([AdamW.Group(parameters: [parameter], weightDecay: 0.5)], epsilon: 1e-8)
        try optimizer.step(rate: 0.1)
        XCTAssertEqual(try parameter.wrappedValue.elements(Float.self), [1, 2])
        try setGradient(parameter, [1, 1])
        try optimizer.step(rate: 0.1)
        let moved: [Float] = try parameter.wrappedValue.elements()
        XCTAssertNotEqual(moved, [1, 2])
        try optimizer.clearGradients()
        try optimizer.step(rate: 0.1)
        XCTAssertEqual(try parameter.wrappedValue.elements(Float.self), moved)
    }

    func testGradientsThatAreZeroedMoveAParameterByItsMomentum() throws {
        let (moved, untouched) = (try parameter([1, 2], dtype: .float32), try parameter([1, 2], dtype: .float32))
        let optimizer = AdamW([AdamW.Group(parameters: [moved, untouched], weightDecay: 0)], epsilon: 1e-8)
        try setGradient(moved, [1, -1])
        try optimizer.step(rate: 0.1)
        try optimizer.clearGradients(toZero: true)
        XCTAssertEqual(try moved.wrappedValue.gradient()?.elements(Float.self), [0, 0])
        XCTAssertNil(try untouched.wrappedValue.gradient())
        let before: [Float] = try moved.wrappedValue.elements()
        try optimizer.step(rate: 0.1)
        let after: [Float] = try moved.wrappedValue.elements()
        XCTAssertLessThan(after[0], before[0])
        XCTAssertGreaterThan(after[1], before[1])
        XCTAssertEqual(try untouched.wrappedValue.elements(Float.self), [1, 2])
    }

    func testStepWithoutParametersDoesNothing() throws {
        let optimizer = AdamW([AdamW.Group(parameters: [], weightDecay: 0.1)], epsilon: 1e-8)
        try optimizer.step(rate: 1)
        try optimizer.clearGradients()
    }

    // MARK: - Clipping

    func testClippingBringsTheNormOfAllGradientsDownToTheMaximum() throws {
        let parameters = try [[0, 0], [0], [1]].map { try parameter($0, dtype: .float64) }
        try setGradient(parameters[0], [3, 0])
        try setGradient(parameters[1], [-4])
        let norm = try XCTUnwrap(gradientNorm(parameters)).item()
        XCTAssertEqual(norm, 5, accuracy: 1e-14)
        for maximum in [1, 4.9, 5, 5.1, 100] {
            XCTAssertEqual(clippingFactor(norm: norm, maximum: maximum), min(1, maximum / (5 + 1e-6)))
        }
    }

    /// What clips without knowing the norm, as for a device that is still computing it, comes to the same; a norm that
    /// is not finite leaves values and moments as they are.
    func testAdamWClipsByANormThatOnlyTheDeviceKnows() throws {
        for maximum in [0.5, 100] {
            let parameters = try (0..<2).map { _ in try parameter([1, -2], dtype: .float64) }
            let optimizers = parameters.map {
                AdamW([AdamW.Group(parameters: [$0], weightDecay: 0.1)], epsilon: 1e-3)
            }
            for step in 1...4 {
                let gradients = step == 3 ? [Double.infinity, 1] : [3, -4 * Double(step)]
                for parameter in parameters { try setGradient(parameter, gradients) }
                let norm = try XCTUnwrap(gradientNorm([parameters[0]]))
                let before: [Double] = try parameters[0].wrappedValue.elements()
                try optimizers[0].step(rate: 0.1, clipping: .init(norm: norm, maximum: maximum))
                if step == 3 {
                    XCTAssertEqual(try parameters[0].wrappedValue.elements(Double.self), before)
                    continue
                }
                // The other counts the step that was left out, too.
                if step == 4 { optimizers[1].states = [try counted(optimizers[1].states[0])] }
                try optimizers[1].step(
                    rate: 0.1, gradientScale: clippingFactor(norm: norm.item(), maximum: maximum))
                let pairs = zip(
                    try parameters[0].wrappedValue.elements(Double.self),
                    try parameters[1].wrappedValue.elements(Double.self))
                for (a, b) in pairs { XCTAssertEqual(a, b, accuracy: 1e-6, "step \(step), at most \(maximum)") }
            }
        }
        // float32 on the CPU has loops of its own, for which the norm is to be known.
        let fast = try parameter([1], dtype: .float32)
        try setGradient(fast, [1])
        let optimizer = AdamW([AdamW.Group(parameters: [fast], weightDecay: 0)], epsilon: 1e-8)
        XCTAssertThrowsError(try optimizer.step(rate: 1, clipping: .init(norm: .full([], 1), maximum: 1)))
    }

    /// A state with a step more.
    private func counted(_ state: AdamW.State?) throws -> AdamW.State {
        let state = try XCTUnwrap(state)
        return AdamW.State(firstMoment: state.firstMoment, secondMoment: state.secondMoment, step: state.step + 1)
    }

    func testNormOfNoGradientsIsZero() throws {
        XCTAssertNil(try gradientNorm([]))
        XCTAssertNil(try gradientNorm([parameter([1], dtype: .float32)]))
    }

    func testAdamWScalesGradients() throws {
        for dtype in [DType.float32, .float64] {
            let (scaled, given) = (try parameter([1, -2], dtype: dtype), try parameter([1, -2], dtype: dtype))
            let optimizers = [scaled, given].map {
                AdamW([AdamW.Group(parameters: [$0], weightDecay: 0.1)], epsilon: 1e-3)
            }
            for step in 1...3 {
                try setGradient(scaled, [4, -8 * Double(step)])
                try setGradient(given, [1, -2 * Double(step)])
                try optimizers[0].step(rate: 0.1, gradientScale: 0.25)
                try optimizers[1].step(rate: 0.1)
            }
            XCTAssertEqual(
                try scaled.wrappedValue.elements(Double.self), try given.wrappedValue.elements(Double.self))
        }
    }

    // MARK: - Sparse gradients

    /// A table, rows of which are read in each step, and its update with and without the rows that were not.
    private func tables(decay: Double) throws -> [(table: Parameter, optimizer: AdamW, sparse: Bool)] {
        try [true, false].map { sparse in
            let table = Parameter("table")
            table.declare([6, 20], .zeros)
            try table.materialize(Tensor.normal([6, 20], std: 1, seed: 3))
            return (table, AdamW([AdamW.Group(parameters: [table], weightDecay: decay)], epsilon: 1e-8), sparse)
        }
    }

    func testASparseGradientMovesTheTableAsADenseOneDoes() throws {
        let steps: [[Int64]] = [[1, 4, 1], [2], [4, 4, 5], [1], [0, 2]]
        for decay in [0, 0.1] {
            var results: [[Float]] = []
            for (table, optimizer, sparse) in try tables(decay: decay) {
                for (number, rows) in steps.enumerated() {
                    let value = table.wrappedValue
                    let read = try embedding(Tensor(rows), table: value, paddingIndex: 0, sparseGradient: sparse)
                    try (read * read * Double(number + 1)).sum().backward()
                    let gradient = try XCTUnwrap(value.gradient())
                    XCTAssertEqual(gradient.isSparse, sparse)
                    results.append(try XCTUnwrap(gradientNorm([table])).elements())
                    results.append(try gradient.elements())
                    try optimizer.step(rate: 0.01, gradientScale: 0.5)
                    try optimizer.clearGradients(toZero: number == 2)
                    if number == 3 {
                        // As after a restart: what is known of earlier rows is in the moments.
                        optimizer.states = optimizer.states.map { state in
                            state.map {
                                AdamW.State(
                                    firstMoment: $0.firstMoment, secondMoment: $0.secondMoment, step: $0.step)
                            }
                        }
                    }
                }
                results.append(try table.wrappedValue.elements())
            }
            let (sparse, dense) = (results.prefix(results.count / 2), results.suffix(results.count / 2))
            for (one, other) in zip(sparse, dense) {
                for (a, b) in zip(one, other) { XCTAssertEqual(a, b, accuracy: 2e-6 * max(1, abs(b))) }
            }
        }
    }

    // MARK: - Schedule

    private func rates(_ total: Int, _ warmup: Double, _ steps: Int) -> [Double] {
        let schedule = LinearSchedule(rate: 8, totalSteps: total, warmupProportion: warmup)
        return (0..<steps).map(schedule.rate(at:))
    }

    func testRateRisesAndFallsLinearly() {
        XCTAssertEqual(rates(8, 0.5, 10), [0, 2, 4, 6, 8, 6, 4, 2, 0, 0])
        XCTAssertEqual(rates(4, 0, 6), [8, 6, 4, 2, 0, 0], "without a warm-up the first rate is the highest")
        XCTAssertEqual(rates(4, 1, 6), [0, 2, 4, 6, 0, 0], "with nothing else the highest isn't reached")
    }

    func testWarmupIsNotRounded() {
        XCTAssertEqual(LinearSchedule(rate: 8, totalSteps: 10, warmupProportion: 0.25).warmupSteps, 2.5)
        for (rate, expected) in zip(rates(10, 0.25, 4), [0, 8 / 2.5, 16 / 2.5, 8 * 7 / 7.5]) {
            XCTAssertEqual(rate, expected, accuracy: 1e-14)
        }
        // Less than a step: rising by a whole one's share.
        XCTAssertEqual(rates(2, 0.25, 3)[0], 0)
        XCTAssertEqual(rates(2, 0.25, 3)[1], 8 / 1.5, accuracy: 1e-14)
    }

    func testOneStepOrNone() {
        XCTAssertEqual(rates(1, 0, 3), [8, 0, 0])
        XCTAssertEqual(rates(1, 1, 3), [0, 0, 0])
        XCTAssertEqual(rates(1, 0.5, 2), [0, 0])
        for warmup in [0, 0.5, 1] { XCTAssertEqual(rates(0, warmup, 3), [0, 0, 0]) }
    }
}
