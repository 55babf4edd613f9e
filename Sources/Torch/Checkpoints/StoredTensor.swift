/// A tensor in a checkpoint, with the place of its elements.
struct StoredTensor {
    let name: String
    let info: TensorInfo
    /// The position in the file of the element whose indices are all zero.
    let start: Int
    /// How many elements apart neighbours along each dimension are, or nil where the elements lie in row-major order
    /// with nothing between them.
    let strides: [Int]?

    /// Calls `body` with the elements in row-major order: those in `file`, or a copy where they lie otherwise.
    func withBytes<Result>(
        in file: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        guard let strides, info.byteCount > 0 else {
            return try body(UnsafeRawBufferPointer(rebasing: file[start..<start + info.byteCount]))
        }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: info.byteCount, alignment: 16)
        defer { copy.deallocate() }
        let source = UnsafeRawBufferPointer(rebasing: file[start...])
        switch info.dtype.byteSize {
        case 1: gather(UInt8.self, from: source, strides, into: copy)
        case 2: gather(UInt16.self, from: source, strides, into: copy)
        case 4: gather(UInt32.self, from: source, strides, into: copy)
        default: gather(UInt64.self, from: source, strides, into: copy)
        }
        return try body(UnsafeRawBufferPointer(copy))
    }

    private func gather<Element: FixedWidthInteger & BitwiseCopyable>(
        _: Element.Type, from source: UnsafeRawBufferPointer, _ strides: [Int], into copy: UnsafeMutableRawBufferPointer
    ) {
        let width = MemoryLayout<Element>.size
        let rowLength = info.shape.last ?? 1
        let rowStride = strides.last ?? 1
        var indices = [Int](repeating: 0, count: max(info.shape.count - 1, 0))
        var rowStart = 0
        for row in 0..<info.elementCount / rowLength {
            for column in 0..<rowLength {
                let element = source.loadUnaligned(
                    fromByteOffset: (rowStart + column * rowStride) * width, as: Element.self)
                copy.storeBytes(of: element, toByteOffset: (row * rowLength + column) * width, as: Element.self)
            }
            for dimension in indices.indices.reversed() {
                indices[dimension] += 1
                rowStart += strides[dimension]
                if indices[dimension] < info.shape[dimension] { break }
                rowStart -= indices[dimension] * strides[dimension]
                indices[dimension] = 0
            }
        }
    }
}
