import Foundation
import Torch
import XCTest

/// A damaged file gives an error or tensors, never a crash.
final class DamagedCheckpointTests: FileTestCase {
    func testAFileCutShortAnywhereIsRefused() throws {
        for name in ["every_dtype.safetensors", "views.legacy.bin", "zip64.pt"] {
            let whole = [UInt8](try Data(contentsOf: Fixture.url(name)))
            let url = try file(whole)
            for count in (0..<whole.count).reversed() {
                XCTAssertEqual(truncate(url.path, count), 0)
                XCTAssertThrowsError(try CheckpointFile.open(url), "\(name) cut to \(count) bytes") { error in
                    XCTAssertTrue(error is CheckpointError, "\(name) cut to \(count) bytes: \(error)")
                }
            }
        }
    }

    func testAFileWithChangedBytesGivesErrorsOrWholeTensors() throws {
        var random = SplitMix64(state: 20_210_503)
        var refused = 0
        var read = 0
        for name in [
            "every_dtype.safetensors", "views.legacy.bin", "protocol4.legacy.bin", "views.zip.pt", "protocol4.zip.pt",
            "zip64.pt",
        ] {
            let whole = [UInt8](try Data(contentsOf: Fixture.url(name)))
            let url = try file(whole)
            // Writing in place, unlike making thousands of files, does not wait for the disk.
            let handle = try FileHandle(forWritingTo: url)
            defer { try? handle.close() }
            for _ in 0..<1000 {
                var damaged = whole
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let index = Int.random(in: 0..<whole.count, using: &random)
                    // All ones and zeros make the lengths that overflow; single bits, the ones that nearly fit.
                    let flipped = damaged[index] ^ (1 << UInt8.random(in: 0..<8, using: &random))
                    damaged[index] = [0, 0xFF, flipped, flipped].randomElement(using: &random) ?? 0
                }
                try handle.seek(toOffset: 0)
                try handle.write(contentsOf: Data(damaged))
                if try readAll(url) { read += 1 } else { refused += 1 }
            }
        }
        XCTAssertGreaterThan(refused, 0)
        XCTAssertGreaterThan(read, 0)
    }

    /// Reads each byte of each tensor; whether the file was accepted.
    private func readAll(_ url: URL) throws -> Bool {
        let checkpoint: CheckpointFile
        do {
            checkpoint = try CheckpointFile.open(url)
        } catch is CheckpointError {
            return false
        }
        for name in checkpoint.names {
            let info = try XCTUnwrap(checkpoint.info(name))
            let bytes = try checkpoint.withBytes(of: name) { Array($0) }
            XCTAssertEqual(bytes.count, info.byteCount)
        }
        return true
    }
}

/// A random number generator that gives the same numbers in each run: SplitMix64 (Steele, Lea and Flood, 2014).
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
