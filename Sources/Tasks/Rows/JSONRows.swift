import Files

/// Rows that are JSON objects, a line each.
struct JSONRows: RowReader {
    /// The paths of the columns that are read: the keys from the outermost object to the value.
    let paths: [[String]]
    /// The places of the labels among them.
    let labelPlaces: Range<Int>
    /// The labels that there are, where they are known.
    private let labels: Set<String>
    /// Those of them that are numbers, by these.
    private let numbers: [String: String]

    init(paths: [[String]], labelPlaces: Range<Int>, labels: [String]) {
        self.paths = paths
        self.labelPlaces = labelPlaces
        self.labels = Set(labels)
        numbers = Dictionary(labels.map { (plainNumber($0), $0) }) { first, _ in first }
    }

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
        for (place, path) in paths.enumerated() {
            let value = try object.value(at: path)
            values.append(try self.value(value, at: path, isLabel: labelPlaces.contains(place)))
        }
        return values
    }

    /// - Throws: for an object, or a list of other things than texts and numbers.
    private func value(
        _ value: JSONText?, at path: [String], isLabel: Bool
    ) throws(DataFileError.Problem) -> FieldValue? {
        guard let value else { return nil }
        if case .null = value { return nil }
        guard let elements = value.elements else {
            guard let text = text(value, isLabel) else { throw .notAText(path: path.joined(separator: ".")) }
            return .decoded(Array(text.utf8))
        }
        var values: [[UInt8]] = []
        for element in elements {
            guard let text = text(element, isLabel) else { throw .notAText(path: path.joined(separator: ".")) }
            values.append(Array(text.utf8))
        }
        return .list(values)
    }

    /// A text, a number, or `true` or `false`. A number is as it is spelt, but a label that is one is that label however
    /// the number is spelt.
    private func text(_ value: JSONText, _ isLabel: Bool) -> String? {
        switch value {
        case .string(let text): text
        case .number(let text): isLabel ? label(text) : text
        case .bool(let value): value ? "true" : "false"
        default: nil
        }
    }
}

extension JSONRows {
    private func label(_ number: String) -> String {
        if labels.contains(number) { return number }
        let plain = plainNumber(number)
        return numbers[plain] ?? plain
    }
}

/// The one spelling of a number of JSON's that all equal numbers share: `1` of `1.0` and `10e-1`. What is no number stays
/// as it is.
func plainNumber(_ text: String) -> String {
    guard let match = text.wholeMatch(of: /(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?/),
        let exponent = Int(match.4 ?? "0"), abs(exponent) < 1 << 20
    else { return text }
    let fraction = match.3 ?? ""
    var digits = Array((match.2 + fraction).drop { $0 == "0" })
    var zeros = exponent - fraction.count
    while digits.last == "0" {
        digits.removeLast()
        zeros += 1
    }
    guard !digits.isEmpty else { return "0" }
    // How many digits stand before the point.
    let whole = digits.count + zeros
    let magnitude =
        switch whole {
        case ...(-6), 22...:
            String(digits[0]) + (digits.count > 1 ? "." + String(digits.dropFirst()) : "") + "e\(whole - 1)"
        case ...0: "0." + String(repeating: "0", count: -whole) + String(digits)
        case digits.count...: String(digits) + String(repeating: "0", count: zeros)
        default: String(digits.prefix(whole)) + "." + String(digits.dropFirst(whole))
        }
    return match.1 + magnitude
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
