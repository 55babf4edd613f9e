/// A value that a pickle builds.
///
/// Containers are numbers of entries in a ``PickleMachine``'s tables: a value that contains itself, or is nested a
/// million deep, is then released like any other.
enum PickleValue {
    /// None, a boolean, a float, bytes, or whatever else tensors are not made of.
    case other
    case integer(Int)
    case string(String)
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case global(PickleGlobal)
    /// The storage with that key.
    case storage(String)
    case tensor(Int)
}

/// A Python object that a state dict may name.
enum PickleGlobal {
    case orderedDict
    case rebuildTensor
    case rebuildParameter
    case size
    case storageType(DType)
    /// A `torch.dtype`.
    case dtype

    /// The object `name` of the Python module `module`, or nil for one that a state dict does not need.
    init?(module: String, name: String) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDict
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", "Size"): self = .size
        case ("torch.storage", "UntypedStorage"), ("torch.storage", "_UntypedStorage"): self = .storageType(.uint8)
        case ("torch", _):
            if let dtype = DType.allCases.first(where: { $0.torchStorageName == name }) {
                self = .storageType(dtype)
            } else if DType.allCases.contains(where: { $0.torchName == name }) {
                self = .dtype
            } else {
                return nil
            }
        default: return nil
        }
    }
}

extension DType {
    /// The name in Python, as in `torch.float32`.
    fileprivate var torchName: String {
        switch self {
        case .uint8: "uint8"
        case .int8: "int8"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .float16: "float16"
        case .float32: "float32"
        case .float64: "float64"
        case .bool: "bool"
        case .bfloat16: "bfloat16"
        }
    }

    /// The name of the storage class, as in `torch.FloatStorage`.
    fileprivate var torchStorageName: String {
        switch self {
        case .uint8: "ByteStorage"
        case .int8: "CharStorage"
        case .int16: "ShortStorage"
        case .int32: "IntStorage"
        case .int64: "LongStorage"
        case .float16: "HalfStorage"
        case .float32: "FloatStorage"
        case .float64: "DoubleStorage"
        case .bool: "BoolStorage"
        case .bfloat16: "BFloat16Storage"
        }
    }
}

/// A storage as a pickle describes it; its bytes lie elsewhere in the file.
struct PickledStorage: Equatable {
    let dtype: DType
    let elementCount: Int
}

/// A tensor as a pickle describes it.
struct PickledTensor {
    /// The key of its storage.
    let storage: String
    /// The place in the storage, in elements, of the element whose indices are all zero.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
