import ArgumentParser
import CAMTL
import Files
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

    func run() throws {
        if let length = maxSeqLength, length < 3 {
            throw CommandError("--max_seq_length is \(length); a sequence has at least 3 tokens")
        }
        let tokenizer = try WordPieceTokenizer(folder: ModelLocation(named: modelNameOrPath).folder())
        let output = LineOutput(tokenizer: tokenizer)
        var number = 0
        try forEachLine { line in
            number += 1
            guard isValidUTF8(line) else {
                throw CommandError("standard input, line \(number): this is not valid UTF-8")
            }
            let tab = line.firstIndex(of: UInt8(ascii: "\t"), in: 0..<line.count)
            let first = UnsafeRawBufferPointer(rebasing: line[..<tab])
            let second = tab < line.count ? UnsafeRawBufferPointer(rebasing: line[(tab + 1)...]) : nil
            try output.write(tokenizer.encode(utf8: first, pair: second, maxLength: maxSeqLength))
        }
    }
}

/// Reads standard input's lines, which end with a line feed, the last also without one. Each byte is read, searched and
/// copied a bounded number of times, however long its line is, and no more than a line and a chunk lie in memory.
private func forEachLine(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var pending: [UInt8] = []
    while true {
        let chunk = try readStandardInput()
        if chunk.isEmpty { break }
        try chunk.withUnsafeBytes { chunk in
            var start = 0
            while true {
                let end = chunk.firstIndex(of: UInt8(ascii: "\n"), in: start..<chunk.count)
                guard end < chunk.count else { break }
                if pending.isEmpty {
                    try body(UnsafeRawBufferPointer(rebasing: chunk[start..<end]))
                } else {
                    pending += chunk[start..<end]
                    try pending.withUnsafeBytes(body)
                    pending.removeAll(keepingCapacity: pending.count < 1 << 20)
                }
                start = end + 1
            }
            pending += chunk[start...]
        }
    }
    if !pending.isEmpty { try pending.withUnsafeBytes(body) }
}

/// Writes encodings as JSON objects, a line each, piece by piece.
private struct LineOutput {
    private static let pieceSize = 1 << 16

    let tokenizer: WordPieceTokenizer

    func write(_ encoding: Encoding) throws {
        var text: [UInt8] = []
        func flush(from size: Int) throws {
            guard text.count >= size else { return }
            try endingQuietly { try writeToStandardOutput(text) }
            text.removeAll(keepingCapacity: true)
        }
        func list(_ name: String, _ ids: [Int32], _ element: (Int32) -> String.UTF8View) throws {
            text += "\"\(name)\":[".utf8
            for (index, id) in ids.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                text += element(id)
                try flush(from: Self.pieceSize)
            }
            text.append(UInt8(ascii: "]"))
        }
        text += "{".utf8
        try list("input_ids", encoding.inputIDs) { String($0).utf8 }
        text += ",".utf8
        try list("token_type_ids", encoding.tokenTypeIDs) { String($0).utf8 }
        text += ",".utf8
        try list("tokens", encoding.inputIDs) { JSONText.quoted(tokenizer.token(of: $0)).utf8 }
        text += "}\n".utf8
        try flush(from: 0)
    }
}
