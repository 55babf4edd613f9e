import Files
import Foundation
import Tasks

/// The rows that a benchmark measures, written for other programs to measure the same ones: JSON lines.
struct BenchmarkRows {
    private static let encoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()

    /// A row as the model takes it.
    struct Row: Encodable {
        var inputIDs: [Int32]
        var tokenTypeIDs: [Int32]
        var label: Float?
        var task: String

        init(_ features: FeatureSet, at index: Int, task: String) {
            (inputIDs, tokenTypeIDs, label) = features.withExample(at: index) { example in
                let first = example.sequences[0].firstSegmentLength
                return (
                    Array(example.inputIDs), example.inputIDs.indices.map { $0 < first ? 0 : 1 },
                    example.marks.target.first
                )
            }
            self.task = task
        }

        private enum CodingKeys: String, CodingKey {
            case inputIDs = "input_ids"
            case tokenTypeIDs = "token_type_ids"
            case label, task
        }
    }

    /// A row's texts, as `camtl predict` takes them.
    struct TextRow: Encodable {
        var task: String
        var sentence: String?
        var sentence1: String?
        var sentence2: String?

        init(_ example: Example, task: String) {
            self.task = task
            if let second = example.second {
                (sentence1, sentence2) = (example.first, second)
            } else {
                sentence = example.first
            }
        }
    }

    /// Writes a value a line, whole or not at all.
    ///
    /// - Throws: `FileWriteError`.
    static func write(_ lines: some Sequence<some Encodable>, to url: URL) throws {
        try OutputFile(url).write { sink in
            for line in lines { try sink.write(encoder.encode(line) + [0x0A]) }
        }
    }
}
