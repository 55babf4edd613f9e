/// The directory of a zip archive: its members, and where their bytes lie.
///
/// The format: APPNOTE.TXT of PKWARE, section 4.3, with the zip64 extensions of 4.3.14, 4.3.15 and 4.5.3.
public struct ZipArchive: Sendable {
    /// The first bytes of such an archive.
    public static let signature: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

    /// A file or a folder of the archive.
    public struct Member: Sendable {
        /// How the bytes are stored.
        public enum Method: Sendable, Equatable {
            /// As they are.
            case stored
            /// Compressed as RFC 1951 defines it.
            case deflated
            /// In another way, which has this number in the format.
            case other(UInt16)
        }

        /// The path as the archive gives it, with `/` between its parts: not to be trusted.
        public let path: String
        /// How its bytes are stored.
        public let method: Method
        /// Whether its bytes are of no use without a password.
        public let isEncrypted: Bool
        /// Whether it is a symbolic link, whose content is the path it leads to.
        public let isLink: Bool
        /// Where in the archive the stored bytes lie.
        public let storedBytes: Range<Int>
        /// The number of bytes of the content.
        public let size: Int
        /// The CRC-32 of the content.
        public let checksum: UInt32

        /// Whether it is a folder, which has no content.
        public var isFolder: Bool { path.utf8.last == UInt8(ascii: "/") }
    }

    /// The members, in the directory's order. There is at least one, and no two have the same path.
    public let members: [Member]
    private let indices: [String: Int]

    /// The member `path`, or nil if there is none.
    public subscript(path: String) -> Member? { indices[path].map { members[$0] } }

    /// Reads the archive's directory.
    ///
    /// - Throws: ``ZipProblem``.
    public init(_ file: UnsafeRawBufferPointer) throws(ZipProblem) {
        let directory = try Self.locateDirectory(file)
        var reader = try ByteReader<ZipProblem>(file, from: directory.start)
        var members: [Member] = []
        var indices: [String: Int] = [:]
        for index in 0..<directory.count {
            let member = try DirectoryEntry(from: &reader).member(in: file)
            guard indices.updateValue(index, forKey: member.path) == nil else {
                throw .malformed("two members named \(member.path.debugDescription)", offset: reader.offset)
            }
            members.append(member)
        }
        if members.isEmpty { throw .malformed("an empty zip archive", offset: directory.start) }
        self.members = members
        self.indices = indices
    }

    /// Finds the directory by the record at the end of the file.
    private static func locateDirectory(
        _ file: UnsafeRawBufferPointer
    ) throws(ZipProblem) -> (start: Int, count: Int) {
        let recordSize = 22
        // The record ends with a comment of at most 65,535 bytes, so that its place has to be searched for.
        var start = file.count - recordSize
        let lowest = max(start - Int(UInt16.max), 0)
        while start >= lowest, !isEndRecord(file, at: start) { start -= 1 }
        guard start >= lowest else {
            throw .malformed("the zip archive has no directory; the file may be cut short", offset: file.count)
        }
        var reader = try ByteReader<ZipProblem>(file, from: start + 10)
        let count = try reader.read(UInt16.self)
        _ = try reader.read(UInt32.self)
        let directoryStart = try reader.read(UInt32.self)
        if count == .max || directoryStart == .max { return try locateZip64Directory(file, endRecord: start) }
        return (Int(directoryStart), Int(count))
    }

    private static func isEndRecord(_ file: UnsafeRawBufferPointer, at start: Int) -> Bool {
        let signature = file.loadUnaligned(fromByteOffset: start, as: UInt32.self).littleEndian
        guard signature == 0x0605_4B50 else { return false }
        let commentLength = file.loadUnaligned(fromByteOffset: start + 20, as: UInt16.self).littleEndian
        return start + 22 + Int(commentLength) == file.count
    }

