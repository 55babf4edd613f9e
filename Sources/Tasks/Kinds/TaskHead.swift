import Files
import Tokenization

/// A task as a model knows it: its name, what its decoder puts out, and what its rows call their texts. In JSON
/// `{"name": "rte", "type": "classification", "labels": ["entailment", "not_entailment"]}` or
/// `{"name": "sts-b", "type": "regression"}`, with `"text": ["subject", "body"]` where the texts have names of their own,
/// and what the kind records of its options.
public struct TaskHead: Sendable, Hashable {
    public var name: String
    public var kind: any TaskKind
    /// The names of a row's texts, one or two; nil for those of GLUE: `sentence`, or `sentence1` and `sentence2`.
    public var textFields: [String]?
    /// The names of the texts to choose from; nil where there are none.
    public var choiceFields: [String]?
    /// The end of a text that is cut where it is too long.
    public var truncationSide: TruncationSide

    public init(
        name: String, kind: any TaskKind, textFields: [String]? = nil, choiceFields: [String]? = nil,
        truncationSide: TruncationSide = .end
    ) {
        self.name = name
        self.kind = kind
        self.textFields = textFields
        self.choiceFields = choiceFields
        self.truncationSide = truncationSide
    }

    /// The decoder's width: the number of labels, or 1 for a regression.
    public var numberOfLabels: Int { kind.width }

    public static func == (a: TaskHead, b: TaskHead) -> Bool {
        a.name == b.name && a.kind.isEqual(to: b.kind) && a.textFields == b.textFields && a.choiceFields == b.choiceFields
            && a.truncationSide == b.truncationSide
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        kind.hash(into: &hasher)
        hasher.combine(textFields)
        hasher.combine(choiceFields)
    }
}

extension TaskHead: Codable {
    private enum CodingKeys: String, CodingKey { case name, type, labels, text, choices, truncation }

    /// The name of one of a kind's options.
    private struct OptionKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// - Throws: `TaskError.badName` for a name that ``TaskName`` doesn't allow; `TaskError.malformedHead` for an unknown type, and for labels and options that the type
    ///   can't have; `DecodingError`
    ///   for a missing key or a wrong JSON type.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        if let problem = TaskName.problem(with: name) { throw TaskError.badName(problem) }
        let type = try container.decode(String.self, forKey: .type)
        let labels = try container.decodeIfPresent([String].self, forKey: .labels) ?? []
        textFields = try container.decodeIfPresent([String].self, forKey: .text)
        choiceFields = try container.decodeIfPresent([String].self, forKey: .choices)
        let side = try container.decodeIfPresent(String.self, forKey: .truncation)
        guard let truncationSide = side.map(TruncationSide.init) ?? .end else {
            throw TaskError.malformedHead(task: name, reason: "\"truncation\" is start or end, found \"\(side ?? "")\"")
        }
        self.truncationSide = truncationSide
        guard let found = TaskKinds.named(type) else {
            let known = TaskKinds.all.map { $0.name }.joined(separator: ", ")
            throw TaskError.malformedHead(task: name, reason: "type \"\(type)\" is none of \(known)")
        }
        let fields = try decoder.container(keyedBy: OptionKey.self)
        var options: [String: JSONValue] = [:]
        for option in found.options {
            options[option.name] = try fields.decodeIfPresent(
                JSONValue.self, forKey: OptionKey(stringValue: option.name))
        }
        do {
            kind = try found.init(labels: labels).with(options)
        } catch {
            throw TaskError.malformedHead(task: name, reason: "\(error)")
        }
        if let textFields, !(1...2).contains(textFields.count) || Set(textFields).count != textFields.count {
            throw TaskError.malformedHead(task: name, reason: "\"text\" has one name or two, found \(textFields)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(kind.name, forKey: .type)
        if !kind.labels.isEmpty { try container.encode(kind.labels, forKey: .labels) }
        try container.encodeIfPresent(textFields, forKey: .text)
        try container.encodeIfPresent(choiceFields, forKey: .choices)
        if truncationSide != .end { try container.encode(truncationSide.rawValue, forKey: .truncation) }
        var fields = encoder.container(keyedBy: OptionKey.self)
        for (name, value) in kind.recordedOptions { try fields.encode(value, forKey: OptionKey(stringValue: name)) }
    }
}
