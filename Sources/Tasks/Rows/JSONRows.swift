import Files

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
        let object: JSONText
        do {
            object = try JSONText(bytes[row.range])
        } catch {
            throw .notJSON(reason: (error as? JSONText.Fault)?.reason ?? "\(error)")
        }
        guard object.members != nil else { throw .notAnObject }
        var values: [FieldValue?] = []
        for path in paths {
            let value = try object.value(at: path)
            values.append(try JSONRows.value(value, at: path))
        }
        return values
    }

    /// - Throws: for an object, or a list of other things than texts and numbers.
    private static func value(_ value: JSONText?, at path: [String]) throws(DataFileError.Problem) -> FieldValue? {
        guard let value else { return nil }
        if case .null = value { return nil }
        guard let elements = value.elements else {
            guard let text = text(value) else { throw .notAText(path: path.joined(separator: ".")) }
            return .decoded(Array(text.utf8))
        }
        var values: [[UInt8]] = []
        for element in elements {
            guard let text = text(element) else { throw .notAText(path: path.joined(separator: ".")) }
            values.append(Array(text.utf8))
        }
        return .list(values)
    }

    /// A text, a number as it is spelt, or `true` or `false`.
    private static func text(_ value: JSONText) -> String? {
        switch value {
        case .string(let text), .number(let text): text
        case .bool(let value): value ? "true" : "false"
        default: nil
        }
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
