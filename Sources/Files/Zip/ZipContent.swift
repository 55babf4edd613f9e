import CZlib

extension ZipArchive.Member {
    /// Hands over the content in pieces, which are valid only during a call of `body`.
    ///
    /// At most ``size`` bytes are handed over, whatever the archive holds.
    ///
    /// - Parameters:
    ///   - file: The whole archive that the member was read from.
    ///   - body: Takes the next piece.
    /// - Throws: ``ZipProblem`` if the bytes are damaged, or not of the size and checksum that the directory gives,
    ///   which may show only after all of them were handed over; what `body` throws.
    public func read(
        from file: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let stored = UnsafeRawBufferPointer(rebasing: file[storedBytes])
        var actual = crc32(0, nil, 0)
        var count = 0
        func take(_ piece: UnsafeRawBufferPointer) throws {
            count += piece.count
            guard count <= size else { throw problem("is longer than the archive says") }
            actual = crc32(actual, piece.baseAddress?.assumingMemoryBound(to: Bytef.self), uInt(piece.count))
            try body(piece)
        }
        if isEncrypted { throw ZipProblem.unsupported("its member \(path.debugDescription) is encrypted") }
        switch method {
        case .stored: try eachPiece(of: stored, take)
        case .deflated: try inflated(stored, take)
        case .other(let number):
            throw ZipProblem.unsupported(
                "its member \(path.debugDescription) is compressed by the method \(number); only deflate is supported")
        }
        guard count == size else { throw problem("is shorter than the archive says") }
        guard actual == uLong(checksum) else { throw problem("does not have the checksum that the archive gives") }
    }

    private func problem(_ what: String) -> ZipProblem {
        .malformed("the member \(path.debugDescription) \(what)", offset: storedBytes.lowerBound)
    }

    /// Pieces that a 32-bit length can count.
    private func eachPiece(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try body(UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26)))
            rest = rest.dropFirst(1 << 26)
        }
    }

    private func inflated(
        _ input: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        // zlib keeps the stream's address, so that it must not move.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // The negative size of the window says that there is no header of zlib's own.
        guard inflateInit2_(stream, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw problem("can't be decompressed: zlib does not start")
        }
        defer { inflateEnd(stream) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        var rest = input[...]
        var status = Z_OK
        while status != Z_STREAM_END {
            if stream.pointee.avail_in == 0 {
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26))
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: piece.baseAddress?.assumingMemoryBound(to: Bytef.self))
                stream.pointee.avail_in = uInt(piece.count)
                rest = rest.dropFirst(piece.count)
            }
            stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: Bytef.self)
            stream.pointee.avail_out = uInt(buffer.count)
            status = CZlib.inflate(stream, Z_NO_FLUSH)
            // No progress is an error here: there is always room, so that it is the input that has ended.
            guard status == Z_OK || status == Z_STREAM_END else { throw problem("is not valid deflated data") }
            try body(UnsafeRawBufferPointer(buffer.prefix(buffer.count - Int(stream.pointee.avail_out))))
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate init(_ part: Slice<UnsafeMutableRawBufferPointer>) {
        self.init(UnsafeMutableRawBufferPointer(rebasing: part))
    }
}
