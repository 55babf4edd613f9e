import Foundation
import Torch
import XCTest

final class RandomStreamTests: XCTestCase {
    /// The first numbers of SplitMix64's published test for this seed.
    func testNumbersAreSplitMix64s() {
        var stream = RandomStream(seed: 1_234_567)
        XCTAssertEqual(
            (0..<5).map { _ in stream.next() },
            [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    func testStreamContinuesFromItsState() throws {
        var stream = RandomStream(seed: 5)
        for _ in 0..<10 { _ = stream.next() }
        var restored = try JSONDecoder().decode(RandomStream.self, from: JSONEncoder().encode(stream))
        XCTAssertEqual(restored, stream)
        XCTAssertEqual((0..<10).map { _ in restored.next() }, (0..<10).map { _ in stream.next() })
    }

    func testPurposesHaveStreamsOfTheirOwn() {
        func numbers(_ seed: UInt64, _ purpose: String) -> [UInt64] {
            var stream = RandomStream(seed: seed, purpose: purpose)
            return (0..<4).map { _ in stream.next() }
        }
        XCTAssertEqual(numbers(1, "epoch 0"), numbers(1, "epoch 0"))
        let distinct = Set(
            [(1, "epoch 0"), (1, "epoch 1"), (2, "epoch 0"), (1, "0 hcope"), (1, "")].map { numbers($0.0, $0.1) })
        XCTAssertEqual(distinct.count, 5)
    }
}
