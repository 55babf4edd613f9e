import Files

/// How texts that are too long for a sequence become windows.
enum WindowOptions {
    static let stride = KindOption(name: "stride", rule: "is a number of tokens, 0 or more") {
        if case .integer(0...1_000_000) = $0 { true } else { false }
    }

    /// The tokens that a window shares with the next one, as the options have it.
    static func stride(_ options: [String: JSONValue]) -> Int? {
        if case .integer(let value)? = options["stride"] { Int(value) } else { nil }
    }

    static func recorded(stride: Int?) -> [String: JSONValue] {
        stride.map { ["stride": .integer(numericCast($0))] } ?? [:]
    }
}
