import Foundation
import Tokenization
import XCTest

@testable import Tasks

/// Real data, which is not part of the package.
final class SharedDataTests: DirectoryTestCase {
    /// The numbers of rows that the data's own list gives: train, dev, test. nil is a file that isn't there.
    private let rows: [String: [[Int?]]] = [
        "cola": [[8_551], [1_043], [1_063]],
        "sst-2": [[67_349], [872], [1_821]],
        "mrpc": [[3_668], [408], [1_725]],
        "sts-b": [[5_749], [1_500], [1_379]],
        "qqp": [[22_869], [9_999], [nil]],
        "mnli": [[9_999], [9_815, 1_000], [nil, nil, nil]],
        "qnli": [[9_999], [5_463], [5_463]],
        "rte": [[2_490], [277], [3_000]],
        "wnli": [[635], [71], [146]],
    ]

    func testEveryFileHasAsManyExamplesAsItsSourceSays() throws {
        let data = try TestData.sharedFile("data/glue_data")
        for task in GLUE.tasks {
            let expected = try XCTUnwrap(rows[task.name])
            for (split, counts) in zip(Split.allCases, expected) {
                for (file, count) in zip(task.files(for: split), counts) {
                    let name = "\(task.name) \(split) \(file.name)"
                    guard let count else {
                        XCTAssertThrowsError(try file.urls(in: data), name)
                        continue
                    }
                    let list = try task.examples(in: file, dataDirectory: data)
                    XCTAssertEqual(list.examples.count, count, name)
                    XCTAssertEqual(list.skippedRows, 0, name)
                    XCTAssertTrue(list.examples.allSatisfy { $0.target.isEmpty == (split == .test) }, name)
                }
            }
        }
    }

    /// A test set that isn't whole there would not be one to submit.
    func testTheOfficialTestSetsHaveTheRowsOfASubmission() throws {
        let data = try TestData.sharedFile("data/glue_data")
        let whole = ["cola", "sst-2", "mrpc", "sts-b", "qnli", "rte", "wnli"]
        for submitted in GLUE.submissionFiles where whole.contains(submitted.set) {
            let task = try GLUE.task(named: submitted.task)
            let list = try task.examples(in: task.test[0], dataDirectory: data)
            XCTAssertEqual(list.examples.count, submitted.rows, submitted.name)
            XCTAssertTrue(list.examples.allSatisfy { ($0.second != nil) == task.isPair }, submitted.name)
        }
    }

    /// The means were published with one digit.
    func testTheMeanLengthsAreThoseMeasuredWithTheOriginalsTokenizer() throws {
        let data = try TestData.sharedFile("data/glue_data")
        let vocabulary = try TestData.sharedFile("data/vocab/bert-base-uncased-vocab.txt")
        let cache = FeatureCache(
            directory: directory,
            tokenizer: try WordPieceTokenizer(vocabulary: Vocabulary(contentsOf: vocabulary), lowercase: true),
            maxSequenceLength: 128)
        for (name, mean) in [("cola", 11.3), ("sts-b", 27.8), ("wnli", 37.1), ("mrpc", 53.2), ("rte", 66.6)] {
            let task = try GLUE.task(named: name)
            let features = try cache.features(of: task, in: task.train, dataDirectory: data)
            XCTAssertEqual(Double(features.tokenCount) / Double(features.count), mean, accuracy: 0.05, name)
        }
    }
}
