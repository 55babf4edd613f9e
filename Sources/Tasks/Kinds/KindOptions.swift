import Files

/// A field of a task file that is for some kinds of task alone.
public struct KindOption: Sendable {
    let name: String
    /// What it may be, for a message: "is true or false".
    let rule: String
    /// Whether a task file may give it this value.
    let accepts: @Sendable (JSONValue) -> Bool
    /// Whether a value is a text however it is spelt, as a label's is.
    var isText = false
    /// The metrics that it is for; empty where it is for more than that.
    var metrics: [Metric] = []
    /// Whether a value asks for a dev set.
    var needsDevSet: @Sendable (JSONValue) -> Bool = { _ in false }
}

/// An option that a kind can't have beside its labels, or beside a trained model.
public struct OptionError: Error, Equatable, CustomStringConvertible {
    /// The option's name.
    var option: String
    public var description: String
}

/// What a kind of task takes beside its labels: from its task's file, the training set, the dev set, and the record of a
/// trained model. A kind without such options declares none of this.
public protocol AdjustableKind: Sendable {
    /// The options that a task file may give.
    static var options: [KindOption] { get }
    /// Sets the options, by their names; one that is not there has its default. The values are those that a task file
    /// may give, or that ``recordedOptions`` has.
    ///
    /// - Throws: `OptionError` for values that don't fit the labels, or are none.
    mutating func take(_ options: [String: JSONValue]) throws(OptionError)
    /// What a model's `config.json` has of them, beside the labels.
    var recordedOptions: [String: JSONValue] { get }
    /// Takes from a trained model what the options leave to be found in training.
    ///
    /// - Throws: `OptionError` if the model was trained in a way that the options contradict.
    mutating func adopt(_ trained: any TaskKind) throws(OptionError)
    /// What the options leave to be found in training and is not found yet, as a task file has it.
    var unfoundOption: String? { get }
    /// Finds what the options leave to the training set.
    ///
    /// - Parameter targets: of all its examples.
    /// - Throws: `OptionError` if it can't be found in them.
    mutating func fit(training targets: some Sequence<[Float]>) throws(OptionError)
    /// Whether the options leave something to the dev set.
    var fitsDevSet: Bool { get }
    /// Finds what the options leave to the dev set.
    ///
    /// - Parameters:
    ///   - logits: `[samples, width]`, row after row.
    ///   - targets: `[samples, targetWidth]`, row after row.
    mutating func fit(devLogits logits: [Float], targets: [Float])
    /// What an example weighs in the mean of its task's losses.
    func lossWeight(of target: ArraySlice<Float>) -> Double
}

extension AdjustableKind {
    public static var options: [KindOption] { [] }
    public mutating func take(_ options: [String: JSONValue]) throws(OptionError) {}
    public var recordedOptions: [String: JSONValue] { [:] }
    public mutating func adopt(_ trained: any TaskKind) throws(OptionError) {}
    public var unfoundOption: String? { nil }
    public mutating func fit(training targets: some Sequence<[Float]>) throws(OptionError) {}
    public var fitsDevSet: Bool { false }
    public mutating func fit(devLogits logits: [Float], targets: [Float]) {}
    public func lossWeight(of target: ArraySlice<Float>) -> Double { 1 }
}

extension TaskKind {
    /// The kind with options, and with what a trained model has found of them.
    ///
    /// - Throws: `OptionError` as ``AdjustableKind/take(_:)`` and ``AdjustableKind/adopt(_:)`` do.
    func with(_ options: [String: JSONValue], of trained: (any TaskKind)? = nil) throws(OptionError) -> Self {
        var kind = self
        try kind.take(options)
        if let trained { try kind.adopt(trained) }
        return kind
    }

    /// The kind with what a trained model has found of its options.
    ///
    /// - Throws: `OptionError` as ``AdjustableKind/adopt(_:)`` does.
    public func adopted(from trained: any TaskKind) throws(OptionError) -> Self {
        var kind = self
        try kind.adopt(trained)
        return kind
    }

    /// The kind with what its options leave to the training set.
    ///
    /// - Throws: `OptionError` as ``AdjustableKind/fit(training:)`` does.
    public func fitted(toTraining targets: some Sequence<[Float]>) throws(OptionError) -> Self {
        var kind = self
        try kind.fit(training: targets)
        return kind
    }

    /// The kind with what its options leave to the dev set.
    public func fitted(toDevLogits logits: [Float], targets: [Float]) -> Self {
        var kind = self
        kind.fit(devLogits: logits, targets: targets)
        return kind
    }
}

extension TaskKinds {
    /// The names of all kinds' options, each once.
    static var optionNames: [String] {
        all.flatMap { $0.options.map(\.name) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// The names of the kinds that have an option.
    static func names(having option: String) -> [String] {
        all.filter { $0.options.contains { $0.name == option } }.map { $0.name }
    }
}

extension JSONValue {
    /// A number's value; nil for anything else and for one that is not finite.
    var finite: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value.isFinite ? value : nil
        default: nil
        }
    }

    /// The numbers of an object whose values are all numbers; nil for anything else.
    var numbers: [String: Double]? {
        guard case .object(let members) = self else { return nil }
        let numbers = members.compactMapValues(\.finite)
        return numbers.count == members.count ? numbers : nil
    }
}

/// A number for each of a kind's labels, from an object with numbers for some of them.
///
/// - Parameters:
///   - numbers: by the labels.
///   - option: the option that has them.
///   - missing: that of a label that has none; nil where each has to have one.
/// - Throws: `OptionError` for a number of what is no label, with the nearest label; for a label without one.
func aligned(
    _ numbers: [String: Double], to labels: [String], option: String, missing: Double?
) throws(OptionError) -> [Double] {
    if let name = numbers.keys.sorted().first(where: { !labels.contains($0) }) {
        let hint = nearestName(to: name, among: labels).map { "did you mean \"\($0)\"?" }
        let known = labels.prefix(20).joined(separator: ", ") + (labels.count > 20 ? ", …" : "")
        throw OptionError(
            option: option, description: "\"\(option)\": \"\(name)\" is no label; \(hint ?? "the labels are \(known)")")
    }
    var result: [Double] = []
    for label in labels {
        guard let number = numbers[label] ?? missing else {
            throw OptionError(option: option, description: "\"\(option)\" has no number for the label \"\(label)\"")
        }
        result.append(number)
    }
    return result
}
