import Files

/// Reads Python pickles of tensors, in the protocols 2 to 5, without running anything.
///
/// Of the pickle language it knows the operations that PyTorch's state dicts use
/// (Lib/pickletools.py of CPython describes them), and of Python the objects of ``PickleGlobal``.
struct PickleMachine {
    /// The items of tuples and lists.
    private(set) var sequences: [[PickleValue]] = [[]]
    /// The entries of dicts, in the order in which they were set.
    private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    /// The storages, by key.
    private(set) var storages: [String: PickledStorage] = [:]
    /// The tensors.
    private(set) var tensors: [PickledTensor] = []

    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var operationCount = 0
    /// The position in the file of the operation at work.
    private var position = 0

    // An operation takes up to some hundred bytes, so that this bounds what a hostile file can make the machine use.
    // PyTorch needs about 40 for a tensor.
    private static let maximumOperationCount = 1 << 20
    private static let emptyTuple = 0

    /// Reads the pickle that begins at the reader's position, and returns its value.
    mutating func load(_ reader: inout CheckpointReader) throws(CheckpointProblem) -> PickleValue {
        stack.removeAll()
        marks.removeAll()
        memo.removeAll()
        while true {
            position = reader.offset
            let code = try reader.read(UInt8.self)
            guard let operation = PickleOperation(rawValue: code) else {
                throw malformed("a pickle operation (\(code)) that no state dict uses")
            }
            operationCount += 1
            guard operationCount <= Self.maximumOperationCount else {
                throw .unsupported("its pickle takes more than \(Self.maximumOperationCount) operations")
            }
            if operation == .stop { return try pop() }
            try perform(operation, &reader)
        }
    }

    private mutating func perform(
        _ operation: PickleOperation, _ reader: inout CheckpointReader
    ) throws(CheckpointProblem) {
        switch operation {
        case .stop: break
        case .protocolVersion:
            guard 2...5 ~= (try reader.read(UInt8.self)) else {
                throw malformed("a pickle protocol other than 2 to 5")
            }
        case .frame: _ = try reader.read(8)
        case .mark: marks.append(stack.count)
        case .none, .true, .false, .integer8, .integer16, .integer32, .longInteger, .float, .text8, .text32, .bytes8,
            .bytes32:
            stack.append(try readConstant(operation, &reader))
        case .emptyTuple: stack.append(.tuple(Self.emptyTuple))
        case .tuple: push(tuple: try popToMark())
        case .tuple1: push(tuple: try popLast(1))
        case .tuple2: push(tuple: try popLast(2))
        case .tuple3: push(tuple: try popLast(3))
        case .emptyList:
            sequences.append([])
            stack.append(.list(sequences.count - 1))
        case .append: try appendToList(try popLast(1))
        case .appends: try appendToList(try popToMark())
        case .emptyDict: pushDictionary()
        case .setItem: try setItems(try popLast(2))
        case .setItems: try setItems(try popToMark())
        case .global: stack.append(.global(try readGlobal(&reader)))
        case .stackGlobal:
            guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
                throw malformed("the name of a Python object is not text")
            }
            stack.append(.global(try Self.global(module: module, name: name)))
        case .call: try call()
        case .build: try build()
        case .persistentID: try pushStorage()
        case .get8: try recall(Int(try reader.read(UInt8.self)))
        case .get32: try recall(Int(try reader.read(UInt32.self)))
        case .put8: try memorize(as: Int(try reader.read(UInt8.self)))
        case .put32: try memorize(as: Int(try reader.read(UInt32.self)))
        case .memorize: try memorize(as: memo.count)
        }
    }

    private func readConstant(
        _ operation: PickleOperation, _ reader: inout CheckpointReader
    ) throws(CheckpointProblem) -> PickleValue {
        switch operation {
        case .integer8: return .integer(Int(try reader.read(UInt8.self)))
        case .integer16: return .integer(Int(try reader.read(UInt16.self)))
        case .integer32: return .integer(Int(try reader.read(Int32.self)))
        case .longInteger: return try readLongInteger(&reader)
        case .float: _ = try reader.read(8)
        case .text8: return .string(try reader.readText(Int(try reader.read(UInt8.self))))
        case .text32: return .string(try reader.readText(Int(try reader.read(UInt32.self))))
        case .bytes8: _ = try reader.read(Int(try reader.read(UInt8.self)))
        case .bytes32: _ = try reader.read(Int(try reader.read(UInt32.self)))
        default: break
        }
        return .other
    }

    /// Reads an integer of as many bytes as its length says; one of more than 64 bits is no size or position.
    private func readLongInteger(_ reader: inout CheckpointReader) throws(CheckpointProblem) -> PickleValue {
        let bytes = try reader.read(Int(try reader.read(UInt8.self)))
        guard bytes.count <= 8 else { return .other }
        var value = bytes.last.map { Int(Int8(bitPattern: $0) >> 7) } ?? 0
        for byte in bytes.reversed() { value = value << 8 | Int(byte) }
        return .integer(value)
    }

    private func malformed(_ what: String) -> CheckpointProblem {
        .malformed(what, offset: position)
    }
}

// MARK: The stack, the memo and the containers

