import Files
import Foundation
import TestSupport
import Torch
import XCTest

@testable import Training

/// Teams of one process, which plays all ranks and what launched them.
final class TeamTests: XCTestCase {
    private static func team(rank: Int, port: UInt16, timeout: Double) throws -> Team {
        try Team(
            Launch(rank: rank, size: 2, host: "127.0.0.1", port: port, launcherServesStore: true),
            secret: TeamSecret([:]), timeout: timeout)
    }

    /// Rank 0 knows that a third process died, tells it, and ends together with the store before rank 1 notices.
    func testTheReasonOfAnEndIsKnownWithoutTheStore() throws {
        let port = UInt16(try freePort())
        let listener = try Endpoint(host: "127.0.0.1", port: port).bind(everyProcessIsHere: true).socket
        var store: KeyValueStore? = try KeyValueStore(
            host: "127.0.0.1", port: port, listener: listener, timeout: 10)
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

    /// The parts of one store that are for those with a secret, as all who reach it see them.
    func testWhatHasNoSecretIsRefusedInAStore() throws {
        let port = UInt16(try freePort())
        let listener = try Endpoint(host: "localhost", port: port).bind(everyProcessIsHere: true)
        let store = try KeyValueStore(host: listener.host, port: port, listener: listener.socket, timeout: 10)
        let secret = ["CAMTL_TEAM_SECRET": "0123456789abcdef"]
        let first = try Meeting(store, restarts: 0, secret: TeamSecret(secret))
        let again = try Meeting(store, restarts: 0, secret: TeamSecret(secret))
        let other = try Meeting(store, restarts: 0, secret: TeamSecret([:]))
        try store.set(first.key("here", 1), "forged")
        try other.set("here", 1, "another's")
        XCTAssertEqual(try first.values("here", size: 2), [:])
        try first.set("here", 1, "own")
        XCTAssertEqual(try again.values("here", size: 2), [1: "own"])
        XCTAssertTrue(try first.claim("rank", 0, "first"))
        XCTAssertFalse(try again.claim("rank", 0, "second"))
        XCTAssertEqual(try again.value("rank", 0, timeout: 1), "first")
        try other.knock(rank: 1)
        try again.knock(rank: 0)
        XCTAssertEqual(try first.strangers(among: [0, 1]), [1])
    }

    /// One who can read the whole store sees the names of its keys, and what it says by another key.
    func testAValueThatIsChangedOrMovedIsRefused() throws {
        let port = UInt16(try freePort())
        let listener = try Endpoint(host: "127.0.0.1", port: port).bind(everyProcessIsHere: true)
        let store = try KeyValueStore(host: listener.host, port: port, listener: listener.socket, timeout: 10)
        let seal = StoreSeal(secret: Array("0123456789abcdef".utf8))
        let sealed = try store.sealed(by: seal)
        try sealed.set("a", "1")
        XCTAssertEqual(try sealed.value(of: "a", timeout: 1), "1")
        let name = storedName(of: "a", secret: "0123456789abcdef")
        XCTAssertTrue(try store.has(name))
        try store.set(name, "forged, and longer than a code of 32 bytes")
        XCTAssertThrowsError(try sealed.value(of: "a", timeout: 1)) { XCTAssertTrue($0 is ForgedValue, "\($0)") }
        XCTAssertThrowsError(try sealed.claim("a", "2")) { XCTAssertTrue($0 is ForgedValue, "\($0)") }
        try store.set(name, "short")
        XCTAssertThrowsError(try sealed.value(of: "a", timeout: 1)) { XCTAssertTrue($0 is ForgedValue, "\($0)") }
    }

    /// The name that a key has for those without the secret: its code, after its kind and its length in eight bytes.
    private func storedName(of key: String, secret: String) -> String {
        let message = Array("k".utf8) + [UInt8(key.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(key.utf8)
        let code = SHA256.authenticationCode(of: message, key: Array(secret.utf8))
        return "camtl/" + code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    func testASecretIsLongEnoughAndARunsOwn() throws {
        XCTAssertThrowsError(try TeamSecret(["CAMTL_TEAM_SECRET": ""]))
        XCTAssertThrowsError(try TeamSecret(["CAMTL_TEAM_SECRET": "fifteen bytes.."]))
        func fingerprint(_ environment: [String: String]) throws -> String {
            try TeamSecret(environment).seal.fingerprint
        }
        XCTAssertEqual(try fingerprint(["SLURM_JOB_ID": "1"]), try fingerprint(["SLURM_JOB_ID": "1"]))
        XCTAssertNotEqual(try fingerprint(["SLURM_JOB_ID": "1"]), try fingerprint(["SLURM_JOB_ID": "2"]))
        XCTAssertEqual(try fingerprint(["RANK": "1"]), try fingerprint(["RANK": "0", "SLURM_JOB_ID": "2"]))
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
