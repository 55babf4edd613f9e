/// What keeps data from being looked at.
public enum InspectionError: Error, CustomStringConvertible {
    /// What is wrong with the data of all tasks, less the repetitions; `more` is how many further rows are damaged.
    case damaged([any Error], more: Int)
    /// The rows have no room in memory, and the file for them can't be used.
    case noScratch(folder: String, reason: String)

    public var description: String {
        switch self {
        case .damaged(let problems, let more):
            var lines: [String] = []
            for line in problems.map({ "\($0)" }) where !lines.contains(line) { lines.append(line) }
            if more > 0 { lines.append("And \(more) more rows are damaged.") }
            return lines.joined(separator: "\n")
        case .noScratch(let folder, let reason):
            return "no file can be used in \(folder), where rows are noted that have no room in memory: \(reason). Make "
                + "room there, or set TMPDIR to another folder."
        }
    }
}
