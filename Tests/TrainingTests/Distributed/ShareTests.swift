import XCTest

@testable import Training

final class ShareTests: XCTestCase {
    func testSharesAreAllOfItAndNoneTwice() {
        let weights = (0..<101).map { 1 + ($0 * 37) % 90 }
        for size in 1...7 {
            let shares = (0..<size).map { Share(rank: $0, size: size).own(weights) }
            XCTAssertEqual(shares.flatMap { $0 }.sorted(), Array(weights.indices))
            for share in shares { XCTAssertEqual(share, share.sorted()) }
            let sums = shares.map { $0.map { weights[$0] }.reduce(0, +) }
            // No more apart than one of the lightest that came last.
            XCTAssertLessThanOrEqual((sums.max() ?? 0) - (sums.min() ?? 0), 2, "\(sums)")
        }
    }

    func testFewerThanProcesses() {
        XCTAssertEqual((0..<4).map { Share(rank: $0, size: 4).own([5, 9]) }, [[1], [0], [], []])
    }
}
