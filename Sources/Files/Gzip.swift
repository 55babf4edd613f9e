import CZlib
import Foundation

/// A compressed file that can't be read.
public struct GzipError: Error, CustomStringConvertible {
    public let description: String
}

/// Whether a file begins as `gzip` begins one.
public func isGzip(_ file: MappedFile) -> Bool {
    file.withBytes { $0.count > 2 && $0[0] == 0x1F && $0[1] == 0x8B }
}

/// The content of a file that `gzip` compressed, with all of its members, in a file that has no name and is gone with it.
///
/// - Parameters:
///   - file: the compressed file.
///   - folder: where the content lies meanwhile; it is made if need be.
/// - Throws: `GzipError` if the file is damaged, or its content would fill the folder's disk, of which it may take no
///   more than nine tenths of what is free; `SystemError` if the content can't be written.
public func gunzipped(_ file: MappedFile, in folder: URL) throws -> MappedFile {
    try gunzipped(file, in: folder, freeSpace: freeSpace)
}

func gunzipped(_ file: MappedFile, in folder: URL, freeSpace: @escaping (String) -> Int?) throws -> MappedFile {
    let content = try ScratchFile(in: folder)
    var released = 0
    try file.withBytes { bytes in
        // The last member's end says how long its content is, modulo 2³². No byte stands for more than 1032 others, so
        // that more is no such number but the end of a file that was cut off.
        let size = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        var room = try Room(in: folder.path, freeSpace, wanted: size <= bytes.count * 1032 ? size : 0)
        try inflateMembers(bytes) { piece in
            try room.take(piece.count)
            try content.append(piece)
            guard content.count - released > 1 << 26 else { return }
            file.releasePages()
            released = content.count
        }
    }
    return try content.mapped()
}

/// What of a disk's space may be written to. A few bytes can stand for more than any disk has.
private struct Room {
    private let folder: String
    private let freeSpace: (String) -> Int?
    /// What stays free for others.
    private let reserve: Int
    private var written = 0
    /// Bytes that may be written before the free space is looked at again.
    private var left: Int

    /// - Throws: `GzipError` if there is no room for `wanted` bytes.
    init(in folder: String, _ freeSpace: @escaping (String) -> Int?, wanted: Int) throws {
        self.folder = folder
        self.freeSpace = freeSpace
        reserve = (freeSpace(folder) ?? 0) / 10
        left = 0
        if let free = freeSpace(folder), free - reserve < wanted { throw full(free, wanted) }
    }

    /// - Throws: `GzipError` if there is no room for so many more bytes.
    mutating func take(_ count: Int) throws {
        if left < count {
            // Others write, too.
            let free = freeSpace(folder)
            guard free.map({ $0 - reserve >= count }) ?? true else { throw full(free ?? 0, written + count) }
            left = min(64 << 20, free.map { $0 - reserve } ?? 64 << 20)
        }
        left -= count
        written += count
    }

    private func full(_ free: Int, _ size: Int) -> GzipError {
        GzipError(
            description: "its content, of \(size) bytes or more, doesn't fit into \(folder), where \(free) bytes are free "
                + "and a tenth stays so; make room, or give the file uncompressed")
    }
}

private func inflateMembers(
    _ input: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
) throws {
    // zlib keeps the stream's address, so that it must not move.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    // 16 more than the window's size asks for gzip's header.
    guard inflateInit2_(stream, 16 + 15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw GzipError(description: "zlib does not start")
    }
    defer { inflateEnd(stream) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { buffer.deallocate() }
    var rest = input[...]
    var status = Z_OK
    while true {
        if stream.pointee.avail_in == 0 {
            // Members follow one another; what a damaged end cut off is none.
            if rest.isEmpty { break }
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26))
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: piece.baseAddress?.assumingMemoryBound(to: Bytef.self))
            stream.pointee.avail_in = UInt32(piece.count)
            rest = rest.dropFirst(piece.count)
        }
        if status == Z_STREAM_END { inflateReset(stream) }
        repeat {
            stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: Bytef.self)
            stream.pointee.avail_out = UInt32(buffer.count)
            status = inflate(stream, Z_NO_FLUSH)
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw GzipError(description: "it is not valid gzip data: it was cut off or altered")
            }
            let count = buffer.count - Int(stream.pointee.avail_out)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        } while status == Z_OK && stream.pointee.avail_out == 0
    }
    guard status == Z_STREAM_END else { throw GzipError(description: "it is not whole: its end is cut off") }
}
