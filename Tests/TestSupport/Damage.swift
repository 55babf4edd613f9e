import Foundation
import Torch

/// Ways to damage a file.
public enum Damage {
    private static let words = [
        "-1", "0", "9223372036854775807", "4294967296", "1e300", "NaN", "null", "true", "\"\"", "[]", "{}", "../x",
        String(repeating: "[", count: 300), "\u{0}", "\u{FEFF}", "\r", "\t", "\"", ",", "\u{301}", "&a [*a, *a]",
    ].map { Array($0.utf8) }

    /// A content that is damaged in one to three places, in any way.
    public static func make(_ content: Data, _ random: inout RandomStream) -> Data {
        var bytes = Array(content)
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let length = Int.random(in: 0...min(64, bytes.count - place), using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80, 0x30, 0x39].randomElement(using: &random) ?? 0
            case 2: bytes.removeLast(bytes.count - place)
            case 3: bytes.removeSubrange(place..<place + length)
            case 4: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
            case 5: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
            case 6: replaceNumber(in: &bytes, from: place, &random)
            default:
                for index in place..<place + length { bytes[index] = UInt8.random(in: 0...255, using: &random) }
            }
        }
        return Data(bytes)
    }

    /// The first number from a place on becomes a word.
    private static func replaceNumber(in bytes: inout [UInt8], from place: Int, _ random: inout RandomStream) {
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: words.randomElement(using: &random) ?? [])
    }

    private static let extremes = [
        "0", "1", "-1", "2", "4294967295", "4294967296", "9007199254740993", "9223372036854775807",
        "18446744073709551615", "-9223372036854775808", "1e300", "-1e300", "1e-300", "0.5", "-0.0",
    ]

    /// A text of JSON in which one to three numbers are others.
    public static func changeNumbers(_ content: Data, _ random: inout RandomStream) -> Data {
        var text = String(decoding: content, as: UTF8.self)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            guard let place = numbers(in: text).randomElement(using: &random) else { break }
            let number = String(text[place])
            let near = Int(number).map { "\($0 &+ Int.random(in: -3...3, using: &random))" } ?? "-\(number)"
            let other = Bool.random(using: &random) ? near : extremes.randomElement(using: &random) ?? near
            text.replaceSubrange(place, with: other.hasPrefix("--") ? String(other.dropFirst(2)) : other)
        }
        return Data(text.utf8)
    }

    /// Each place of a number in a JSON text without blanks.
    public static func numbers(in text: String) -> [Range<String.Index>] {
        text.matches(of: /[:,\[](-?[0-9][-0-9.e+]*)(?=[,}\]])/).map { $0.1.startIndex..<$0.1.endIndex }
    }
}