    private static func locateZip64Directory(
        _ file: UnsafeRawBufferPointer, endRecord: Int
    ) throws(ZipProblem) -> (start: Int, count: Int) {
        var locator = try ByteReader<ZipProblem>(file, from: endRecord - 20, to: endRecord)
        guard try locator.read(UInt32.self) == 0x0706_4B50 else {
            throw .malformed("the zip archive lacks its zip64 locator", offset: endRecord - 20)
        }
        _ = try locator.read(UInt32.self)
        let start = try locator.readLength()
        var reader = try ByteReader<ZipProblem>(file, from: start)
        guard try reader.read(UInt32.self) == 0x0606_4B50 else {
            throw .malformed("the zip archive lacks its zip64 directory record", offset: start)
        }
        _ = try reader.read(28)
        let count = try reader.readLength()
        _ = try reader.read(UInt64.self)
        return (try reader.readLength(), count)
    }
}

/// A member as the archive's directory describes it.
private struct DirectoryEntry {
    private let path: String
    private let flags: UInt16
    private let method: ZipArchive.Member.Method
    private let isLink: Bool
    private let checksum: UInt32
    private var storedSize: Int
    private var size: Int
    private var headerStart: Int

    init(from reader: inout ByteReader<ZipProblem>) throws(ZipProblem) {
        let start = reader.offset
        guard try reader.read(UInt32.self) == 0x0201_4B50 else {
            throw .malformed("the zip archive's directory lacks an entry", offset: start)
        }
        _ = try reader.read(UInt32.self)
        flags = try reader.read(UInt16.self)
        switch try reader.read(UInt16.self) {
        case 0: method = .stored
        case 8: method = .deflated
        case let number: method = .other(number)
        }
        _ = try reader.read(UInt32.self)
        checksum = try reader.read(UInt32.self)
        storedSize = Int(try reader.read(UInt32.self))
        size = Int(try reader.read(UInt32.self))
        let pathLength = Int(try reader.read(UInt16.self))
        let extraLength = Int(try reader.read(UInt16.self))
        let commentLength = Int(try reader.read(UInt16.self))
        _ = try reader.read(4)
        // The upper half of the attributes is a file mode, or 0; there is more than one kind of writer that gives it.
        let mode = try reader.read(UInt32.self) >> 16
        isLink = mode & 0o170000 == 0o120000
        headerStart = Int(try reader.read(UInt32.self))
        path = try reader.readText(pathLength)
        let extraEnd = reader.offset + extraLength
        while reader.offset + 4 <= extraEnd {
            let kind = try reader.read(UInt16.self)
            let fieldLength = Int(try reader.read(UInt16.self))
            let fieldEnd = reader.offset + fieldLength
            if kind == 0x0001 { try widen(from: &reader) }
            _ = try reader.read(fieldEnd - reader.offset)
        }
        _ = try reader.read(extraEnd - reader.offset + commentLength)
        if method == .stored, storedSize != size {
            throw .malformed("the member \(path.debugDescription) has two sizes", offset: start)
        }
    }

    /// Takes those values from a zip64 field that do not fit into 32 bits.
    private mutating func widen(from reader: inout ByteReader<ZipProblem>) throws(ZipProblem) {
        if size == UInt32.max { size = try reader.readLength() }
        if storedSize == UInt32.max { storedSize = try reader.readLength() }
        if headerStart == UInt32.max { headerStart = try reader.readLength() }
    }

    /// The member, with the place of its bytes: after its own header, which has a path and padding of its own.
    func member(in file: UnsafeRawBufferPointer) throws(ZipProblem) -> ZipArchive.Member {
        var reader = try ByteReader<ZipProblem>(file, from: headerStart)
        guard try reader.read(UInt32.self) == 0x0403_4B50 else {
            throw .malformed("the member \(path.debugDescription) has no header", offset: headerStart)
        }
        _ = try reader.read(22)
        let pathLength = Int(try reader.read(UInt16.self))
        let extraLength = Int(try reader.read(UInt16.self))
        _ = try reader.read(pathLength + extraLength)
        let start = reader.offset
        _ = try reader.read(storedSize)
        return ZipArchive.Member(
            path: path, method: method, isEncrypted: flags & 1 != 0, isLink: isLink,
            storedBytes: start..<reader.offset, size: size, checksum: checksum)
    }
}
