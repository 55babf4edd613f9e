import Tasks
import Torch

/// How many of a set's rows are used at most.
public enum ExampleLimit: Sendable, Equatable {
    case rows(Int)
    /// Above 0, at most 1.
    case share(Double)

    /// `500`, `10%` or `0.1`; nil for anything else.
    public init?(_ text: String) {
        if let rows = Int(text) {
            guard rows > 0 else { return nil }
            self = .rows(rows)
            return
        }
        let share = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        guard let share, share > 0, share <= 1 else { return nil }
        self = .share(share)
    }

    /// The limit of a set of this many rows.
    private func count(of rows: Int) -> Int {
        switch self {
        case .rows(let count): min(count, rows)
        case .share(let share): max(1, Int((share * Double(rows)).rounded()))
        }
    }

    /// Rows of a set, in its order; all windows of each.
    ///
    /// - Parameters:
    ///   - whole: the set.
    ///   - name: the set's.
    ///   - seed: what they are drawn by; nil takes the first ones.
    func part(of whole: FeatureSet, _ name: String, seed: UInt64?) -> FeatureSet {
        let starts = whole.rowStarts()
        let count = count(of: starts.count)
        guard count < starts.count else { return whole }
        var rows = Array(starts.indices)
        if let seed {
            var random = RandomStream(seed: seed, purpose: "rows of \(name)")
            rows.shuffle(using: &random)
        }
        let places = rows.prefix(count).sorted().flatMap { row in
            starts[row]..<(row + 1 < starts.count ? starts[row + 1] : UInt32(whole.count))
        }
        return whole.part(places, name: "\(count) rows, \(seed.map { "drawn by \($0)" } ?? "the first")")
    }
}
