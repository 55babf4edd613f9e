import Files
import Foundation

/// Microsoft's paraphrase corpus, laid out as GLUE's MRPC: its training rows divided into train and dev by a list of
/// pairs, its test rows numbered and without labels.
struct ParaphraseCorpus {
    let train: URL
    let test: URL
    /// The IDs of the pairs of the dev set.
    let devPairs: URL

    private static let testHeader = "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n"

    /// Writes `train.tsv`, `dev.tsv` and `test.tsv` into the folder, but none that is there.
    ///
    /// - Throws: `GLUEError.malformedLine`; `SystemError`; `FileWriteError`.
    func write(to folder: URL) throws {
        var test = ParaphraseCorpus.testHeader
        for (index, row) in try rows(of: self.test).rows.enumerated() {
            test += "\(index)\t" + row.dropFirst().joined(separator: "\t") + "\n"
        }
        let devPairs = Set(try lines(of: self.devPairs).map { pair in pair.split(separator: "\t").map(String.init) })
        let (header, rows) = try rows(of: self.train)
        var (train, dev) = (header + "\n", header + "\n")
        for row in rows {
            let line = row.joined(separator: "\t") + "\n"
            if devPairs.contains(Array(row[1...2])) { dev += line } else { train += line }
        }
        for (name, text) in [("test.tsv", test), ("train.tsv", train), ("dev.tsv", dev)] {
            let url = folder.appendingPathComponent(name)
            if FileManager.default.fileExists(atPath: url.path) { continue }
            try writeAtomically(to: url) { try $0.write(text) }
        }
    }

    /// The header of a file of the corpus, and its rows: label, the two IDs, the two sentences.
    private func rows(of file: URL) throws -> (header: String, rows: [[String]]) {
        let lines = try lines(of: file)
        guard let header = lines.first, header.hasSuffix("#1 String\t#2 String") else {
            throw GLUEError.malformedLine(
                path: file.path, line: 1, reason: "this is not the header of Microsoft's paraphrase corpus")
        }
        let rows = try lines.enumerated().dropFirst().map { index, line in
            let row = stripped(line).split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard row.count == 5 else {
                throw GLUEError.malformedLine(
                    path: file.path, line: index + 1, reason: "found \(row.count) columns, and 5 are right")
            }
            return row
        }
        return (header, rows)
    }

    private func lines(of file: URL) throws -> [String] {
        try MappedFile(path: file.path).withBytes { bytes in
            var lines: [String] = []
            try bytes.forEachLine { line in
                guard let text = String(validating: line, as: UTF8.self) else {
                    throw GLUEError.malformedLine(path: file.path, line: lines.count + 1, reason: "this is not UTF-8")
                }
                lines.append(text)
            }
            return lines
        }
    }

    /// Without white space at its ends, which includes separators that Python counts as such.
    private func stripped(_ line: String) -> Substring {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        let scalars = line.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return line[first..<scalars.index(after: last)]
    }
}
