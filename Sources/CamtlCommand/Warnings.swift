import Foundation
import Torch
import Training

/// Says on standard error what goes on all the same, but may not be what the user is after.
func warn(_ warnings: [String]) {
    for warning in warnings { writeToStandardError("Warning: \(warning)\n") }
}

/// What there is to say of flags that others leave nothing to do.
///
/// - Parameters:
///   - flags: their names, and whether they are given.
///   - isNeeded: whether they have something to do.
///   - other: what would give them something.
func withoutEffect(
    _ flags: [(name: String, isGiven: Bool)], unless isNeeded: Bool, need other: String
) -> [String] {
    isNeeded ? [] : flags.filter(\.isGiven).map { "--\($0.name) has no effect without \(other)" }
}

extension Precision {
    /// What there is to say of flags that ask for 8-bit integers, if this processor is slow at them: one text.
    static func warnings(_ flags: [(name: String, precision: Precision)]) -> [String] {
        let names = flags.filter { $0.precision == .int8 }.map { "--\($0.name) int8" }
        guard !names.isEmpty, !QuantizedLinear.isAccelerated else { return [] }
        return [
            "\(names.joined(separator: " and ")): on this processor, which has no AVX-512 VNNI, 8-bit integers are "
                + "slower than exact numbers; \(names.count == 1 ? "the flag" : "both flags") can be left out"
        ]
    }
}