extension PickleMachine {
    private mutating func pop() throws(CheckpointProblem) -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
            throw malformed("a pickle operation without its operands")
        }
        return value
    }

    private mutating func popLast(_ count: Int) throws(CheckpointProblem) -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else {
            throw malformed("a pickle operation without its operands")
        }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(CheckpointProblem) -> [PickleValue] {
        guard let mark = marks.popLast() else {
            throw malformed("a pickle operation without its mark")
        }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func push(tuple items: [PickleValue]) {
        sequences.append(items)
        stack.append(.tuple(sequences.count - 1))
    }

    private mutating func pushDictionary() {
        dictionaries.append([])
        stack.append(.dictionary(dictionaries.count - 1))
    }

    private mutating func appendToList(_ items: [PickleValue]) throws(CheckpointProblem) {
        guard case .list(let list) = stack.last else {
            throw malformed("a pickle appends to what is not a list")
        }
        sequences[list].append(contentsOf: items)
    }

    private mutating func setItems(_ items: [PickleValue]) throws(CheckpointProblem) {
        guard case .dictionary(let dictionary) = stack.last, items.count.isMultiple(of: 2) else {
            throw malformed("a pickle sets items of what is not a dict")
        }
        for index in stride(from: 0, to: items.count, by: 2) {
            dictionaries[dictionary].append((items[index], items[index + 1]))
        }
    }

    private mutating func recall(_ index: Int) throws(CheckpointProblem) {
        guard let value = memo[index] else {
            throw malformed("a pickle recalls what it did not memorize")
        }
        stack.append(value)
    }

    private mutating func memorize(as index: Int) throws(CheckpointProblem) {
        guard let value = stack.last else {
            throw malformed("a pickle memorizes nothing")
        }
        memo[index] = value
    }
}

// MARK: Python's objects

extension PickleMachine {
    private func readGlobal(_ reader: inout CheckpointReader) throws(CheckpointProblem) -> PickleGlobal {
        let module = try readLine(&reader)
        return try Self.global(module: module, name: try readLine(&reader))
    }

    private func readLine(_ reader: inout CheckpointReader) throws(CheckpointProblem) -> String {
        var line: [UInt8] = []
        while case let byte = try reader.read(UInt8.self), byte != UInt8(ascii: "\n") {
            line.append(byte)
            guard line.count <= 1024 else { throw malformed("the name of a Python object is too long") }
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func global(module: String, name: String) throws(CheckpointProblem) -> PickleGlobal {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw .forbiddenGlobal("\(module).\(name)")
        }
        return global
    }

    /// Puts into the place of a function and its arguments what the function would return.
    private mutating func call() throws(CheckpointProblem) {
        let operands = try popLast(2)
        guard case .global(let function) = operands[0], case .tuple(let tuple) = operands[1] else {
            throw malformed("a pickle calls what is not a function")
        }
        let arguments = sequences[tuple]
        switch function {
        case .orderedDict where arguments.isEmpty:
            pushDictionary()
        case .rebuildTensor:
            tensors.append(try tensor(from: arguments))
            stack.append(.tensor(tensors.count - 1))
        case .rebuildParameter:
            guard case .tensor = arguments.first else {
                throw malformed("a parameter is not made of a tensor")
            }
            stack.append(arguments[0])
        case .size where arguments.count == 1:
            stack.append(arguments[0])
        default:
            throw malformed("a pickle calls a function with unexpected arguments")
        }
    }

    /// The tensor that `torch._utils._rebuild_tensor_v2` makes of the arguments: storage, offset, size, stride,
    /// requires_grad, backward_hooks and possibly metadata.
    private func tensor(from arguments: [PickleValue]) throws(CheckpointProblem) -> PickledTensor {
        guard 6...7 ~= arguments.count, case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], offset >= 0,
            let shape = sizes(arguments[2]), let strides = sizes(arguments[3]), shape.count == strides.count
        else {
            throw malformed("a pickled tensor lacks a valid storage, offset, size or stride")
        }
        if case .dictionary(let metadata) = arguments.last, arguments.count == 7, !dictionaries[metadata].isEmpty {
            throw .unsupported("a tensor is stored conjugated or negated")
        }
        return PickledTensor(storage: storage, offset: offset, shape: shape, strides: strides)
    }

    private func sizes(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let tuple) = value, case let items = sequences[tuple],
            items.count <= TensorInfo.maximumRank
        else { return nil }
        var sizes: [Int] = []
        sizes.reserveCapacity(items.count)
        for case .integer(let size) in items where size >= 0 { sizes.append(size) }
        return sizes.count == items.count ? sizes : nil
    }

    /// Drops the attributes that a pickle gives an OrderedDict, such as a state dict's `_metadata`.
    private mutating func build() throws(CheckpointProblem) {
        _ = try pop()
        guard case .dictionary = stack.last else { throw malformed("a pickle sets attributes of what is not a dict") }
    }

    /// Puts into the place of a persistent id the storage that it names: "storage", type, key, device, element count,
    /// and in the old format None, or how the storage is a view of another.
    private mutating func pushStorage() throws(CheckpointProblem) {
        guard case .tuple(let tuple) = try pop(), case let items = sequences[tuple], 5...6 ~= items.count,
            case .string("storage") = items[0], case .global(.storageType(let dtype)) = items[1],
            case .string(let key) = items[2], case .integer(let count) = items[4], count >= 0
        else {
            throw malformed("a pickled storage lacks a valid type, key or size")
        }
        if items.count == 6 {
            guard case .other = items[5] else { throw .unsupported("its storage \(key) is a view of another") }
        }
        let storage = PickledStorage(dtype: dtype, elementCount: count)
        guard storages.updateValue(storage, forKey: key) ?? storage == storage else {
            throw malformed("the storage \(key.debugDescription) has two types or sizes")
        }
        stack.append(.storage(key))
    }
}
