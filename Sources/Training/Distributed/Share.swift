/// Which part of shared work is a process's own.
struct Share: Sendable, Equatable {
    let rank: Int
    let size: Int

    static let whole = Share(rank: 0, size: 1)

    /// The positions that are this process's, in rising order. Every position is one process's: the heaviest go first,
    /// each to the process that has least so far, so that all have about as much.
    func own(_ weights: [Int]) -> [Int] {
        if size == 1 { return Array(weights.indices) }
        var sums = Array(repeating: 0, count: size)
        var own: [Int] = []
        for position in weights.indices.sorted(by: { (-weights[$0], $0) < (-weights[$1], $1) }) {
            let process = sums.indices.min { (sums[$0], $0) < (sums[$1], $1) } ?? 0
            sums[process] += weights[position]
            if process == rank { own.append(position) }
        }
        return own.sorted()
    }
}
