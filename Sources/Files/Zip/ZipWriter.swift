import CZlib
import Foundation

/// What can't be put into a zip archive.
public enum ZipWriteError: Error, Equatable, CustomStringConvertible {
    /// The name is not a plain path (see `isPlainPath`), or is longer than 65,535 bytes.
    case badName(String)
    /// The archive has a member of that name.
    case nameTaken(String)
    /// More than 65,535 members, or 4 GiB and more, are beyond the format's old form, which is all that is written.
    case tooLarge(String)
    /// zlib failed; its code.
    case deflate(Int32)

    public var description: String {
        switch self {
        case .badName(let name): "\(name.debugDescription) can't be the name of a zip archive's member."
        case .nameTaken(let name): "the zip archive has two members named \(name.debugDescription)."
        case .tooLarge(let name):
            "\(name.debugDescription) doesn't fit into the zip archive: it takes 65,535 members and 4 GiB at most."
        case .deflate(let code): "zlib can't compress (its code \(code))."
        }
    }
}

/// Makes a zip archive of compressed members. The same members give the same bytes: they bear no date but the format's
/// first, 1 January 1980.
///
/// Source: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (directory) and 4.3.16 (its end).
public struct ZipWriter {
    fileprivate struct Member {
        let name: [UInt8]
        let checksum: UInt32
        let size: UInt32
        /// The compressed bytes.
        let data: [UInt8]
        /// Where its local header stands.
        let offset: UInt32
    }

    private var members: [Member] = []
    private var names: Set<String> = []
    /// The bytes of all local headers and members.
    private var length = 0
    /// The bytes of the directory, which repeats each member's fields and name.
    private var directoryLength = 0

    /// The archive without members.
    public init() {}

    /// Adds a file.
    ///
    /// - Parameters:
    ///   - name: its path in the archive, with `/` between folders.
    ///   - contents: kept in memory compressed until the archive is written.
    /// - Throws: ``ZipWriteError``; the archive is then as it was.
    public mutating func add(_ name: String, _ contents: [UInt8]) throws(ZipWriteError) {
        guard name.isPlainPath, name.utf8.count <= UInt16.max else { throw .badName(name) }
        guard !names.contains(name) else { throw .nameTaken(name) }
        let data = try deflated(contents)
        guard let size = UInt32(exactly: contents.count), let offset = UInt32(exactly: length),
            UInt32(exactly: data.count) != nil, members.count < UInt16.max
        else { throw .tooLarge(name) }
        let member = Member(
            name: Array(name.utf8), checksum: checksum(of: contents), size: size, data: data, offset: offset)
        let end = length + member.localHeader.count + data.count
        let directoryEnd = directoryLength + member.directoryEntry.count
        guard end + directoryEnd < UInt32.max else { throw .tooLarge(name) }
        (length, directoryLength) = (end, directoryEnd)
        members.append(member)
        names.insert(name)
    }

    /// Writes the archive, as ``writeAtomically(to:_:)`` does.
    ///
    /// - Throws: ``FileWriteError``.
    public func write(to url: URL) throws {
        try writeAtomically(to: url) { sink in
            for member in members {
                try sink.write(member.localHeader)
                try sink.write(member.data)
            }
            let directory = members.flatMap(\.directoryEntry)
            try sink.write(directory)
            // Disk numbers, the entries on this disk and in all, the directory's size and place, no comment.
            let count = UInt16(members.count)
            try sink.write(
                bytes(UInt32(0x0605_4B50)) + bytes(UInt16(0)) + bytes(UInt16(0)) + bytes(count) + bytes(count)
                    + bytes(UInt32(directory.count)) + bytes(UInt32(length)) + bytes(UInt16(0)))
        }
    }
}

extension ZipWriter.Member {
    /// What the local header and the directory share: the version needed to read (2.0), names in UTF-8, deflate,
    /// midnight, 1 January 1980, checksum, sizes, the name's length, no extra field.
    private var commonFields: [UInt8] {
        bytes(UInt16(20)) + bytes(UInt16(0x0800)) + bytes(UInt16(8)) + bytes(UInt16(0)) + bytes(UInt16(0x0021))
            + bytes(checksum) + bytes(UInt32(data.count)) + bytes(size) + bytes(UInt16(name.count))
            + bytes(UInt16(0))
    }

    var localHeader: [UInt8] { bytes(UInt32(0x0403_4B50)) + commonFields + name }

    /// Made on a Unix by version 2.0, no comment, on disk 0, a regular file that all may read.
    var directoryEntry: [UInt8] {
        bytes(UInt32(0x0201_4B50)) + bytes(UInt16(3 << 8 | 20)) + commonFields + bytes(UInt16(0)) + bytes(UInt16(0))
            + bytes(UInt16(0)) + bytes(UInt32(0o100644) << 16) + bytes(offset) + name
    }
}

private func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian, Array.init)
}

/// The CRC-32 that zip archives check their members by.
private func checksum(of contents: [UInt8]) -> UInt32 {
    contents.withUnsafeBytes { UInt32(crc32_z(0, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)) }
}

/// The bytes as a raw deflate stream (RFC 1951), as zip archives have it.
private func deflated(_ contents: [UInt8]) throws(ZipWriteError) -> [UInt8] {
    guard let size = UInt32(exactly: contents.count) else { throw .tooLarge("a member") }
    var stream = z_stream()
    let status = deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw .deflate(status) }
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, UInt(size)))
    guard let capacity = UInt32(exactly: bound) else { throw .tooLarge("a member") }
    // zlib's interface takes a mutable pointer to what it only reads.
    var input = contents
    var result = Z_OK
    let output = [UInt8](unsafeUninitializedCapacity: bound) { output, count in
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = size
            stream.next_out = output.baseAddress
            stream.avail_out = capacity
            result = deflate(&stream, Z_FINISH)
        }
        count = bound - Int(stream.avail_out)
    }
    guard result == Z_STREAM_END else { throw .deflate(result) }
    return output
}
