/// What the targets of a set are like, added up example by example. A kind of task has its own.
public protocol TargetSummary: Sendable {
    /// - Parameter marks: what is known of an example, its target among it.
    mutating func add(_ marks: ExampleMarks)
    /// What there is to say of the targets so far, in the order of a report.
    var figures: [TargetFigure] { get }
    /// The prediction that looks at no text and is best on these targets; nil where there is none.
    var baseline: Baseline? { get }
}

/// A figure of a set's targets.
public struct TargetFigure: Sendable, Equatable {
    public enum Value: Sendable, Equatable {
        case count(Int)
        case number(Double)
        /// How many of the set's examples have each label, in the task's order.
        case labels([(label: String, rows: Int)])

        public static func == (a: Value, b: Value) -> Bool {
            switch (a, b) {
            case (.count(let a), .count(let b)): a == b
            case (.number(let a), .number(let b)): a == b
            case (.labels(let a), .labels(let b)): a.elementsEqual(b, by: ==)
            default: false
            }
        }
    }

    /// Its key in JSON: words with underscores between them.
    public var name: String
    public var value: Value

    public init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }
}

/// A prediction that is the same for every example.
public struct Baseline: Sendable, Equatable {
    /// What it is called, such as `majority`.
    public var name: String
    /// What it predicts.
    public var prediction: String
    /// As a decoder would put them out: `[width]`, the same in each row, or those of the first rows, after which all are 0.
    public var logits: [Float]
    /// Whether they are the same in each row.
    public var isRepeated: Bool

    public init(name: String, prediction: String, logits: [Float], isRepeated: Bool = true) {
        self.name = name
        self.prediction = prediction
        self.logits = logits
        self.isRepeated = isRepeated
    }

    /// The logits of an example that has this number of them.
    func logits(count: Int) -> [Float] {
        (0..<count).map { isRepeated ? logits[$0 % logits.count] : $0 < logits.count ? logits[$0] : 0 }
    }
}

/// Of a kind that says nothing of its targets.
struct NoTargetSummary: TargetSummary {
    mutating func add(_ marks: ExampleMarks) {}
    var figures: [TargetFigure] { [] }
    var baseline: Baseline? { nil }
}

extension TaskKind {
    public func makeTargetSummary() -> any TargetSummary { NoTargetSummary() }
}
