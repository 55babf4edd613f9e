/// Walks through a text of JSON without making values of it, so that a file of any size is read in parts.
///
/// What it enters, it checks. What it steps over, it takes by its quotes and brackets alone: whether that is JSON is
/// for ``JSONText`` to say.
public struct JSONCursor {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    /// The line of the place at hand, counted from 1.
    public private(set) var line: Int
    /// Whether the place at hand is right behind an opening bracket, where no comma is due.
    private var isAtStart = false

    /// - Parameters:
    ///   - bytes: what is walked through; places count from its beginning.
    ///   - position: where to begin.
    ///   - line: the line of that place.
    public init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0, line: Int = 1) {
        self.bytes = bytes
        self.position = position
        self.line = line
    }

    /// The first byte of what comes next, behind blanks; nil at the end.
    public mutating func peek() -> UInt8? {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            if byte == 0x0A { line += 1 }
            position += 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private func fault(_ reason: String) -> JSONText.Fault { JSONText.Fault(line: line, reason: reason) }

    private func missing(_ wanted: String) -> JSONText.Fault {
        fault(JSONText.Fault.reason(for: wanted, at: position, of: bytes))
    }

    /// Enters an object.
    ///
    /// - Throws: `JSONText.Fault` if something else comes next.
    public mutating func beginObject() throws(JSONText.Fault) {
        guard take(UInt8(ascii: "{")) else { throw missing("an object") }
        isAtStart = true
    }

    /// The next key of the object, with the value at hand; nil at the object's end, behind which the cursor is then.
    ///
    /// - Throws: `JSONText.Fault`.
    public mutating func nextKey() throws(JSONText.Fault) -> String? {
        if take(UInt8(ascii: "}")) {
            isAtStart = false
            return nil
        }
        guard isAtStart || take(UInt8(ascii: ",")) else { throw missing("a comma or }") }
        isAtStart = false
        guard peek() == UInt8(ascii: "\"") else { throw missing("a key") }
        let start = position
        try skipString()
        let key: JSONText
        do {
            key = try JSONText(bytes[start..<position])
        } catch {
            throw fault((error as? JSONText.Fault)?.reason ?? "\(error)")
        }
        guard take(UInt8(ascii: ":")) else { throw missing("a colon") }
        return key.string
    }

    /// Enters an array.
    ///
    /// - Throws: `JSONText.Fault` if something else comes next.
    public mutating func beginArray() throws(JSONText.Fault) {
        guard take(UInt8(ascii: "[")) else { throw missing("a list") }
        isAtStart = true
    }

    /// Whether the array has a further element, which is at hand then; otherwise the cursor is behind the array.
    ///
    /// - Throws: `JSONText.Fault`.
    public mutating func nextElement() throws(JSONText.Fault) -> Bool {
        if take(UInt8(ascii: "]")) {
            isAtStart = false
            return false
        }
        guard isAtStart || take(UInt8(ascii: ",")) else { throw missing("a comma or ]") }
        isAtStart = false
        _ = peek()
        return true
    }

    /// Steps over the value that comes next.
    ///
    /// - Returns: where it stands.
    /// - Throws: `JSONText.Fault` if there is none, or it has no end.
    public mutating func skipValue() throws(JSONText.Fault) -> Range<Int> {
        guard let first = peek(), !",:]}".utf8.contains(first) else { throw missing("a value") }
        let start = position
        var depth = 0
        repeat {
            guard position < bytes.count else { throw missing(depth > 0 ? "a closing bracket" : "a value") }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                try skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                position += 1
            case let byte where depth > 0:
                if byte == 0x0A { line += 1 }
                position += 1
            default:
                while position < bytes.count, !",:]}[{\" \t\r\n".utf8.contains(bytes[position]) { position += 1 }
            }
        } while depth > 0
        return start..<position
    }

    /// - Throws: `JSONText.Fault` if more than blanks follow.
    public mutating func end() throws(JSONText.Fault) {
        if peek() != nil { throw fault("something follows after the end") }
    }

    /// Steps over the string that is at hand.
    private mutating func skipString() throws(JSONText.Fault) {
        let backslash = UInt8(ascii: "\\")
        var place = position + 1
        while true {
            let close = bytes.firstIndex(of: UInt8(ascii: "\""), in: min(place, bytes.count)..<bytes.count)
            guard close < bytes.count else { throw fault("a string has no end") }
            // The opening quote ends the search.
            var first = close
            while bytes[first - 1] == backslash { first -= 1 }
            place = close + 1
            // Backslashes in pairs stand for themselves.
            if (close - first).isMultiple(of: 2) { break }
        }
        position = place
    }
}
