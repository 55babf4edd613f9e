import CAMTL
import Foundation
import Tasks
import XCTest

final class EntropyTests: XCTestCase {
    /// Over tasks with two and three labels, and regressions.
    func testNormalizedEntropyIsTheOriginals() throws {
        let tensors = try GoldenFiles.tensors("mtu")
        let pools = tensors.names.filter { $0.hasSuffix(".entropy") }.map { String($0.dropLast("entropy".count)) }
        XCTAssertFalse(pools.isEmpty)
        for pool in pools {
            let entropies = try tensors.values(pool + "entropy")
            let labelCounts = try tensors.values(pool + "num_labels").map { Int($0) }
            let rows = try tensors.tensor(pool + "logits_padded3").elements(Float.self).chunks(entropies.count)
            let own = zip(rows, labelCounts).map { normalizedEntropy($0.prefix($1)) }
            // The original's are float32, of numbers up to 1.
            assertClose(own, entropies, within: 1e-6, pool)
        }
    }

    func testEntropyOfCertaintyIsZeroAndOfAnEvenChoiceIsTheLogarithm() {
        XCTAssertEqual(entropy([2000, -2000] as [Float]), 0)
        XCTAssertEqual(entropy([1.5] as [Float]), 0)
        XCTAssertEqual(normalizedEntropy([1.5] as [Float]), 0)
        XCTAssertEqual(entropy([-3, -3, -3] as [Float]), log(3), accuracy: 1e-15)
        XCTAssertEqual(normalizedEntropy([7, 7] as [Float]), log(2) / (log(2) + 1e-5), accuracy: 1e-15)
    }

    func testProbabilitiesOfHugeLogitsAreNumbers() {
        XCTAssertEqual(probabilities([3e38, -3e38, 3e38] as [Float]), [0.5, 0, 0.5])
    }
}
