import CAMTL
import Tasks
import Torch
import XCTest

@testable import Training

final class CandidateScorerTests: ToyTestCase {
    private let rates = DropoutRates(hidden: 0.3, attention: 0.3, decoder: 0.3)

    private func settings(_ score: UncertaintyScore, asOriginal: Bool = false) -> TrainingSettings {
        var settings = TrainingSettings.toy(.uncertainty(share: 1, score: score), batchSize: 5, steps: 1)
        settings.reproducesOriginal = asOriginal
        return settings
    }

    /// A pool of tasks with two and three labels and a regression, mixed, with sequences of many lengths.
    private func examples() -> [ExampleReference] {
        (0..<12).flatMap { index in (0..<3).map { ExampleReference(task: $0, index: index) } }
    }

    /// Cut into several pieces.
    private func pool(_ data: [TaskData]) -> CandidatePool {
        CandidatePool(examples(), data: TrainingSets(data), pieceSize: 3, pieceTokens: 60)
    }

    private func prepare() throws -> (TrainedModel, [TaskData]) {
        try writeModel(tasks: ["mrpc", "sts-b", "mnli"])
        for name in ["mrpc", "sts-b", "mnli"] { try writeData(name, train: 12) }
        let trained = try loadModel()
        return (trained, try loadData(trained))
    }

    /// The candidates as the model sees them one by one.
    private func candidates(_ trained: TrainedModel, _ data: [TaskData]) throws -> [Candidate] {
        try examples().map { example in
            var batch = PackedBatch()
            batch.append(try XCTUnwrap(data[example.task].train), at: example.index, taskID: example.task)
            let logits: [Float] = try trained.model(batch).tasks[0].logits.elements()
            return Candidate(task: example.task, entropy: entropy(logits), labelCount: logits.count)
        }
    }

    func testPicksTheCandidatesThatTheModelIsLeastSureOf() throws {
        let (trained, data) = try prepare()
        let candidates = try candidates(trained, data)
        for score in UncertaintyScore.allCases {
            for asOriginal in [false, true] {
                var random = RandomStream(seed: 0)
                let scores =
                    asOriginal
                    ? originalUncertaintyScores(candidates, score: score, stsB: 1, mrpc: 0)
                    : uncertaintyScores(candidates, score: score, random: &random)
                let scorer = CandidateScorer(model: trained.model, settings: settings(score, asOriginal: asOriginal))
                let picked = try scorer.pick(pool(data), tasks: data, dropout: .none).examples
                XCTAssertEqual(picked.count, 5)
                // In a batch with others a score is off by float32's rounding, which may turn the order of near ones.
                let values = try picked.map { scores[try XCTUnwrap(examples().firstIndex(of: $0))] }
                for (value, highest) in zip(values, scores.sorted(by: >)) {
                    XCTAssertEqual(value, highest, accuracy: 1e-5, "\(score), as the original: \(asOriginal)")
                }
            }
        }
    }

    func testScoringRecordsNoGradients() throws {
        let (trained, data) = try prepare()
        _ = try CandidateScorer(model: trained.model, settings: settings(.original))
            .pick(pool(data), tasks: data, dropout: rates)
        for (name, parameter) in trained.model.namedParameters() {
            XCTAssertNil(try parameter.wrappedValue.gradient(), name)
        }
    }

    /// Only dropout draws from the random stream: what comes next in it tells whether there was any.
    func testOriginalScoresWithoutDropoutAtFirstAndAfterEachEvaluation() throws {
        let (trained, data) = try prepare()
        let ones = try Tensor.full([64], 1)
        try seedRandomStream(1)
        let untouched: [Float] = try dropout(ones, probability: 0.5).elements()
        for asOriginal in [false, true] {
            let scorer = CandidateScorer(model: trained.model, settings: settings(.original, asOriginal: asOriginal))
            func dropsOut() throws -> Bool {
                try seedRandomStream(1)
                _ = try scorer.pick(pool(data), tasks: data, dropout: rates)
                let next: [Float] = try dropout(ones, probability: 0.5).elements()
                return next != untouched
            }
            XCTAssertEqual(try (0..<3).map { _ in try dropsOut() }, [!asOriginal, true, true])
            scorer.modelWasEvaluated()
            XCTAssertEqual(try (0..<2).map { _ in try dropsOut() }, [!asOriginal, true])
        }
    }

    func testDropoutOffScoresWithoutAndAlwaysPicksTheSame() throws {
        let (trained, data) = try prepare()
        var settings = settings(.original)
        settings.sampling = .uncertainty(share: 1, score: .original, usesDropout: false)
        let scorer = CandidateScorer(model: trained.model, settings: settings)
        let ones = try Tensor.full([64], 1)
        try seedRandomStream(1)
        let untouched: [Float] = try dropout(ones, probability: 0.5).elements()
        try seedRandomStream(1)
        let picks = try (0..<3).map { _ in try scorer.pick(pool(data), tasks: data, dropout: rates).examples }
        let next: [Float] = try dropout(ones, probability: 0.5).elements()
        XCTAssertEqual(next, untouched)
        XCTAssertEqual(Set(picks).count, 1)
        XCTAssertEqual(picks[0], try scorer.pick(pool(data), tasks: data, dropout: .none).examples)
    }

    /// In 8-bit integers the same stream is drawn from, and the picks are as good as those of exact scoring, nearly.
    func testInexactScoringPicksNearlyTheSame() throws {
        let (trained, data) = try prepare()
        var settings = settings(.original)
        settings.batchSize = 12
        var picks: [[ExampleReference]] = []
        var places: [RandomStreamPlace] = []
        var compared: [[Int]] = []
        for precision in Precision.allCases {
            settings.sampling = .uncertainty(share: 1, score: .original, precision: precision)
            let scorer = CandidateScorer(model: trained.model, settings: settings)
            scorer.comparesPicks = { compared.append([$0, $1]) }
            try seedRandomStream(4)
            picks.append(try scorer.pick(pool(data), tasks: data, dropout: rates).examples)
            places.append(try .current(on: .cpu))
        }
        XCTAssertEqual(places[0], places[1])
        let equal = Set(picks[0]).intersection(picks[1]).count
        XCTAssertGreaterThanOrEqual(equal, 8)
        XCTAssertEqual(compared, [[12, equal]])
    }

    /// The picks of regressions alone are random, and not the first of each pool.
    func testRegressionsAlonePickAtRandom() throws {
        let (trained, data) = try prepare()
        let examples = (0..<12).map { ExampleReference(task: 1, index: $0) }
        let pool = CandidatePool(examples, data: TrainingSets(data), pieceSize: 8)
        func picks() throws -> [[ExampleReference]] {
            let scorer = CandidateScorer(model: trained.model, settings: settings(.original))
            return try (0..<8).map { _ in try scorer.pick(pool, tasks: data, dropout: .none).examples }
        }
        let first = try picks()
        XCTAssertEqual(try picks(), first)
        XCTAssertEqual(Set(first).count, 8)
        XCTAssertGreaterThan(Set(first.joined()).count, 9)
    }
}
