/// The members of a zip archive whose members are stored as they are, as PyTorch writes it.
///
/// The format: APPNOTE.TXT of PKWARE, section 4.3, with the zip64 extensions of 4.3.14, 4.3.15 and 4.5.3.
struct ZipArchive {
    /// The first bytes of such an archive.
    static let signature: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

    /// The path of the first member.
    let firstPath: String
    private let members: [String: Range<Int>]

    /// Where in the file the bytes of the member `path` lie, or nil if there is none.
    subscript(path: String) -> Range<Int>? { members[path] }

    /// Reads the archive's directory.
    init(_ file: UnsafeRawBufferPointer) throws(CheckpointProblem) {
        let directory = try Self.locateDirectory(file)
        var reader = try ByteReader(file, from: directory.start)
        var members: [String: Range<Int>] = [:]
        var firstPath: String?
        for _ in 0..<directory.count {
            let entry = try DirectoryEntry(from: &reader)
            let range = try entry.locateBytes(in: file)
            guard members.updateValue(range, forKey: entry.path) == nil else {
                throw .malformed("two members named \(entry.path.debugDescription)", offset: reader.offset)
            }
            firstPath = firstPath ?? entry.path
        }
        guard let firstPath else { throw .malformed("an empty zip archive", offset: directory.start) }
        self.firstPath = firstPath
        self.members = members
    }

    /// Finds the directory by the record at the end of the file.
    private static func locateDirectory(
        _ file: UnsafeRawBufferPointer
    ) throws(CheckpointProblem) -> (start: Int, count: Int) {
        let recordSize = 22
        // The record ends with a comment of at most 65,535 bytes, so that its place has to be searched for.
        var start = file.count - recordSize
        let lowest = max(start - Int(UInt16.max), 0)
        while start >= lowest, !isEndRecord(file, at: start) { start -= 1 }
        guard start >= lowest else {
            throw .malformed("the zip archive has no directory; the file may be cut short", offset: file.count)
        }
        var reader = try ByteReader(file, from: start + 10)
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
    ) throws(CheckpointProblem) -> (start: Int, count: Int) {
        var locator = try ByteReader(file, from: endRecord - 20, to: endRecord)
        guard try locator.read(UInt32.self) == 0x0706_4B50 else {
            throw .malformed("the zip archive lacks its zip64 locator", offset: endRecord - 20)
        }
        _ = try locator.read(UInt32.self)
        let start = try locator.readLength()
        var reader = try ByteReader(file, from: start)
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
    let path: String
    private var storedSize: Int
    private var size: Int
    private var headerStart: Int

    init(from reader: inout ByteReader) throws(CheckpointProblem) {
        let start = reader.offset
        guard try reader.read(UInt32.self) == 0x0201_4B50 else {
            throw .malformed("the zip archive's directory lacks an entry", offset: start)
        }
        _ = try reader.read(UInt32.self)
        let flags = try reader.read(UInt16.self)
        let method = try reader.read(UInt16.self)
        _ = try reader.read(8)
        storedSize = Int(try reader.read(UInt32.self))
        size = Int(try reader.read(UInt32.self))
        let pathLength = Int(try reader.read(UInt16.self))
        let extraLength = Int(try reader.read(UInt16.self))
        let commentLength = Int(try reader.read(UInt16.self))
        _ = try reader.read(8)
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
        let isEncrypted = flags & 1 != 0
        guard method == 0, !isEncrypted, storedSize == size else {
            throw .unsupported("the member \(path.debugDescription) of its zip archive is compressed or encrypted")
        }
    }

    /// Takes those values from a zip64 field that do not fit into 32 bits.
    private mutating func widen(from reader: inout ByteReader) throws(CheckpointProblem) {
        if size == UInt32.max { size = try reader.readLength() }
        if storedSize == UInt32.max { storedSize = try reader.readLength() }
        if headerStart == UInt32.max { headerStart = try reader.readLength() }
    }

    /// Where the member's bytes lie: after its own header, which has a path and padding of its own.
    func locateBytes(in file: UnsafeRawBufferPointer) throws(CheckpointProblem) -> Range<Int> {
        var reader = try ByteReader(file, from: headerStart)
        guard try reader.read(UInt32.self) == 0x0403_4B50 else {
            throw .malformed("the member \(path.debugDescription) has no header", offset: headerStart)
        }
        _ = try reader.read(22)
        let pathLength = Int(try reader.read(UInt16.self))
        let extraLength = Int(try reader.read(UInt16.self))
        _ = try reader.read(pathLength + extraLength)
        let start = reader.offset
        _ = try reader.read(size)
        return start..<reader.offset
    }
}
