/// A column of a file of rows.
public enum ColumnReference: Sendable, Hashable, CustomStringConvertible {
    /// By its name in the file's first line; in JSON the keys to it, with dots between them. There `\.` is a dot of a
    /// key's own, and `\\` a backslash.
    case named(String)
    /// By its position, from 0; in the layout of CoNLL also from -1 backwards from the last one.
    case numbered(Int)

    public var description: String {
        switch self {
        case .named(let name): name
        case .numbered(let position): "\(position)"
        }
    }

    /// Whether it is counted from the last one.
    var isFromEnd: Bool { if case .numbered(..<0) = self { true } else { false } }

    /// In JSON, the keys to the value, from the outermost object on.
    var keys: [String] {
        var (keys, key) = ([String](), String.UnicodeScalarView())
        var rest = description.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\\", let next = rest.first, next == "." || next == "\\" {
                key.append(rest.removeFirst())
            } else if scalar == "." {
                keys.append(String(key))
                key = .init()
            } else {
                key.append(scalar)
            }
        }
        return (keys + [String(key)]).filter { !$0.isEmpty }
    }
}

/// Where a file's texts and labels stand.
public struct Columns: Sendable, Hashable {
    /// Where an example's labels stand.
    public enum Label: Sendable, Hashable {
        /// In one column; where an example may have several, as a list, or as one text that a separator cuts.
        case column(ColumnReference, separator: UInt8? = nil)
        /// A column a label, each 0 or 1.
        case columns([ColumnReference])
        /// Several columns that say it together, of which a row need not have all.
        case parts([ColumnReference])
    }

    public var first: ColumnReference
    /// The second text of a pair.
    public var second: ColumnReference?
    /// The texts to choose from: a column each, or one with a list.
    public var choices: [ColumnReference] = []
    /// nil in a file that is read without labels.
    public var label: Label?
    /// Whether the first row names the columns.
    public var hasHeader: Bool

    public init(first: ColumnReference, second: ColumnReference? = nil, label: Label? = nil, hasHeader: Bool) {
        self.first = first
        self.second = second
        self.label = label
        self.hasHeader = hasHeader
    }

    /// By the names in the file's first line.
    public static func named(first: String, second: String? = nil, label: String? = nil) -> Columns {
        Columns(
            first: .named(first), second: second.map { .named($0) }, label: label.map { .column(.named($0)) },
            hasHeader: true)
    }

    /// By position, counted from 0, in a file without a header.
    public static func numbered(first: Int, second: Int? = nil, label: Int? = nil) -> Columns {
        Columns(
            first: .numbered(first), second: second.map { .numbered($0) }, label: label.map { .column(.numbered($0)) },
            hasHeader: false)
    }

    /// Whether an example is a pair of texts.
    public var hasSecond: Bool { second != nil }
    /// Whether the file gives labels.
    public var hasLabel: Bool { label != nil }

    /// The columns of the label.
    public var labelColumns: [ColumnReference] {
        switch label {
        case nil: []
        case .column(let column, _): [column]
        case .columns(let columns), .parts(let columns): columns
        }
    }
}
