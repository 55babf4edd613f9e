import Foundation
import TestSupport
import Torch
import XCTest

final class QuantizedLinearTests: EveryProcessorChoiceTestCase {
    /// With the processor's instructions for it, and without.
    override var choices: [ProcessorChoice] {
        ProcessorChoice.all.prefix(1) + ProcessorChoice.all.filter { $0.instructions == "portable" }
    }

    /// Rounding to 255 steps errs by at most half a step, in the row and in the weights: for every output
    /// |error| <= Σ |x| δw/2 + Σ |w| δx/2 + n δx δw/4, with δ the step of its row of x or w.
    func testErrsByNoMoreThanRounding() throws {
        // Neither the rows nor the widths fill whole blocks; one channel is much larger than the others.
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 30, 3), (130, 384, 100), (65, 1537, 64)] {
            let x = try input(rows, inputs, seed: 1)
            let weight = try Tensor.normal([outputs, inputs], std: 0.05, seed: 2)
            let bias = try Tensor.normal([outputs], std: 1, seed: 3)
            let exact: [Float] = try linear(x, weight: weight, bias: bias).elements()
            let result: [Float] = try QuantizedLinear(weight: weight, bias: bias)(x).elements()
            let (xs, ws): ([Float], [Float]) = try (x.elements(), weight.elements())
            for row in 0..<rows {
                let values = xs[row * inputs..<(row + 1) * inputs]
                let step = (max(0, values.max() ?? 0) - min(0, values.min() ?? 0)) / 255
                let sum = values.reduce(0) { $0 + abs($1) }
                for output in 0..<outputs {
                    let weights = ws[output * inputs..<(output + 1) * inputs]
                    let weightStep = (weights.map(abs).max() ?? 0) / 127
                    let bound =
                        sum * weightStep / 2 + weights.reduce(0) { $0 + abs($1) } * step / 2
                        + Float(inputs) * step * weightStep / 4
                    // What float32 itself loses.
                    let slack = 1e-5 * (1 + sum * weightStep * 127)
                    XCTAssertEqual(
                        result[row * outputs + output], exact[row * outputs + output], accuracy: bound + slack,
                        "\([rows, inputs, outputs]), row \(row), output \(output)")
                }
            }
        }
    }

    /// Rounding errors are independent of each other: together they stay far below the bound of the worst case.
    func testKeepsTheOutputsToAPercent() throws {
        let (x, weight) = try (input(200, 384, seed: 4), Tensor.normal([384, 384], std: 0.05, seed: 5))
        let exact = try linear(x, weight: weight, bias: nil)
        let error = try relativeError(QuantizedLinear(weight: weight, bias: nil)(x), exact)
        // The step of a row is about a hundredth of its deviation, whose rounding error is 1/√12 of it.
        XCTAssertLessThan(error, 0.02)
        XCTAssertGreaterThan(error, 1e-4, "this was not rounded at all")
    }

    func testFeedForwardIsItsTwoLayers() throws {
        let x = try input(150, 64, seed: 6)
        let (up, down) = try (Tensor.normal([200, 64], std: 0.2, seed: 7), Tensor.normal([64, 200], std: 0.1, seed: 8))
        let bias = try Tensor.normal([200], std: 0.5, seed: 9)
        let (first, second) = try (
            QuantizedLinear(weight: up, bias: bias), QuantizedLinear(weight: down, bias: nil)
        )
        let nothing = try Tensor.zeros([200])
        func plainGELU(_ x: Tensor) throws -> Tensor { try gelu(x, bias: nothing) }
        for (activation, function) in [(QuantizedLinear.Activation.gelu, plainGELU), (.relu, relu)] {
            let result = try QuantizedLinear.feedForward(x, up: first, activation: activation, down: second)
            let exact = try linear(function(linear(x, weight: up, bias: bias)), weight: down, bias: nil)
            XCTAssertLessThan(try relativeError(result, exact), 0.03)
            // Apart from the activation's own error, a thousandth of a step, it is the two layers one after the other.
            let apart = try second(function(first(x)))
            XCTAssertLessThan(try relativeError(result, apart), activation == .gelu ? 2e-3 : 1e-9)
        }
    }

    func testGELUIsCloseEverywhere() throws {
        let xs = stride(from: Float(-12), through: 12, by: 0.01).map { $0 }
        // Rows of one number are rounded to 255 steps of themselves: exactly themselves.
        let one = try QuantizedLinear(weight: Tensor([Float(1)], shape: [1, 1]), bias: nil)
        let x = try Tensor(xs, shape: [xs.count, 1])
        let result: [Float] = try QuantizedLinear.feedForward(x, up: one, activation: .gelu, down: one).elements()
        for (x, value) in zip(xs, result) {
            let exact = x / 2 * (1 + erf(x / Float(2).squareRoot()))
            XCTAssertEqual(value, exact, accuracy: 5e-5 * max(1, abs(x)), "GELU(\(x))")
        }
    }

    /// A row's result depends neither on the other rows nor on the threads.
    func testSameBitsInAnyCompanyAndAtAnyThreadCount() throws {
        let before = threadCount
        defer { setThreadCount(before) }
        let x = try input(333, 96, seed: 10)
        let (up, down) = try (
            QuantizedLinear(weight: Tensor.normal([130, 96], std: 0.1, seed: 11), bias: nil),
            QuantizedLinear(weight: Tensor.normal([96, 130], std: 0.1, seed: 16), bias: nil)
        )
        var results: [[UInt8]] = []
        for threads in [1, 2, 2] {
            setThreadCount(threads)
            let through = try QuantizedLinear.feedForward(x, up: up, activation: .gelu, down: down)
            results.append(try up(x).bytes() + through.bytes())
        }
        XCTAssertEqual(results[0], results[1])
        XCTAssertEqual(results[0], results[2])
        let whole = try QuantizedLinear.feedForward(x, up: up, activation: .gelu, down: down)
        for row in [0, 63, 64, 332] {
            let alone = try QuantizedLinear.feedForward(
                x.narrowed(0, row..<row + 1), up: up, activation: .gelu, down: down)
            XCTAssertEqual(try alone.bytes(), try whole.narrowed(0, row..<row + 1).bytes(), "row \(row)")
        }
    }

    /// The calling thread's part of the processor time, which does not depend on what else the machine does.
    func testComputesOnAllItsThreads() throws {
        let before = threadCount
        defer { setThreadCount(before) }
        setThreadCount(2)
        let x = try input(4096, 384, seed: 14)
        let layer = try QuantizedLinear(weight: Tensor.normal([1536, 384], std: 1, seed: 15), bias: nil)
        _ = try layer(x)
        let (thread, process) = (seconds(CLOCK_THREAD_CPUTIME_ID), seconds(CLOCK_PROCESS_CPUTIME_ID))
        for _ in 0..<(QuantizedLinear.isAccelerated ? 20 : 2) { _ = try layer(x) }
        let share = (seconds(CLOCK_THREAD_CPUTIME_ID) - thread) / (seconds(CLOCK_PROCESS_CPUTIME_ID) - process)
        XCTAssertLessThan(share, 0.8, "the calling thread did it all; half is its part")
    }

    private func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    func testRowsOfNothingGiveTheBiasAndFaultsStayInTheirRows() throws {
        let weight = try Tensor.normal([2, 40], std: 1, seed: 12)
        let layer = try QuantizedLinear(weight: weight, bias: Tensor([Float(3), -4]))
        for fault in [Float.nan, .infinity, -.infinity] {
            var values = [Float](repeating: 0, count: 120)
            values[47] = fault
            let result: [Float] = try layer(Tensor(values, shape: [3, 40])).elements()
            XCTAssertEqual([result[0], result[1], result[4], result[5]], [3, -4, 3, -4])
            XCTAssertTrue(result[2].isNaN && result[3].isNaN, "\(fault) gave \(result)")
        }
    }

    func testRefusesWhatItCannotTake() throws {
        let layer = try QuantizedLinear(weight: Tensor.normal([4, 8], std: 1, seed: 13), bias: nil)
        assertFails("8 inputs can't take") { _ = try layer(Tensor.zeros([2, 9])) }
        assertFails("takes float32") { _ = try layer(Tensor.zeros([2, 8], dtype: .float64)) }
        assertFails("float32 matrix") { _ = try QuantizedLinear(weight: Tensor.zeros([4]), bias: nil) }
        assertFails("can't feed") {
            _ = try QuantizedLinear.feedForward(Tensor.zeros([2, 8]), up: layer, activation: .relu, down: layer)
        }
        let x = try Tensor.zeros([2, 8])
        try x.setRequiresGradient(true)
        assertFails("no gradient") { _ = try layer(x) }
        XCTAssertEqual(try withoutGradients { try layer(x) }.shape, [2, 4])
    }

    private func assertFails(_ part: String, line: UInt = #line, _ body: () throws -> Void) {
        XCTAssertThrowsError(try body(), line: line) { error in
            XCTAssertTrue("\(error)".contains(part), "\(error)", line: line)
        }
    }

    /// Normal deviates, in which one channel is ten times the others, as in BERT's hidden states.
    private func input(_ rows: Int, _ width: Int, seed: UInt64) throws -> Tensor {
        var values: [Float] = try Tensor.normal([rows, width], std: 1, seed: seed).elements()
        for row in 0..<rows { values[row * width + width / 2] *= 10 }
        return try Tensor(values, shape: [rows, width])
    }

    /// ‖a - b‖ / ‖b‖.
    private func relativeError(_ a: Tensor, _ b: Tensor) throws -> Double {
        func norm(_ x: Tensor) throws -> Double { try (x * x).sum().item().squareRoot() }
        return try norm(a - b) / norm(b)
    }
}
