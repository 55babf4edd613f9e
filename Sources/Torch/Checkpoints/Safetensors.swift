import Files

// The format: https://huggingface.co/docs/safetensors/index#format. An 8-byte little-endian length, a JSON header of
// that length, and the tensors' bytes, which the header's offsets divide without gaps.

extension DType {
    /// The name in a safetensors header.
    var safetensorsName: String {
        switch self {
        case .uint8: "U8"
        case .int8: "I8"
        case .int16: "I16"
        case .int32: "I32"
        case .int64: "I64"
        case .float16: "F16"
        case .float32: "F32"
        case .float64: "F64"
        case .bool: "BOOL"
        case .bfloat16: "BF16"
        }
    }

    /// The element type that a safetensors header calls `name`.
    init?(safetensorsName name: String) {
        guard let dtype = Self.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
        self = dtype
    }
}

/// What a safetensors file holds.
struct SafetensorsContents {
    /// The tensors, in the header's order.
    let tensors: [StoredTensor]
    /// The header's `__metadata__`.
    let metadata: [String: String]

    /// The most bytes a header may have; the limit of the `safetensors` package.
    private static let maximumHeaderLength = 100_000_000

    /// Reads and checks the header of `file`.
    init(_ file: UnsafeRawBufferPointer) throws(CheckpointProblem) {
        var reader = try CheckpointReader(file, from: 0)
        let length = try reader.readLength()
        guard length <= Self.maximumHeaderLength else {
            throw .malformed("a header of \(length) bytes; at most \(Self.maximumHeaderLength) are allowed", offset: 0)
        }
        let dataStart = reader.offset + length
        guard dataStart <= file.count else { throw .truncated(expected: dataStart, actual: file.count) }

        var scanner = HeaderScanner(file, reader.offset..<dataStart)
        var tensors: [HeaderTensor] = []
        var metadata: [String: String]?
        try scanner.readObject { (scanner, name) throws(CheckpointProblem) in
            if name != "__metadata__" {
                tensors.append(try HeaderTensor(name, from: &scanner))
            } else if metadata == nil {
                metadata = try Self.readMetadata(from: &scanner)
            } else {
                throw .malformed("a second __metadata__", offset: scanner.offset)
            }
        }
        try scanner.expectEnd()
        try Self.checkLayout(tensors, dataStart: dataStart, fileSize: file.count)
        self.tensors = tensors.map { tensor in
            StoredTensor(name: tensor.name, info: tensor.info, start: dataStart + tensor.data.lowerBound, strides: nil)
        }
        self.metadata = metadata ?? [:]
    }

    private static func readMetadata(
        from scanner: inout HeaderScanner
    ) throws(CheckpointProblem) -> [String: String] {
        var metadata: [String: String] = [:]
        try scanner.readObject { (scanner, key) throws(CheckpointProblem) in
            guard metadata.updateValue(try scanner.readString(), forKey: key) == nil else {
                throw .malformed("the key \(key.debugDescription) twice in __metadata__", offset: scanner.offset)
            }
        }
        return metadata
    }

    /// Checks that the tensors' bytes follow each other without a gap to the end of the file.
    private static func checkLayout(
        _ tensors: [HeaderTensor], dataStart: Int, fileSize: Int
    ) throws(CheckpointProblem) {
        let (expected, overflow) = dataStart.addingReportingOverflow(tensors.map(\.data.upperBound).max() ?? 0)
        guard !overflow, expected <= fileSize else {
            throw .truncated(expected: overflow ? .max : expected, actual: fileSize)
        }
        var end = 0
        for tensor in tensors.sorted(by: {
            ($0.data.lowerBound, $0.data.upperBound) < ($1.data.lowerBound, $1.data.upperBound)
        }) {
            guard tensor.data.lowerBound >= end else {
                throw .malformed(
                    "the tensor \(tensor.name.debugDescription) overlaps another",
                    offset: dataStart + tensor.data.lowerBound)
            }
            guard tensor.data.lowerBound == end else {
                throw .malformed("bytes that belong to no tensor", offset: dataStart + end)
            }
            end = tensor.data.upperBound
        }
        guard expected == fileSize else {
            throw .malformed("\(fileSize - expected) bytes after the last tensor", offset: expected)
        }
    }
}

/// A tensor as a safetensors header describes it.
private struct HeaderTensor {
    let name: String
    let info: TensorInfo
    /// Where its bytes lie, counted from the end of the header.
    let data: Range<Int>

    init(_ name: String, from scanner: inout HeaderScanner) throws(CheckpointProblem) {
        let start = scanner.offset
        var dtypeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.readObject { (scanner, key) throws(CheckpointProblem) in
            switch key {
            case "dtype" where dtypeName == nil: dtypeName = try scanner.readString()
            case "shape" where shape == nil: shape = try scanner.readNumbers()
            case "data_offsets" where offsets == nil: offsets = try scanner.readNumbers()
            default:
                throw .malformed(
                    "an unexpected or repeated key \(key.debugDescription) of the tensor \(name.debugDescription)",
                    offset: scanner.offset)
            }
        }
        let tensor = "the tensor \(name.debugDescription)"
        guard let dtypeName, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
            throw .malformed("\(tensor) lacks a valid dtype, shape or data_offsets", offset: start)
        }
        guard let dtype = DType(safetensorsName: dtypeName) else {
            throw .unsupported("\(tensor) has the element type \(dtypeName.debugDescription)")
        }
        guard let info = TensorInfo(validating: dtype, shape) else {
            throw .malformed("\(tensor) has an impossible shape", offset: start)
        }
        guard info.byteCount == offsets[1] - offsets[0] else {
            throw .malformed(
                "\(tensor) of shape \(shape) and type \(dtypeName) takes \(info.byteCount) bytes, "
                    + "and its data_offsets span \(offsets[1] - offsets[0])",
                offset: start)
        }
        self.name = name
        self.info = info
        self.data = offsets[0]..<offsets[1]
    }
}
