/// A configuration, checkpoint or batch that no model can be made of or fed with.
public enum ModelError: Error, CustomStringConvertible, Sendable {
    /// Everything that is wrong with a configuration.
    case badConfiguration([String])
    case badBatch(String)
    /// A folder or file of a model that can't be used: where, and why.
    case badModel(path: String, reason: String)
    case badFreezing(String)

    public var description: String {
        switch self {
        case .badConfiguration(let reasons): reasons.joined(separator: "\n")
        case .badBatch(let reason): "the model can't take this batch: \(reason)"
        case .badModel(let path, let reason): "\(path): \(reason)"
        case .badFreezing(let reason): reason
        }
    }
}
