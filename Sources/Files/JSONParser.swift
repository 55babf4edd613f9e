/// Reads one text of JSON, in one pass.
struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// The line feeds before `countedPosition`: places are looked up in the order of the text.
    private var lineFeeds = 0
    private var countedPosition = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The text's one value.
    mutating func document() throws -> JSONText {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        skipSpace()
        if position == bytes.count { throw fault("there is nothing") }
        let value = try value(depth: 0)
        skipSpace()
        if position < bytes.count { throw fault("something follows after the end") }
        return value
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// The line of the current place.
    private mutating func line() -> Int {
        while countedPosition < position {
            if bytes[countedPosition] == 0x0A { lineFeeds += 1 }
            countedPosition += 1
        }
        return lineFeeds + 1
    }

    private mutating func fault(_ reason: String) -> JSONText.Fault {
        JSONText.Fault(line: line(), reason: reason)
    }

    /// What is wrong at the current place, where `wanted` should be.
    private mutating func missing(_ wanted: String) -> JSONText.Fault {
        fault(JSONText.Fault.reason(for: wanted, at: position, of: bytes))
    }

    private mutating func value(depth: Int) throws -> JSONText {
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "n") where take("null"): return .null
        case UInt8(ascii: "t") where take("true"): return .bool(true)
        case UInt8(ascii: "f") where take("false"): return .bool(false)
        case UInt8(ascii: "N") where take("NaN"): return .number("NaN")
        case UInt8(ascii: "I") where take("Infinity"): return .number("Infinity")
        case UInt8(ascii: "-") where take("-Infinity"): return .number("-Infinity")
        default:
            return try number()
        }
    }

    /// Steps over a word if it is what comes next.
    private mutating func take(_ word: String) -> Bool {
        let end = position + word.utf8.count
        guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else { return false }
        position = end
        return true
    }

    private mutating func object(depth: Int) throws -> JSONText {
        try checkDepth(depth)
        position += 1
        var members: [JSONText.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw missing("a key") }
            let line = line()
            let key = try string()
            skipSpace()
            guard take(":") else { throw missing("a colon") }
            skipSpace()
            members.append(JSONText.Member(key: key, value: try value(depth: depth), line: line))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw missing("a comma or }") }
        }
    }

    private mutating func array(depth: Int) throws -> JSONText {
        try checkDepth(depth)
        position += 1
        var elements: [JSONText] = []
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            skipSpace()
            elements.append(try value(depth: depth))
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw missing("a comma or ]") }
        }
    }

    private mutating func checkDepth(_ depth: Int) throws {
        if depth > JSONText.deepestNesting {
            throw fault("more than \(JSONText.deepestNesting) arrays and objects lie in each other")
        }
    }

    private mutating func number() throws -> JSONText {
        let start = position
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { 0x30...0x39 ~= $0 } ?? false }
        func digits() -> Bool {
            guard isDigit(next) else { return false }
            while isDigit(next) { position += 1 }
            return true
        }
        _ = take("-")
        let leadsWithZero = next == 0x30
        let isWhole = digits()
        let first = position - start
        guard isWhole, !leadsWithZero || first == (bytes[start] == 0x2D ? 2 : 1) else {
            position = start
            throw missing("a value")
        }
        if take("."), !digits() { throw missing("a digit") }
        if next == 0x65 || next == 0x45 {
            position += 1
            if !take("+") { _ = take("-") }
            if !digits() { throw missing("a digit") }
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func string() throws -> String {
        position += 1
        var start = position
        var text = ""
        while true {
            guard let byte = next else { throw fault("a string has no end") }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                guard let part = String(validating: bytes[start..<position], as: UTF8.self) else {
                    throw fault("a string is not UTF-8")
                }
                text += part
                position += 1
                if byte == UInt8(ascii: "\"") { return text }
                text.unicodeScalars.append(try escape())
                start = position
            case 0..<0x20:
                throw fault("a string has a line break or another control character, which has to be escaped")
            default:
                position += 1
            }
        }
    }

    /// The character that an escape stands for, after its backslash.
    private mutating func escape() throws -> Unicode.Scalar {
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            position += 1
            return Unicode.Scalar(bytes[position - 1])
        case UInt8(ascii: "b") where take("b"): return "\u{8}"
        case UInt8(ascii: "f") where take("f"): return "\u{C}"
        case UInt8(ascii: "n") where take("n"): return "\n"
        case UInt8(ascii: "r") where take("r"): return "\r"
        case UInt8(ascii: "t") where take("t"): return "\t"
        case UInt8(ascii: "u") where take("u"): break
        default: throw missing("an escape")
        }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // Two halves stand for one character.
        guard 0xD800..<0xDC00 ~= first, take("\\u") else { throw fault("an escape is half a character") }
        let second = try hexadecimal()
        guard 0xDC00..<0xE000 ~= second,
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + UInt32(second) - 0xDC00)
        else { throw fault("an escape is half a character") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw missing("a hexadecimal digit")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}

extension JSONText.Fault {
    /// What is wrong at a place where `wanted` should be.
    static func reason(for wanted: String, at position: Int, of bytes: UnsafeRawBufferPointer) -> String {
        guard position < bytes.count else { return "it ends where \(wanted) should be" }
        let text = String(decoding: bytes[position..<min(position + 12, bytes.count)], as: UTF8.self)
        let word = text.prefix { !$0.isWhitespace && $0 != "," && $0 != "\u{FFFD}" }
        return "\((word.isEmpty ? text.prefix(1) : word).debugDescription) stands where \(wanted) should be"
    }
}
