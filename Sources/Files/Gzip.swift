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
/// - Throws: `GzipError` if the file is damaged; `SystemError` if the content can't be written.
public func gunzipped(_ file: MappedFile, in folder: URL) throws -> MappedFile {
    let content = try ScratchFile(in: folder)
    var released = 0
    try file.withBytes { bytes in
        try inflateMembers(bytes) { piece in
            try content.append(piece)
            guard content.count - released > 1 << 26 else { return }
            file.releasePages()
            released = content.count
        }
    }
    return try content.mapped()
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
