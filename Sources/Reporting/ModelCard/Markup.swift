import Foundation

/// Text that means itself in the languages of a model card.
enum Markup {
    /// A double-quoted scalar of YAML 1.2, which JSON's strings are, too. Whatever YAML does not let stand for itself
    /// is escaped.
    static func yaml(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            case "\t": "\\t"
            case _ where !isPrintable(scalar): String(format: "\\U%08X", scalar.value)
            default: String(scalar)
            }
        }
        return "\"" + scalars.joined() + "\""
    }

    /// Markdown's text, for a part of a line or a cell of a table: signs that mean something there are escaped.
    static func markdown(_ text: String) -> String {
        text.unicodeScalars.map { scalar -> String in
            if !isPrintable(scalar) || scalar == "\t" { return " " }
            return "\\`*_[]<>#|~&$".unicodeScalars.contains(scalar) ? "\\\(scalar)" : String(scalar)
        }.joined()
    }

    /// Whether YAML lets a character stand for itself on one line.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: false
        default: true
        }
    }
}
