/// What can be wrong with a zip archive.
public enum ZipProblem: FormatProblem, Equatable, CustomStringConvertible {
    /// The file should have `expected` bytes, or more, and has `actual`.
    case truncated(expected: Int, actual: Int)
    /// The content breaks the rules of the format at byte `offset`.
    case malformed(String, offset: Int)
    /// The archive is well-formed, and uses something that is not supported, or not trusted.
    case unsupported(String)

    public var description: String {
        switch self {
        case .truncated(let expected, let actual):
            "cut short: at least \(expected) bytes are needed, and there are \(actual)"
        case .malformed(let what, let offset): "damaged at byte \(offset): \(what)"
        case .unsupported(let what): what
        }
    }
}
