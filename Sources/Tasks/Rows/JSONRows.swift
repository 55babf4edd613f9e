import Foundation

/// Rows that are JSON objects, a line each.
struct JSONRows: RowReader {
    /// The paths of the columns that are read: the keys from the outermost object to the value.
    let paths: [[String]]

    func rows(of bytes: UnsafeRawBufferPointer, from offset: Int, line: Int) -> any RowScanner {
        NonBlankLines(lines: LineScanner(bytes, from: offset, lineNumber: line), bytes: bytes)
    }

    func values(in row: RowSpan, of bytes: UnsafeRawBufferPointer, found: inout Int) throws(DataFileError.Problem)
        -> [FieldValue?]
    {
        let data = Data(bytes[row.range])
        let value: Any
        do {
            value = try JSONSerialization.jsonObject(with: data, options: [.fragmentsAllowed])
        } catch {
            throw .notJSON
        }
        guard let object = value as? [String: Any] else { throw .notAnObject }
        var values: [FieldValue?] = []
        for path in paths {
            var value: Any? = object
            for key in path { value = (value as? [String: Any])?[key] }
            values.append(try JSONRows.value(value, at: path))
        }
        return values
    }

    /// - Throws: for an object, or a list of other things than texts and numbers.
    private static func value(_ value: Any?, at path: [String]) throws(DataFileError.Problem) -> FieldValue? {
        switch value {
        case nil, is NSNull: return nil
        case let list as [Any]:
            var values: [[UInt8]] = []
            for element in list {
                guard let text = text(element) else { throw .notAText(path: path.joined(separator: ".")) }
                values.append(Array(text.utf8))
            }
            return .list(values)
        case let value?:
            guard let text = text(value) else { throw .notAText(path: path.joined(separator: ".")) }
            return .decoded(Array(text.utf8))
        }
    }

    /// A text, a number in its digits, or `true` or `false`.
    private static func text(_ value: Any) -> String? {
        if let text = value as? String { return text }
        guard let number = value as? NSNumber else { return nil }
        // Foundation keeps a truth value as a number of this type, and gives it to no other.
        let isTruthValue = String(cString: number.objCType) == "c"
        return isTruthValue ? (number.boolValue ? "true" : "false") : "\(number)"
    }
}

/// The lines that hold anything.
private struct NonBlankLines: RowScanner {
    var lines: LineScanner
    let bytes: UnsafeRawBufferPointer

    mutating func next() throws -> RowSpan? {
        while let line = lines.next() {
            if !bytes[line.range].allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return line }
        }
        return nil
    }
}
