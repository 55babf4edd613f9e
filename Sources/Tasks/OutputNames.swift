import Foundation

extension TaskHead {
    /// This task's head with its labels in the order of a classifier's outputs, which bear names of its own; nil if
    /// those are not this task's labels.
    ///
    /// The names may be the labels, upper and lower case being the same, those that the Hugging Face hub's copy of GLUE
    /// gives to labels that are numbers here, or `LABEL_0`, `LABEL_1` and so on, which mean the task's own order. A
    /// regression has one output, of any name.
    public func ordered(byOutputs names: [String]) -> TaskHead? {
        guard names.count == numberOfLabels else { return nil }
        guard !kind.labels.isEmpty else { return self }
        let labels = kind.labels
        if names.indices.allSatisfy({ names[$0].uppercased() == "LABEL_\($0)" }) { return self }
        // Labels may differ in their case alone.
        if Set(names) == Set(labels) { return withLabels(names) }
        for spellings in [labels, Self.namesOnTheHub[name] ?? []] where spellings.count == labels.count {
            let folded = spellings.map(Self.folded)
            let order = names.compactMap { folded.firstIndex(of: Self.folded($0)) }
            guard order.count == labels.count, Set(order).count == labels.count else { continue }
            return withLabels(order.map { labels[$0] })
        }
        return nil
    }

    /// This task's head with its labels in another order, and its options.
    func withLabels(_ labels: [String]) -> TaskHead? {
        guard let kind = try? type(of: kind).init(labels: labels).with(kind.recordedOptions) else { return nil }
        var head = self
        head.kind = kind
        return head
    }

    private static func folded(_ name: String) -> String {
        String(name.lowercased().map { $0 == " " || $0 == "-" ? "_" : $0 })
    }

    /// Of the labels 0 and 1.
    private static let namesOnTheHub = [
        "cola": ["unacceptable", "acceptable"], "sst-2": ["negative", "positive"],
        "mrpc": ["not_equivalent", "equivalent"], "qqp": ["not_duplicate", "duplicate"],
        "wnli": ["not_entailment", "entailment"],
    ]
}
