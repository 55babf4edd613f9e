import Foundation

/// A JSON text as Python's `json` writes it, which is more than JSON: with `NaN`, `Infinity` and `-Infinity` for numbers,
/// and with halves of surrogate pairs in strings, as a text that was cut has them.
public struct PythonJSON: Sendable {
    /// The same as JSON: `null` for such numbers, and U+FFFD for such halves.
    public private(set) var text = Data()
    /// The keys of the object that the text is, in their order; those of objects in it are not among them.
    public private(set) var keys: [String] = []
    /// Whether every object, array and string that begins in the text also ends there.
    public private(set) var isClosed = false

    /// Reads a text in one pass. Whatever else is wrong with it stays.
    public init(_ source: UnsafeRawBufferPointer) {
        text.reserveCapacity(source.count)
        var (depth, awaitsKey, place) = (0, false, 0)
        while place < source.count {
            let byte = source[place]
            switch byte {
            case UInt8(ascii: "\""):
                let start = text.count
                guard let end = appendString(of: source, from: place) else { return }
                place = end
                if depth == 1, awaitsKey, let key = try? JSONDecoder().decode(String.self, from: text[start...]) {
                    keys.append(key)
                    awaitsKey = false
                }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == 1 { awaitsKey = byte == UInt8(ascii: "{") && keys.isEmpty }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 1 { awaitsKey = !keys.isEmpty }
            case UInt8(ascii: "N"), UInt8(ascii: "I"), UInt8(ascii: "-"):
                if let name = PythonJSON.numbers.first(where: { source[place...].starts(with: $0) }) {
                    text.append(contentsOf: "null".utf8)
                    place += name.count
                    continue
                }
            default: break
            }
            text.append(byte)
            place += 1
        }
        isClosed = depth == 0
    }

    private static let numbers = ["NaN", "Infinity", "-Infinity"].map { Array($0.utf8) }

    /// Appends the string that begins at a place; nil if it has no end.
    /// - Returns: the place after it.
    private mutating func appendString(of source: UnsafeRawBufferPointer, from start: Int) -> Int? {
        text.append(source[start])
        var place = start + 1
        while place < source.count {
            let byte = source[place]
            if byte == UInt8(ascii: "\\"), place + 1 < source.count {
                let length = appendEscape(of: source, at: place)
                place += length
                continue
            }
            text.append(byte)
            place += 1
            if byte == UInt8(ascii: "\"") { return place }
        }
        return nil
    }

    /// - Returns: how many bytes of the source the escape takes.
    private mutating func appendEscape(of source: UnsafeRawBufferPointer, at place: Int) -> Int {
        var length = 2
        if let unit = PythonJSON.unit(of: source, at: place) {
            length = 6
            if UTF16.isLeadSurrogate(unit), let next = PythonJSON.unit(of: source, at: place + 6),
                UTF16.isTrailSurrogate(next)
            {
                length = 12
            } else if UTF16.isSurrogate(unit) {
                text.append(contentsOf: "\\uFFFD".utf8)
                return length
            }
        }
        text.append(contentsOf: source[place..<place + length])
        return length
    }

    /// The code unit of the escape `\uXXXX` at a place, or nil if there is none.
    private static func unit(of source: UnsafeRawBufferPointer, at place: Int) -> UInt16? {
        guard place + 6 <= source.count, source[place] == UInt8(ascii: "\\"), source[place + 1] == UInt8(ascii: "u")
        else { return nil }
        let digits = source[place + 2..<place + 6]
        guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
