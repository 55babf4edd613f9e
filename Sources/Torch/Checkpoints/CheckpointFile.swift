import Files
import Foundation

/// A file of named tensors, mapped into memory: safetensors, or a state dict that PyTorch saved.
///
/// A PyTorch file is a Python pickle, which could call any function when Python loads it. Here it is only read: nothing
/// in it is run, and one that asks for more than tensors need is refused.
public final class CheckpointFile: Sendable {
    /// The tensors' names, in the order in which the file lists them.
    public let names: [String]
    /// The `__metadata__` of a safetensors file; empty for one of PyTorch.
    public let metadata: [String: String]

    private let path: String
    private let file: MappedFile
    private let tensors: [String: StoredTensor]

    /// Opens a checkpoint; its content tells the format, not its name.
    ///
    /// Of a PyTorch checkpoint the tensors of the top-level dict are listed, or, if it has none, those of the dict
    /// under `state_dict`, `model` or `model_state_dict`. The file must not be shortened while it is open.
    ///
    /// - Throws: ``CheckpointError``.
    public static func open(_ url: URL) throws -> CheckpointFile {
        do {
            return try CheckpointFile(url)
        } catch {
            throw CheckpointError(path: url.path, problem: error)
        }
    }

    private init(_ url: URL) throws(CheckpointProblem) {
        let file = try Self.map(url)
        let (stored, metadata) = try file.withBytes { (bytes) throws(CheckpointProblem) in
            try Self.readContents(bytes)
        }
        var tensors: [String: StoredTensor] = [:]
        for tensor in stored {
            guard tensors.updateValue(tensor, forKey: tensor.name) == nil else {
                throw .malformed("two tensors named \(tensor.name.debugDescription)", offset: tensor.start)
            }
        }
        self.names = stored.map(\.name)
        self.metadata = metadata
        self.path = url.path
        self.file = file
        self.tensors = tensors
    }

    private static func map(_ url: URL) throws(CheckpointProblem) -> MappedFile {
        do {
            let file = try MappedFile(path: url.path)
            if file.count > 0 { return file }
        } catch {
            throw .unreadable(reason: "\(error)")
        }
        throw .unreadable(reason: "it is empty; download or copy the file again")
    }

    private static func readContents(
        _ file: UnsafeRawBufferPointer
    ) throws(CheckpointProblem) -> ([StoredTensor], [String: String]) {
        // A header's length could begin like one of PyTorch's formats, but neither of those has a brace here.
        if file.count > 8, file[8] == UInt8(ascii: "{") {
            let contents = try SafetensorsContents(file)
            return (contents.tensors, contents.metadata)
        }
        if file.starts(with: ZipArchive.signature) { return (try PyTorchCheckpoint.readZip(file), [:]) }
        if PyTorchCheckpoint.isLegacy(file) { return (try PyTorchCheckpoint.readLegacy(file), [:]) }
        if let misplaced = MisplacedContent(file) { throw .misplaced(misplaced) }
        throw .unknownFormat(beginning: String(decoding: file.prefix(24), as: UTF8.self).debugDescription)
    }

    /// The element type and shape of the tensor named `name`, or nil if there is none.
    public func info(_ name: String) -> TensorInfo? {
        tensors[name]?.info
    }

    /// Calls `body` with a tensor's elements: little-endian, in row-major order, with nothing between them.
    ///
    /// They are read from the file in place where they lie so there, and from a copy otherwise. Their address need not
    /// be a multiple of the element's size, and is valid only during the call.
    ///
    /// - Throws: ``CheckpointError`` if there is no such tensor, or what `body` throws.
    public func withBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard let tensor = tensors[name] else { throw CheckpointError(path: path, problem: .noSuchTensor(name)) }
        return try file.withBytes { bytes in try tensor.withBytes(in: bytes, body) }
    }
}
