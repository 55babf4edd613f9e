import Files
import Foundation

/// Writes a safetensors file, with the same bytes as the `safetensors` package of Python.
///
/// The tensors are written one after the other, so that only the one being written need be at hand.
public struct SafetensorsWriter {
    /// Takes the next bytes of a tensor.
    public typealias ByteSink = (UnsafeRawBufferPointer) throws -> Void

    /// The `__metadata__` of the file; left out if empty.
    public var metadata: [String: String]

    private var tensors: [PendingTensor] = []
    private var names: Set<String> = []

    /// A tensor that could not be written.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// Two tensors have this name, or it is `__metadata__`, which the format keeps for itself.
        case nameTaken(String)
        /// The bytes that were given for a tensor are not as many as its type and shape ask for.
        case wrongByteCount(name: String, expected: Int, actual: Int)

        public var description: String {
            switch self {
            case .nameTaken(let name):
                "The tensor name \(name.debugDescription) is taken; give each tensor a name of its own."
            case .wrongByteCount(let name, let expected, let actual):
                "The tensor \(name.debugDescription) takes \(expected) bytes, and \(actual) were given."
            }
        }
    }

    /// A writer of a file without tensors.
    public init(metadata: [String: String] = [:]) {
        self.metadata = metadata
    }

    /// Adds a tensor.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - info: Its element type and shape.
    ///   - provide: Hands the tensor's elements to its argument, in one piece or several: little-endian, in row-major
    ///     order, with nothing between them. It is called when the file is written.
    /// - Throws: ``Failure/nameTaken(_:)``.
    public mutating func add(
        _ name: String, _ info: TensorInfo, provide: @escaping (ByteSink) throws -> Void
    ) throws {
        guard name != "__metadata__", names.insert(name).inserted else { throw Failure.nameTaken(name) }
        tensors.append(PendingTensor(name: name, info: info, provide: provide))
    }

    /// Writes the file, as `writeAtomically` does.
    ///
    /// - Throws: `FileWriteError`, ``Failure/wrongByteCount(name:expected:actual:)``, or what a tensor's closure
    ///   throws.
    public func write(to url: URL) throws {
        let ordered = tensors.sorted { $0.comesBefore($1) }
        let header = header(of: ordered)
        try writeAtomically(to: url) { sink in
            try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try sink.write($0) }
            try sink.write(header)
            for tensor in ordered {
                var count = 0
                try tensor.provide { bytes in
                    count += bytes.count
                    try sink.write(bytes)
                }
                guard count == tensor.info.byteCount else {
                    throw Failure.wrongByteCount(name: tensor.name, expected: tensor.info.byteCount, actual: count)
                }
            }
        }
    }

    /// The JSON of the header, with spaces after it so that the data is 8-byte aligned.
    private func header(of tensors: [PendingTensor]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            let texts = pairs.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
            members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
        }
        var start = 0
        for tensor in tensors {
            let end = start + tensor.info.byteCount
            let shape = tensor.info.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(JSONText.quoted(tensor.name)):{\"dtype\":\"\(tensor.info.dtype.safetensorsName)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(start),\(end)]}")
            start = end
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        while !header.count.isMultiple(of: 8) { header.append(UInt8(ascii: " ")) }
        return header
    }
}

/// A tensor that is yet to be written.
private struct PendingTensor {
    let name: String
    let info: TensorInfo
    let provide: (SafetensorsWriter.ByteSink) throws -> Void

    /// Whether this tensor's bytes come first: the widest elements lead, so that every tensor is aligned.
    func comesBefore(_ other: Self) -> Bool {
        let (rank, otherRank) = (info.dtype.safetensorsRank, other.info.dtype.safetensorsRank)
        if rank != otherRank { return rank > otherRank }
        return name.utf8.lexicographicallyPrecedes(other.name.utf8)
    }
}

extension DType {
    /// The place in the order in which the `safetensors` package arranges element types.
    fileprivate var safetensorsRank: Int {
        switch self {
        case .bool: 0
        case .uint8: 1
        case .int8: 2
        case .int16: 3
        case .float16: 4
        case .bfloat16: 5
        case .int32: 6
        case .float32: 7
        case .float64: 8
        case .int64: 9
        }
    }
}
