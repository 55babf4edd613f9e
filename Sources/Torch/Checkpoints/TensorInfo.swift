/// What a checkpoint says about a tensor: its element type and its shape.
public struct TensorInfo: Sendable, Equatable {
    /// The element type.
    public let dtype: DType
    /// The sizes of the dimensions, outermost first; empty for a scalar.
    public let shape: [Int]

    /// Describes a tensor.
    ///
    /// - Precondition: No size in `shape` is negative, and the tensor's bytes can be counted in an `Int`.
    public init(dtype: DType, shape: [Int]) {
        precondition(Self.byteCount(of: dtype, shape) != nil, "the shape \(shape) is not that of a tensor")
        self.dtype = dtype
        self.shape = shape
    }

    /// The number of elements: the product of the sizes, 1 for a scalar.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The number of bytes that the elements take when nothing lies between them.
    public var byteCount: Int { elementCount * dtype.byteSize }

    /// A description for sizes read from a file, or nil where they can't be those of a tensor.
    init?(validating dtype: DType, _ shape: [Int]) {
        guard Self.byteCount(of: dtype, shape) != nil else { return nil }
        self.init(dtype: dtype, shape: shape)
    }

    /// The most dimensions a tensor can have in a file; libtorch's own loops take no more.
    static let maximumRank = 64

    private static func byteCount(of dtype: DType, _ shape: [Int]) -> Int? {
        guard shape.count <= maximumRank, shape.allSatisfy({ $0 >= 0 }) else { return nil }
        // Multiplied in the order of `elementCount`, so that nothing overflows there that did not here.
        var count = dtype.byteSize
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            if overflow { return nil }
            count = product
        }
        return count
    }
}
