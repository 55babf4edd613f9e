import ArgumentParser
import CAMTL
import Foundation
import Tokenization

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Tokenise lines of standard input with a model's vocabulary.",
        discussion: """
            A tab on a line parts the two texts of a pair. Each line gives a JSON object with input_ids, \
            token_type_ids and tokens on standard output.
            """)

    @Option(name: .customLong("model_name_or_path"), help: "A model's folder: vocab.txt and tokenizer_config.json.")
    var modelNameOrPath: String

    @Option(
        name: .customLong("max_seq_length"), parsing: .unconditional,
        help: "Where longer inputs are cut. (default: nowhere)")
    var maxSeqLength: Int?

    private struct Line: Encodable {
        var inputIDs: [Int32]
        var tokenTypeIDs: [Int32]
        var tokens: [String]

        private enum CodingKeys: String, CodingKey {
            case inputIDs = "input_ids"
            case tokenTypeIDs = "token_type_ids"
            case tokens
        }
    }

    func run() throws {
        if let length = maxSeqLength, length < 3 {
            throw CommandError("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        let tokenizer = try WordPieceTokenizer(folder: ModelLocation(named: modelNameOrPath).folder())
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var number = 0
        var rest = Data()
        while true {
            let chunk = try readStandardInput(upToCount: 1 << 16)
            rest.append(chunk)
            while let end = rest.firstIndex(of: 0x0A) {
                number += 1
                try write(line: rest[rest.startIndex..<end], number, tokenizer, encoder)
                rest = rest[(end + 1)...]
            }
            if chunk.isEmpty { break }
        }
        if !rest.isEmpty { try write(line: rest, number + 1, tokenizer, encoder) }
    }

    private func write(line: Data, _ number: Int, _ tokenizer: WordPieceTokenizer, _ encoder: JSONEncoder) throws {
        guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandError("standard input, line \(number): this is not valid UTF-8")
        }
        let texts = text.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
        let encoding = tokenizer.encode(
            String(texts[0]), pair: texts.count > 1 ? String(texts[1]) : nil, maxLength: maxSeqLength)
        let data = try encoder.encode(
            Line(
                inputIDs: encoding.inputIDs, tokenTypeIDs: encoding.tokenTypeIDs,
                tokens: tokenizer.tokens(of: encoding.inputIDs)))
        try endingQuietly { try writeToStandardOutput(data + [0x0A]) }
    }
}
