import Files

/// The files of `torch.save`, as torch/serialization.py of PyTorch writes them.
enum PyTorchCheckpoint {
    /// The tensors of a zip archive: the format since PyTorch 1.6.
    static func readZip(_ file: UnsafeRawBufferPointer) throws(CheckpointProblem) -> [StoredTensor] {
        let archive = try storedArchive(file)
        let folder = archive.members[0].path.pathParts[0] + "/"
        guard let pickle = archive[folder + "data.pkl"]?.storedBytes else {
            throw .unsupported("it is a zip archive that torch.save did not write: it has no data.pkl")
        }
        if let byteOrder = archive[folder + "byteorder"]?.storedBytes, !file[byteOrder].elementsEqual("little".utf8) {
            throw .unsupported("its numbers are big-endian")
        }
        var reader = try CheckpointReader(file, from: pickle.lowerBound, to: pickle.upperBound)
        var machine = PickleMachine()
        let root = try machine.load(&reader)
        var storages: [String: StorageBytes] = [:]
        for (key, storage) in machine.storages {
            guard let range = archive[folder + "data/" + key]?.storedBytes else {
                throw .malformed("the storage \(key.debugDescription) is missing", offset: pickle.lowerBound)
            }
            storages[key] = try StorageBytes(storage, within: range)
        }
        return try machine.namedTensors(of: root).map { (name, tensor) throws(CheckpointProblem) in
            try StoredTensor(name, tensor, in: storages)
        }
    }

    /// The archive's directory; PyTorch stores all members as they are.
    private static func storedArchive(_ file: UnsafeRawBufferPointer) throws(CheckpointProblem) -> ZipArchive {
        let archive: ZipArchive
        do { archive = try ZipArchive(file) } catch { throw CheckpointProblem(error) }
        for member in archive.members where member.method != .stored || member.isEncrypted {
            throw .unsupported(
                "the member \(member.path.debugDescription) of its zip archive is compressed or encrypted")
        }
        return archive
    }

    /// Whether the file has the format before PyTorch 1.6, which begins with a pickled magic number.
    static func isLegacy(_ file: UnsafeRawBufferPointer) -> Bool {
        let magicNumber: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
        // It follows the protocol's number, and from protocol 4 on the length of a frame.
        return [2, 11].contains { file.dropFirst($0).starts(with: magicNumber) }
    }

    /// The tensors of the format before PyTorch 1.6: five pickles, and the storages, each after its element count.
    static func readLegacy(_ file: UnsafeRawBufferPointer) throws(CheckpointProblem) -> [StoredTensor] {
        var reader = try CheckpointReader(file, from: 0)
        var machine = PickleMachine()
        _ = try machine.load(&reader)
        guard case .integer(1001) = try machine.load(&reader) else {
            throw .unsupported("its protocol version is not 1001")
        }
        // What the writing machine was like; the storages are little-endian wherever they were written.
        _ = try machine.load(&reader)
        let root = try machine.load(&reader)
        guard case .list(let list) = try machine.load(&reader) else {
            throw .malformed("the keys of the storages are not a list", offset: reader.offset)
        }
        var storages: [String: StorageBytes] = [:]
        for key in machine.sequences[list] {
            guard case .string(let key) = key, let storage = machine.storages[key], storages[key] == nil else {
                throw .malformed("a storage has no tensor, or is listed twice", offset: reader.offset)
            }
            guard try reader.readLength() == storage.elementCount else {
                throw .malformed("the storage \(key) has two sizes", offset: reader.offset)
            }
            let (size, overflow) = storage.elementCount.multipliedReportingOverflow(by: storage.dtype.byteSize)
            let start = reader.offset
            _ = try reader.read(overflow ? .max : size)
            storages[key] = try StorageBytes(storage, within: start..<reader.offset)
        }
        return try machine.namedTensors(of: root).map { (name, tensor) throws(CheckpointProblem) in
            try StoredTensor(name, tensor, in: storages)
        }
    }
}

extension CheckpointProblem {
    fileprivate init(_ problem: ZipProblem) {
        switch problem {
        case .truncated(let expected, let actual): self = .truncated(expected: expected, actual: actual)
        case .malformed(let what, let offset): self = .malformed(what, offset: offset)
        case .unsupported(let what): self = .unsupported(what)
        }
    }
}

