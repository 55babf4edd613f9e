import CTorch

/// What libtorch said when an operation failed.
public struct TorchError: Error, CustomStringConvertible, Sendable {
    public let description: String

    /// Takes the reason that the C interface keeps for the calling thread.
    init() { description = String(cString: ct_last_error()) }

    init(_ description: String) { self.description = description }
}

/// A tensor of libtorch's. Operations throw a `TorchError` when the shapes, types or devices don't fit.
///
/// A tensor belongs to the thread that made it: libtorch's gradient mode and error texts are per thread.
public final class Tensor {
    let handle: CTTensor

    /// Takes over a handle that the C interface returned.
    /// - Throws: `TorchError` if it is null.
    init(_ handle: CTTensor?) throws {
        guard let handle else { throw TorchError() }
        self.handle = handle
    }

    deinit { ct_release(handle) }

    static func check(_ succeeded: Bool) throws {
        guard succeeded else { throw TorchError() }
    }
}

// MARK: - Creation

extension Tensor {
    public static func full(
        _ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu
    ) throws -> Tensor {
        try Tensor(
            ct_full(shape.map(Int64.init), shape.count, value, dtype.rawValue, device.type, device.index))
    }

    public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try full(shape, 0, dtype: dtype, device: device)
    }

    /// Normal deviates of mean 0 on the CPU, from a random stream that `seed` alone determines.
    public static func normal(_ shape: [Int], std: Double, seed: UInt64, dtype: DType = .float32) throws -> Tensor {
        try Tensor(ct_normal(shape.map(Int64.init), shape.count, std, seed, dtype.rawValue))
    }

    /// A tensor with a copy of `bytes`: row-major, little-endian. Nothing waits until it has reached its device.
    public convenience init(
        bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device = .cpu
    ) throws {
        try self.init(
            ct_from_bytes(
                bytes.baseAddress, bytes.count, shape.map(Int64.init), shape.count, dtype.rawValue, device.type,
                device.index))
    }

    /// A tensor with a copy of `elements`, row-major. Nothing waits until it has reached its device.
    public convenience init<Element: TensorElement>(
        _ elements: [Element], shape: [Int]? = nil, device: Device = .cpu
    ) throws {
        let shape = shape ?? [elements.count]
        try self.init(
            elements.withUnsafeBytes {
                ct_from_bytes(
                    $0.baseAddress, $0.count, shape.map(Int64.init), shape.count, Element.dtype.rawValue, device.type,
                    device.index)
            })
    }

    /// Tensors of one shape along a new first dimension.
    public static func stacked(_ tensors: [Tensor]) throws -> Tensor {
        try withExtendedLifetime(tensors) {
            try Tensor(ct_stack(tensors.map { Optional($0.handle) }, tensors.count))
        }
    }
}

/// A Swift type whose arrays have the memory layout of a tensor of `dtype`.
public protocol TensorElement: BitwiseCopyable {
    static var dtype: DType { get }
}

extension Float: TensorElement { public static var dtype: DType { .float32 } }
extension Double: TensorElement { public static var dtype: DType { .float64 } }
extension Int64: TensorElement { public static var dtype: DType { .int64 } }
extension Int32: TensorElement { public static var dtype: DType { .int32 } }
extension UInt8: TensorElement { public static var dtype: DType { .uint8 } }

// MARK: - Access

extension Tensor {
    public var rank: Int { ct_rank(handle) }
    public var shape: [Int] { (0..<rank).map { Int(ct_size(handle, $0)) } }
    public var count: Int { shape.reduce(1, *) }

    public var dtype: DType {
        guard let dtype = DType(rawValue: ct_dtype(handle)) else {
            preconditionFailure("no operation here makes a tensor of element type \(ct_dtype(handle))")
        }
        return dtype
    }

    public var device: Device {
        var index: Int32 = 0
        return ct_device(handle, &index) == 0 ? .cpu : .cuda(Int(index))
    }

    /// The size of a dimension; a negative one counts from the last.
    public func size(_ dimension: Int) -> Int {
        Int(ct_size(handle, dimension < 0 ? rank + dimension : dimension))
    }

    /// The elements, row-major, converted to `Element` if they are of another type.
    public func elements<Element: TensorElement>(_: Element.Type = Element.self) throws -> [Element] {
        let source = try to(Element.dtype)
        let count = source.count
        return try [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            try Tensor.check(ct_copy_bytes(source.handle, buffer.baseAddress, count * Element.dtype.byteSize))
            initialized = count
        }
    }

    /// The bytes of the elements: row-major, little-endian.
    public func bytes() throws -> [UInt8] {
        let count = count * dtype.byteSize
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try Tensor.check(ct_copy_bytes(handle, buffer.baseAddress, count))
            initialized = count
        }
    }

    /// The element of a tensor that has one.
    public func item() throws -> Double {
        let elements = try elements(Double.self)
        guard elements.count == 1 else { throw TorchError("a tensor of shape \(shape) is not one number") }
        return elements[0]
    }

    /// A number that is another one after each change of the elements.
    var changeCount: Int64 { ct_change_count(handle) }

    /// The same values with another element type or on another device; itself where nothing changes.
    public func to(_ dtype: DType? = nil, device: Device? = nil) throws -> Tensor {
        let dtype = dtype ?? self.dtype
        let device = device ?? self.device
        if dtype == self.dtype, device == self.device { return self }
        return try Tensor(ct_to(handle, dtype.rawValue, device.type, device.index))
    }
}

// MARK: - Automatic differentiation

extension Tensor {
    public var requiresGradient: Bool { ct_requires_grad(handle) }

    public func setRequiresGradient(_ flag: Bool) throws {
        try Tensor.check(ct_set_requires_grad(handle, flag))
    }

    /// What `backward` has accumulated, or nil.
    public func gradient() throws -> Tensor? {
        var absent = false
        let gradient = ct_grad(handle, &absent)
        return absent ? nil : try Tensor(gradient)
    }

    public func setGradient(_ gradient: Tensor?) throws {
        try Tensor.check(ct_set_grad(handle, gradient?.handle))
    }

    /// Adds the gradient of this tensor, which has one element, to every leaf that requires one.
    public func backward() throws { try Tensor.check(ct_backward(handle)) }

    /// The same values outside of automatic differentiation.
    public func detached() throws -> Tensor { try Tensor(ct_detach(handle)) }

    /// Overwrites the elements, outside of automatic differentiation.
    public func copy(from source: Tensor) throws { try Tensor.check(ct_copy_from(handle, source.handle)) }

    /// Sets all elements to 0, outside of automatic differentiation; of a sparse tensor none is left.
    public func zeroInPlace() throws { try Tensor.check(ct_zero_in_place(handle)) }

    /// Whether only some rows of it are there; the others are 0.
    public var isSparse: Bool { ct_is_sparse(handle) }
}

/// Whether the calling thread records operations for automatic differentiation.
var gradientsAreRecorded: Bool { ct_grad_enabled() }

/// Runs `body` without recording operations for automatic differentiation, on the calling thread.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = ct_grad_enabled()
    ct_set_grad_enabled(false)
    defer { ct_set_grad_enabled(before) }
    return try body()
}
