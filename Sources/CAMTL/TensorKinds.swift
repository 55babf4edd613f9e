/// What parts of a model some of its tensors are, for a reader: `embeddings, layers 0-4, pooler`.
///
/// Names are those of the model's parameters or of a checkpoint's tensors, with or without the prefix `bert.`. Tensors
/// of a layer that condition it on the task count among `task conditioning`, wherever they lie. A part of which there
/// is but one tensor is given by its name.
public struct TensorKinds: CustomStringConvertible {
    public let description: String

    public init(_ names: [String]) {
        var order: [String] = []
        var members: [String: [String]] = [:]
        var layers: Set<Int> = []
        for name in names {
            let name = name.hasPrefix("bert.") ? String(name.dropFirst("bert.".count)) : name
            let (kind, layer) = TensorKinds.kind(of: name)
            if let layer { layers.insert(layer) }
            if members[kind] == nil { order.append(kind) }
            members[kind, default: []].append(name)
        }
        description = order.map { kind in
            let names = members[kind] ?? []
            if names.count == 1 { return names[0] }
            return kind == TensorKinds.layer ? TensorKinds.text(of: layers) : kind
        }.joined(separator: ", ")
    }

    private static let layer = "layer"

    /// - Parameter name: less the prefix `bert.`.
    private static func kind(of name: String) -> (kind: String, layer: Int?) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if CAMTLModel.conditioningNames.contains(where: name.contains) { return ("task conditioning", nil) }
        if name.hasPrefix("encoder.layer."), let number = Int(parts[2]) { return (layer, number) }
        return (parts.first.map(String.init) ?? name, nil)
    }

    /// Such as `layer 5`, `layers 0-4` and `layers 0-2 and 5`.
    private static func text(of layers: Set<Int>) -> String {
        var runs: [ClosedRange<Int>] = []
        for number in layers.sorted() {
            if let last = runs.last, last.upperBound == number - 1 {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        let texts = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        return (layers.count == 1 ? "layer " : "layers ") + texts.joined(separator: " and ")
    }
}
