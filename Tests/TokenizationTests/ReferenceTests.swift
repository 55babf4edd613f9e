import Foundation
import Tokenization
import XCTest

/// What BERT's reference tokenizers give, id for id.
final class ReferenceTests: XCTestCase {
    /// `tokens.json`: the texts and, for each setting, the ids and how many of them are of the second text.
    private struct GoldenTokens: Decodable {
        var pairs: [[String?]]
        var cases: [Case]

        struct Case: Decodable {
            var do_lower_case: Bool
            var max_length: Int
            var rows: [Row]
        }

        struct Row: Decodable {
            var ids: [Int32]
            var n_type1: Int
        }
    }

    func testEncodesAsTheOriginalTokenizerDid() throws {
        let golden = try JSONDecoder().decode(
            GoldenTokens.self, from: Data(contentsOf: TestData.sharedFile("golden/tokens.json")))
        let vocabulary = try Vocabulary(contentsOf: TestData.sharedFile("data/vocab/bert-base-uncased-vocab.txt"))
        XCTAssertGreaterThan(golden.cases.count, 0)
        for settings in golden.cases {
            let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: settings.do_lower_case)
            XCTAssertEqual(golden.pairs.count, settings.rows.count)
            for (texts, row) in zip(golden.pairs, settings.rows) {
                let text = try XCTUnwrap(texts[1])
                let encoding = tokenizer.encode(text, pair: texts[2], maxLength: settings.max_length)
                let expected = Encoding(ids: row.ids, secondCount: row.n_type1)
                XCTAssertEqual(encoding, expected, "\(texts) \(settings.max_length)")
            }
        }
    }

    /// The file `compare_tokenizers.py` writes: texts of all kinds of characters, as the package encodes them, cut as
    /// the original tokenizer cuts.
    private struct Fixture: Decodable {
        var vocabulary: [String]
        var cases: [Case]

        struct Case: Decodable {
            var text: String
            var pair: String?
            var maxLength: Int?
            var cased: Encoding
            var uncased: Encoding

            init(from decoder: any Decoder) throws {
                var fields = try decoder.unkeyedContainer()
                text = try fields.decode(String.self)
                pair = try fields.decodeIfPresent(String.self)
                maxLength = try fields.decodeIfPresent(Int.self)
                cased = Encoding(ids: try fields.decode([Int32].self), secondCount: try fields.decode(Int.self))
                uncased = Encoding(ids: try fields.decode([Int32].self), secondCount: try fields.decode(Int.self))
            }
        }
    }

    func testEncodesStringsOfAllKindsOfCharactersAsThePackageDoes() throws {
        let fixture = try JSONDecoder().decode(Fixture.self, from: TestData.fixture("random_strings.json"))
        let vocabulary = try Vocabulary(tokens: fixture.vocabulary)
        let cased = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: false)
        let uncased = try WordPieceTokenizer(vocabulary: vocabulary, lowercase: true)
        XCTAssertGreaterThan(fixture.cases.count, 1_000)
        for row in fixture.cases {
            let (text, pair, maxLength) = (row.text, row.pair, row.maxLength)
            let scalars = "\(text.unicodeScalars.map(\.value)) \(pair?.unicodeScalars.map(\.value) ?? [])"
            XCTAssertEqual(cased.encode(text, pair: pair, maxLength: maxLength), row.cased, scalars)
            XCTAssertEqual(uncased.encode(text, pair: pair, maxLength: maxLength), row.uncased, scalars)
        }
    }
}

extension Encoding {
    /// All ids, of which the last `secondCount` belong to the second text.
    fileprivate init(ids: [Int32], secondCount: Int) {
        let firstCount = ids.count - secondCount
        self.init(inputIDs: ids, tokenTypeIDs: ids.indices.map { $0 < firstCount ? 0 : 1 })
    }
}
