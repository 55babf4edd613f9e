/// A tag of a word in IOB1, IOB2, IOBES or BILOU: a mark, and the type of what it is of.
struct EntityTag {
    /// `B`, `I`, `E`, `S` or `O`.
    let mark: Character
    let type: Substring

    init(_ tag: String) {
        let parts = tag.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        type = parts.count > 1 ? parts[1] : parts[0]
        mark =
            switch tag.first {
            case "L": "E"
            case "U": "S"
            default: tag.first ?? "O"
            }
    }

    static func isMark(_ tag: String) -> Bool {
        let parts = tag.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[1].isEmpty && ["B", "I", "E", "S", "L", "U"].contains(parts[0])
    }

    /// Whether an entity that this tag is of ends with it, before the tag `next`.
    func ends(before next: EntityTag) -> Bool {
        if mark == "O" { return false }
        return "ES".contains(mark) || "BSO".contains(next.mark) || type != next.type
    }

    /// Whether an entity begins with this tag, after the tag `last`.
    func begins(after last: EntityTag) -> Bool {
        if mark == "O" { return false }
        return "BS".contains(mark) || "ESO".contains(last.mark) || type != last.type
    }
}

/// A run of words of one type.
struct Entity: Hashable {
    let type: Substring
    /// The words.
    let range: Range<Int>
}

/// The entities that a sentence's tags mark, by the rules of conlleval, which take IOB1 and IOB2 and forgive what neither
/// allows.
///
/// Source: `get_entities` of seqeval, without its strict mode.
func entities(_ tags: [String]) -> Set<Entity> {
    var found: Set<Entity> = []
    var last = EntityTag("O")
    var start: Int?
    for (index, tag) in (tags + ["O"]).enumerated() {
        let next = EntityTag(tag)
        if let begin = start, last.ends(before: next) {
            found.insert(Entity(type: last.type, range: begin..<index))
            start = nil
        }
        if next.begins(after: last) { start = index }
        last = next
    }
    return found
}

/// How many entities are predicted, there, and both.
struct EntityCounts {
    private var (predicted, actual, right) = (0, 0, 0)

    mutating func add(predicted: Set<Entity>, actual: Set<Entity>) {
        self.predicted += predicted.count
        self.actual += actual.count
        right += predicted.intersection(actual).count
    }

    var precision: Double { predicted == 0 ? 0 : Double(right) / Double(predicted) }
    var recall: Double { actual == 0 ? 0 : Double(right) / Double(actual) }
    /// The harmonic mean of both; 0 where nothing is right.
    var f1: Double { right == 0 ? 0 : 2 * Double(right) / Double(predicted + actual) }
}
