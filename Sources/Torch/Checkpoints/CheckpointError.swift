import Files

/// A checkpoint that can't be read.
public struct CheckpointError: Error, Equatable, CustomStringConvertible {
    /// The file's path.
    public let path: String
    /// What is wrong with it.
    public let problem: Problem

    /// What can be wrong with a checkpoint.
    public enum Problem: FormatProblem, Equatable {
        /// The file can't be opened or mapped; `reason` is the system's.
        case unreadable(reason: String)
        /// The content is none of a checkpoint's, but what stands in a file's place now and then.
        case misplaced(MisplacedContent)
        /// An index of shards can't be used, or its shards are not what it says.
        case badShard(String)
        /// The content is of no format known here; `beginning` shows its first bytes.
        case unknownFormat(beginning: String)
        /// The file should have `expected` bytes, or more, and has `actual`.
        case truncated(expected: Int, actual: Int)
        /// The content breaks the rules of its format at byte `offset`.
        case malformed(String, offset: Int)
        /// The content is well-formed, and uses something that is not supported.
        case unsupported(String)
        /// The pickle asks for a Python object that no state dict needs, such as a function it would then call.
        case forbiddenGlobal(String)
        /// Neither the top level nor an entry known to hold a state dict has tensors; `keys` are the top level's.
        case noTensors(keys: [String])
        /// There is no tensor of that name.
        case noSuchTensor(String)
    }

    public var description: String {
        switch problem {
        case .unreadable(let reason):
            "\(path): cannot be read: \(reason)."
        case .misplaced(let content):
            "\(path): \(content)."
        case .badShard(let what):
            "\(path): \(what). Download or copy the index and its shards again, all of one version."
        case .unknownFormat(let beginning):
            "\(path): neither a safetensors file nor a PyTorch checkpoint; it begins with \(beginning)."
        case .truncated(let expected, let actual):
            "\(path): cut short: at least \(expected) bytes are needed, and there are \(actual). "
                + "Download or copy the file again."
        case .malformed(let what, let offset):
            "\(path): damaged at byte \(offset): \(what). Download or copy the file again."
        case .unsupported(let what):
            "\(path): \(what), which is not supported. Load it in Python and save its tensors as safetensors."
        case .forbiddenGlobal(let name):
            "\(path): its pickle asks for the Python object \(name.debugDescription), which a state dict does not "
                + "need. Nothing in the file was run. If you trust the file, load it in Python and save its tensors "
                + "as safetensors."
        case .noTensors(let keys):
            "\(path): holds no tensors at its top level, nor under state_dict, model or model_state_dict; "
                + "its keys are: \(keys.isEmpty ? "none" : keys.joined(separator: ", "))."
        case .noSuchTensor(let name):
            "\(path): has no tensor \(name.debugDescription)."
        }
    }
}

typealias CheckpointProblem = CheckpointError.Problem

/// Reads a checkpoint's bytes.
typealias CheckpointReader = ByteReader<CheckpointProblem>
