/// How many rows there are of each length in tokens.
public struct LengthCounts: Sendable, Equatable {
    private var rowsOfLength: [Int: Int] = [:]
    private var rows = 0
    /// Rows of more tokens than the model reads.
    public private(set) var cutRows = 0
    /// Where a row is cut.
    public let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func add(_ length: Int) {
        rowsOfLength[length, default: 0] += 1
        rows += 1
        if length > limit { cutRows += 1 }
    }

    /// The share of the rows that is cut, 0...1.
    public var cutShare: Double { rows == 0 ? 0 : Double(cutRows) / Double(rows) }

    /// The shortest length that at least `percent` in a hundred rows have no more than; 100 gives the longest. 0 without
    /// rows.
    public func percentile(_ percent: Int) -> Int {
        var seen = 0
        for (length, count) in rowsOfLength.sorted(by: { $0.key < $1.key }) {
            seen += count
            if 100 * seen >= percent * rows { return length }
        }
        return 0
    }
}
