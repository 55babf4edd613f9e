import Torch
import XCTest

/// How near numbers have to be to the original's.
struct Tolerance {
    /// Of activations, logits and losses: absolute. They are of the order of 1, so that both sides' sums of float32
    /// products come to a few 1e-6 of rounding, and as much for values near 0, as these are sums of larger ones.
    let output: Double
    /// Of gradients: relative to the largest gradient of the batch, as small ones are sums of large ones.
    let gradient: Double

    init(_ dtype: DType) {
        (output, gradient) = dtype == .float64 ? (1e-10, 1e-9) : (1e-5, 1e-4)
    }
}

/// Compares element by element, and shows the worst one.
func assertClose(
    _ values: [Double], _ golden: [Double], within tolerance: Double, _ what: @autoclosure () -> String,
    file: StaticString = #filePath, line: UInt = #line
) {
    guard values.count == golden.count else {
        XCTFail("\(what()): \(values.count) elements, and the original has \(golden.count)", file: file, line: line)
        return
    }
    var (worst, position) = (0.0, 0)
    for (index, (value, other)) in zip(values, golden).enumerated() {
        let difference = value.isNaN && other.isNaN ? 0 : abs(value - other)
        if difference > worst || difference.isNaN { (worst, position) = (difference, index) }
        if difference.isNaN { break }
    }
    if !(worst <= tolerance) {
        XCTFail(
            "\(what()): element \(position) is \(values[position]), the original's is \(golden[position]); "
                + "they differ by \(worst), and \(tolerance) is allowed", file: file, line: line)
    }
}

/// Compares numbers that are each to be near in relation to its size.
func assertRelativelyClose(
    _ values: [Double], _ golden: [Double], within tolerance: Double, _ what: @autoclosure () -> String,
    file: StaticString = #filePath, line: UInt = #line
) {
    guard values.count == golden.count else {
        XCTFail("\(what()): \(values.count) elements, and the original has \(golden.count)", file: file, line: line)
        return
    }
    let relations = zip(values, golden).map { $1 == 0 && $0 == 0 ? 1 : $0 / $1 }
    assertClose(
        relations, relations.map { _ in 1 }, within: tolerance, "\(what()), in relation", file: file, line: line)
}
