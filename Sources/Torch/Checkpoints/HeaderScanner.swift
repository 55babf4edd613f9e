/// Reads the JSON of a safetensors header: objects, arrays of whole numbers, and strings.
///
/// A general JSON decoder would lose the order of the keys and drop repeated ones.
struct HeaderScanner {
    private let bytes: UnsafeRawBufferPointer
    /// The position of the next byte in the file.
    private(set) var offset: Int
    private let end: Int

    /// A scanner of the bytes of `file` in `range`, which must lie within it.
    init(_ file: UnsafeRawBufferPointer, _ range: Range<Int>) {
        bytes = file
        offset = range.lowerBound
        end = range.upperBound
    }

    /// Reads an object; `member` is called for each key, in order, and must read the value.
    mutating func readObject(
        _ member: (inout HeaderScanner, _ key: String) throws(CheckpointProblem) -> Void
    ) throws(CheckpointProblem) {
        try expect("{")
        if accept("}") { return }
        repeat {
            let key = try readString()
            try expect(":")
            try member(&self, key)
        } while accept(",")
        try expect("}")
    }

    /// Reads an array of whole numbers that are not negative.
    mutating func readNumbers() throws(CheckpointProblem) -> [Int] {
        try expect("[")
        var numbers: [Int] = []
        if accept("]") { return numbers }
        repeat {
            numbers.append(try readNumber())
        } while accept(",")
        try expect("]")
        return numbers
    }

    /// Reads a string.
    mutating func readString() throws(CheckpointProblem) -> String {
        try expect("\"")
        let start = offset
        var text: [UInt8] = []
        while let byte = next() {
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw .malformed("text that is not UTF-8", offset: start)
                }
                return string
            case UInt8(ascii: "\\"):
                try readEscape(into: &text)
            case ..<0x20:
                throw .malformed("a control character in the header's JSON", offset: offset - 1)
            default:
                text.append(byte)
            }
        }
        throw .malformed("a string without an end in the header's JSON", offset: start)
    }

    /// Checks that nothing but space is left.
    mutating func expectEnd() throws(CheckpointProblem) {
        skipSpace()
        guard offset == end else { throw .malformed("more than one value in the header's JSON", offset: offset) }
    }

    private mutating func readNumber() throws(CheckpointProblem) -> Int {
        skipSpace()
        let start = offset
        var number = 0
        while offset < end, case let digit = Int(bytes[offset]) - 0x30, 0...9 ~= digit {
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(digit)
            guard !overflow, !carry else { throw .malformed("a number too large in the header's JSON", offset: start) }
            number = sum
            offset += 1
        }
        guard offset > start else { throw .malformed("the header's JSON lacks a whole number", offset: start) }
        return number
    }

    private mutating func readEscape(into text: inout [UInt8]) throws(CheckpointProblem) {
        let start = offset - 1
        switch next() {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "u"):
            var units = [try readHexUnit()]
            if UTF16.isLeadSurrogate(units[0]), next() == UInt8(ascii: "\\"), next() == UInt8(ascii: "u") {
                units.append(try readHexUnit())
            }
            guard let character = String(validating: units, as: UTF16.self) else {
                throw .malformed("half a character in the header's JSON", offset: start)
            }
            text.append(contentsOf: character.utf8)
        case .some(let byte) where [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/")].contains(byte):
            text.append(byte)
        default:
            throw .malformed("an unknown escape in the header's JSON", offset: start)
        }
    }

    private mutating func readHexUnit() throws(CheckpointProblem) -> UInt16 {
        let start = offset
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw .malformed("an unknown escape in the header's JSON", offset: start)
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(CheckpointProblem) {
        guard accept(character) else {
            throw .malformed("the header's JSON lacks “\(character)”", offset: offset)
        }
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard offset < end, bytes[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func skipSpace() {
        while offset < end, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }

    private mutating func next() -> UInt8? {
        guard offset < end else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }
}
