import Files
import Foundation
import Tasks

extension PredictionInput {
    /// Calls `body` with each row of a file of JSON lines, and with its line, from 1. Blank lines are no rows, lines end
    /// as in data files, and what Python writes beyond JSON is taken as ``PythonJSON`` says.
    ///
    /// - Throws: `PredictionError` for a file or a line that is none of rows; what `body` throws.
    static func forEachRow(
        of contents: Data, path: String, _ body: (PredictionInput, _ line: Int) throws -> Void
    ) throws {
        if let misplaced = MisplacedContent(contents) {
            throw PredictionError.misplaced(path: path, content: misplaced)
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        try contents.withUnsafeBytes { bytes in
            var lines = LineScanner(bytes, from: bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0)
            while let line = lines.next() {
                let text = UnsafeRawBufferPointer(rebasing: bytes[line.range])
                if text.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
                let row: PredictionInput
                do {
                    row = try PredictionInput(json: text)
                } catch let fault as RowFault {
                    throw PredictionError.badRow(path: path, line: line.line, reason: fault.reason)
                }
                try body(row, line.line)
            }
        }
    }

    private struct RowFault: Error { let reason: String }

    private init(json bytes: UnsafeRawBufferPointer) throws {
        if String(validating: bytes, as: UTF8.self) == nil {
            throw RowFault(reason: "this is not valid UTF-8: convert the file to UTF-8")
        }
        let json = PythonJSON(bytes)
        if bytes.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "[") {
            throw RowFault(reason: "this is a JSON array; \(PredictionInput.rule)")
        }
        if bytes.contains(UInt8(ascii: "{")), !json.isClosed {
            throw RowFault(reason: "the JSON object doesn't end on this line; \(PredictionInput.rule)")
        }
        for key in CodingKeys.allCases where json.keys.count(where: { $0 == key.stringValue }) > 1 {
            throw RowFault(reason: "the row has the key \"\(key.stringValue)\" twice")
        }
        do {
            self = try JSONDecoder().decode(PredictionInput.self, from: json.text)
        } catch {
            throw RowFault(reason: PredictionInput.fault(of: json.text))
        }
    }

    private static let rule = "a row is one JSON object on one line"

    /// What is wrong with a line that is no row. A decoder's errors don't always say of which field they are.
    private static func fault(of json: Data) -> String {
        guard let fields = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any] else {
            return "this is no row such as {\"task\": \"rte\", \"sentence1\": \"…\", \"sentence2\": \"…\"}, with "
                + "\"sentence\" for a single text, or \"input_ids\" and \"token_type_ids\""
        }
        for key in CodingKeys.allCases {
            guard let value = fields[key.stringValue], !(value is NSNull) else {
                if key == .task { return "the row has no \"task\"" }
                continue
            }
            switch key {
            case .task, .sentence, .sentence1, .sentence2:
                if !(value is String) { return "\"\(key.stringValue)\" is no string" }
            case .inputIDs, .tokenTypeIDs:
                if !(value is [Int32]) { return "\"\(key.stringValue)\" is no list of token ids" }
            }
        }
        return "its fields are not those of a row"
    }
}
