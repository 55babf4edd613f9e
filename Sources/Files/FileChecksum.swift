import CZlib
import Dispatch
import Foundation
import Synchronization

/// The size of a file and the CRC-32 of its bytes (that of zip archives and gzip): it tells damage, by whatever came
/// over a disk or a copy, but for one change in 2³². Who changes a file on purpose can keep it.
public struct FileChecksum: Sendable, Equatable {
    /// In bytes.
    public let size: Int
    public let crc32: UInt32

    /// Eight lower-case hexadecimal digits.
    public var hexadecimal: String { BlockHash.hexadecimal([crc32]) }

    /// The checksum of bytes in memory.
    public init(_ bytes: some Collection<UInt8>) {
        size = bytes.count
        crc32 = ContiguousArray(bytes).withUnsafeBytes { FileChecksum.crc32(of: $0) }
    }

    /// Reads a file, on all cores. It is not mapped, so that a disk's error is thrown and ends no process.
    ///
    /// - Throws: `SystemError` if the file can't be opened or read, is no plain file, or is shortened meanwhile.
    public init(ofFile path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemError.last }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError.last }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(code: EINVAL, description: "Not a plain file")
        }
        let size = Int(status.st_size)
        let starts = Array(stride(from: 0, to: size, by: FileChecksum.pieceSize))
        let results = Mutex([Result<UInt32, SystemError>?](repeating: nil, count: starts.count))
        DispatchQueue.concurrentPerform(iterations: starts.count) { index in
            let count = min(FileChecksum.pieceSize, size - starts[index])
            let result = Result { () throws(SystemError) in
                try FileChecksum.crc32(of: descriptor, from: starts[index], count: count)
            }
            results.withLock { $0[index] = result }
        }
        var sum = crc32_z(0, nil, 0)
        for (start, piece) in zip(starts, results.withLock({ $0.compactMap { $0 } })) {
            sum = crc32_combine(sum, uLong(try piece.get()), min(FileChecksum.pieceSize, size - start))
        }
        self.size = size
        crc32 = UInt32(truncatingIfNeeded: sum)
    }

    private static let pieceSize = 4 << 20

    private static func crc32(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        // zlib takes a null pointer for a question, and not for no bytes.
        let start = crc32_z(0, nil, 0)
        guard let base = bytes.baseAddress else { return UInt32(truncatingIfNeeded: start) }
        return UInt32(truncatingIfNeeded: crc32_z(start, base.assumingMemoryBound(to: UInt8.self), bytes.count))
    }

    private static func crc32(of descriptor: Int32, from start: Int, count: Int) throws(SystemError) -> UInt32 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < count {
            let got = pread(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(start + filled))
            if got > 0 {
                filled += got
            } else if got == 0 {
                throw SystemError(code: EIO, description: "The file is being shortened")
            } else if errno != EINTR {
                throw SystemError.last
            }
        }
        return crc32(of: UnsafeRawBufferPointer(buffer))
    }
}
