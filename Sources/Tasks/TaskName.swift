/// The rule for names of tasks: they become names of files and folders, tags of curves, and keys of figures.
public enum TaskName {
    /// The most bytes that a name may have: a file's name has room for 255, and endings are added to it.
    public static let longest = 100

    /// What is wrong with a name, or nil: it has to be one component of a path, of ASCII letters, digits, `.`, `_` and
    /// `-`, that doesn't begin with a dot, and of 1 to ``longest`` bytes.
    public static func problem(with name: String) -> String? {
        let bytes = name.utf8
        let isRight = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        if isRight, (1...longest).contains(bytes.count), bytes.first != UInt8(ascii: ".") { return nil }
        let shown = bytes.count > longest ? String(name.unicodeScalars.prefix(longest)) + "…" : name
        return "the task name \(shown.debugDescription) can't be the name of a file; a name has 1 to \(longest) ASCII "
            + "letters, digits, \".\", \"_\" and \"-\", and does not begin with a dot"
    }

    /// What is wrong with a list of names that has one more than once, or nil.
    ///
    /// Names that differ only in case count as one: some file systems keep them as one file.
    public static func repetition(in names: [String]) -> String? {
        let groups = Dictionary(grouping: names) { $0.lowercased() }.filter { $1.count > 1 }
        guard !groups.isEmpty else { return nil }
        let repeated = groups.sorted { $0.key < $1.key }.map { Set($1).sorted().joined(separator: " and ") }
        let differ = groups.contains { Set($1).count > 1 } ? " (names that differ only in case are one)" : ""
        return "tasks named more than once: \(repeated.joined(separator: ", "))\(differ)"
    }
}
