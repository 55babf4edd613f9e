import CAMTL
import Foundation
import Tasks
import XCTest

@testable import Training

final class BatchSourceTests: ToyTestCase {
    private let samplings: [Sampling] = [
        .proportional, .sequential, .uniform(share: 0.5), .uncertainty(share: 0.5, score: .original),
    ]

    private func data() throws -> [TaskData] {
        try writeModel(tasks: ["cola", "sts-b", "mnli"])
        for (name, count) in [("cola", 30), ("sts-b", 12), ("mnli", 20)] { try writeData(name, train: count) }
        return try loadData(loadModel())
    }

    private func settings(_ sampling: Sampling, groupsByLength: Bool = false) -> TrainingSettings {
        var settings = TrainingSettings.toy(sampling, batchSize: 4, steps: 1)
        settings.groupsByLength = groupsByLength
        return settings
    }

    private func sampler(_ settings: TrainingSettings, _ data: [TaskData]) -> Sampler {
        Sampler(
            settings.sampling, sizes: data.compactMap { task in task.train.map { (task.id, $0.count) } },
            batchSize: settings.batchSize, seed: settings.seed,
            lengths: settings.groupsByLength ? TrainingSets(data).length : nil)
    }

    private func draw(_ content: BatchSource.Content) -> Draw {
        switch content {
        case .batch(let examples, _): .batch(examples)
        case .candidates(let pool): .candidates(pool.examples)
        }
    }

    /// Whatever the other thread has made ready: it gets time for it or not.
    func testDrawsAreTheSamplersInItsOrder() throws {
        let data = try data()
        for sampling in samplings {
            for groupsByLength in [false, true] {
                let settings = settings(sampling, groupsByLength: groupsByLength)
                let source = BatchSource(data, settings: settings)
                var sampler = sampler(settings, data)
                XCTAssertEqual(source.batchesPerEpoch, sampler.batchesPerEpoch)
                for index in 0..<60 {
                    if index.isMultiple(of: 7) { Thread.sleep(forTimeInterval: 0.002) }
                    XCTAssertEqual(draw(source.next()), sampler.next(), "\(sampling), draw \(index)")
                }
            }
        }
    }

    func testItsPlaceIsThatOfWhatWasGivenNotOfWhatIsReady() throws {
        let data = try data()
        for sampling in samplings {
            let settings = settings(sampling)
            let source = BatchSource(data, settings: settings)
            var sampler = sampler(settings, data)
            for index in 0..<40 {
                XCTAssertEqual(source.place, sampler.place, "\(sampling) before draw \(index)")
                let other = BatchSource(data, settings: settings)
                _ = other.next()
                other.place = source.place
                XCTAssertEqual(draw(source.next()), sampler.next())
                if index.isMultiple(of: 5) { Thread.sleep(forTimeInterval: 0.002) }
                XCTAssertEqual(source.place, sampler.place, "\(sampling) after draw \(index)")
                var expected = self.sampler(settings, data)
                expected.place = other.place
                XCTAssertEqual(draw(other.next()), expected.next(), "\(sampling) from draw \(index)")
            }
        }
    }

    func testABatchHasItsExamplesTokensAndLabels() throws {
        let data = try data()
        let source = BatchSource(data, settings: settings(.proportional))
        for _ in 0..<source.batchesPerEpoch {
            guard case .batch(let examples, let batch) = source.next() else { return XCTFail("no batch") }
            var expected = PackedBatch()
            for example in examples {
                expected.append(try XCTUnwrap(data[example.task].train), at: example.index, taskID: example.task)
            }
            XCTAssertEqual(batch.tokens, expected)
            XCTAssertEqual(
                batch.targets, examples.map { data[$0.task].train?.target(at: $0.index).map(Double.init) ?? [] })
        }
    }

    func testAPoolsPiecesHoldEachCandidateOnceAndAreOfAboutOneLength() throws {
        let data = try data()
        let source = BatchSource(data, settings: settings(.uncertainty(share: 1, score: .original)))
        for _ in 0..<10 {
            guard case .candidates(let drawn) = source.next() else { return XCTFail("no candidates") }
            let pool = CandidatePool(drawn.examples, data: TrainingSets(data), pieceSize: 2, pieceTokens: 30)
            XCTAssertGreaterThan(pool.pieces.count, 1)
            XCTAssertEqual(pool.pieces.flatMap(\.positions).sorted(), Array(pool.examples.indices))
            let lengths = pool.pieces.flatMap(\.tokens.lengths)
            XCTAssertEqual(lengths, lengths.sorted())
            for piece in pool.pieces {
                var expected = PackedBatch()
                for position in piece.positions {
                    let example = pool.examples[position]
                    expected.append(try XCTUnwrap(data[example.task].train), at: example.index, taskID: example.task)
                }
                XCTAssertEqual(piece.tokens, expected)
            }
        }
    }
}
