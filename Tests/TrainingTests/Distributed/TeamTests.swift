import Foundation
import TestSupport
import Torch
import XCTest

@testable import Training

/// Teams of one process, which plays all ranks and what launched them.
final class TeamTests: XCTestCase {
    private static func team(rank: Int, port: UInt16, timeout: Double) throws -> Team {
        try Team(
            Launch(rank: rank, size: 2, host: "127.0.0.1", port: port, launcherServesStore: true), timeout: timeout)
    }

    /// Rank 0 knows that a third process died, tells it, and ends together with the store before rank 1 notices.
    func testTheReasonOfAnEndIsKnownWithoutTheStore() throws {
        let port = UInt16(try freePort())
        var store: KeyValueStore? = try KeyValueStore(host: "127.0.0.1", port: port, serves: true, timeout: 10)
        nonisolated(unsafe) var first: Team?
        let isThere = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            first = try? Self.team(rank: 0, port: port, timeout: 4)
            isThere.signal()
        }
        let second = try Self.team(rank: 1, port: port, timeout: 4)
        isThere.wait()
        try XCTUnwrap(first).leave(because: TeamError.silent(ranks: [7]))
        Thread.sleep(forTimeInterval: 3 * Heartbeat.interval)
        XCTAssertNotNil(store)
        store = nil
        XCTAssertThrowsError(try second.meet()) { error in
            XCTAssertTrue("\(error)".contains("rank 7 has died"), "\(error)")
        }
        second.leave(because: TeamError.silent(ranks: [7]))
    }

    func testTheFirstOfManyRanksAreNamed() {
        for (size, names) in [
            (2, "rank 1"), (4, "ranks 1, 2, 3"), (65_536, "ranks 1, 2, 3, 4, 5, 6, 7, 8 and 65527 more"),
        ] {
            let error = TeamError.absent(ranks: Array(1..<size), size: size, seconds: 3)
            XCTAssertTrue(error.description.hasPrefix("\(names) of \(size) did not come"), error.description)
        }
    }
}