/// A storage, and where in the file its bytes are.
private struct StorageBytes {
    let dtype: DType
    let elementCount: Int
    let start: Int

    init(_ storage: PickledStorage, within range: Range<Int>) throws(CheckpointProblem) {
        let (size, overflow) = storage.elementCount.multipliedReportingOverflow(by: storage.dtype.byteSize)
        guard !overflow, size <= range.count else {
            throw .malformed(
                "a storage of \(storage.elementCount) elements has only \(range.count) bytes",
                offset: range.lowerBound)
        }
        dtype = storage.dtype
        elementCount = storage.elementCount
        start = range.lowerBound
    }
}

extension StoredTensor {
    // A tensor may repeat elements of its storage without end: this bounds what a copy of it takes.
    private static let maximumRepeatedByteCount = 1 << 26

    fileprivate init(
        _ name: String, _ tensor: PickledTensor, in storages: [String: StorageBytes]
    ) throws(CheckpointProblem) {
        let label = "the tensor \(name.debugDescription)"
        guard let storage = storages[tensor.storage] else {
            throw .malformed("\(label) has no storage", offset: 0)
        }
        guard let info = TensorInfo(validating: storage.dtype, tensor.shape) else {
            throw .malformed("\(label) has an impossible shape", offset: storage.start)
        }
        guard info.elementCount > 0 else {
            self.init(name: name, info: info, start: storage.start, strides: nil)
            return
        }
        guard let last = Self.lastOffset(of: tensor), last < storage.elementCount else {
            throw .malformed(
                "\(label) reaches beyond its storage of \(storage.elementCount) elements", offset: storage.start)
        }
        guard info.byteCount <= max(storage.elementCount * storage.dtype.byteSize, Self.maximumRepeatedByteCount) else {
            throw .unsupported("\(label) of \(info.byteCount) bytes repeats a storage that is much smaller")
        }
        self.init(
            name: name, info: info, start: storage.start + tensor.offset * storage.dtype.byteSize,
            strides: Self.isRowMajor(tensor) ? nil : tensor.strides)
    }

    /// The place in the storage of the tensor's last element, or nil if it can't be counted.
    private static func lastOffset(of tensor: PickledTensor) -> Int? {
        var last = tensor.offset
        for (size, stride) in zip(tensor.shape, tensor.strides) {
            let (distance, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
            let (sum, carry) = last.addingReportingOverflow(distance)
            if overflow || carry { return nil }
            last = sum
        }
        return last
    }

    /// Whether the elements lie in row-major order with nothing between them.
    private static func isRowMajor(_ tensor: PickledTensor) -> Bool {
        var expected = 1
        for (size, stride) in zip(tensor.shape, tensor.strides).reversed() where size != 1 {
            if stride != expected { return false }
            expected *= size
        }
        return true
    }
}

extension PickleMachine {
    /// The entries under which training scripts save a model's state dict beside other things.
    private static let stateDictKeys = ["state_dict", "model", "model_state_dict"]

    /// The tensors of a pickle's top-level dict, or of the state dict in it.
    fileprivate func namedTensors(
        of root: PickleValue
    ) throws(CheckpointProblem) -> [(name: String, tensor: PickledTensor)] {
        guard case .dictionary(let top) = root else {
            throw .unsupported("its content is not a dict of tensors")
        }
        let direct = tensors(in: top)
        guard direct.isEmpty else { return direct }
        for key in Self.stateDictKeys {
            for case (.string(key), .dictionary(let nested)) in dictionaries[top] {
                let found = tensors(in: nested)
                if !found.isEmpty { return found }
            }
        }
        var keys: [String] = []
        for case (.string(let key), _) in dictionaries[top].prefix(20) { keys.append(key.debugDescription) }
        throw .noTensors(keys: keys)
    }

    private func tensors(in dictionary: Int) -> [(name: String, tensor: PickledTensor)] {
        var found: [(name: String, tensor: PickledTensor)] = []
        for case (.string(let name), .tensor(let index)) in dictionaries[dictionary] {
            found.append((name, tensors[index]))
        }
        return found
    }
}
