import Foundation

/// The file that ``writeAtomically(to:_:)`` or ``OutputFile`` is writing.
public struct FileSink: ~Copyable {
    private enum Place {
        case draft(FileDraft)
        case stream(OutputStream)
    }

    private let place: Place
    private var buffer: [UInt8] = []
    /// The bytes handed to the draft.
    private var flushed = 0

    fileprivate init(_ draft: FileDraft) { place = .draft(draft) }

    fileprivate init(_ stream: OutputStream) { place = .stream(stream) }

    /// Appends bytes to the file.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        let capacity = 1 << 16
        if buffer.count + bytes.count > capacity { try flush() }
        if bytes.count > capacity {
            try writeThrough(bytes)
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    /// Appends bytes to the file.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ bytes: some Collection<UInt8>) throws(FileWriteError) {
        try ContiguousArray(bytes).withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try write(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Appends text to the file, as UTF-8.
    ///
    /// - Throws: ``FileWriteError``, also for a failure of an earlier write.
    public mutating func write(_ text: String) throws(FileWriteError) {
        try write(text.utf8)
    }

    fileprivate mutating func flush() throws(FileWriteError) {
        let pending = buffer
        buffer = []
        try pending.withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try writeThrough(UnsafeRawBufferPointer(bytes))
        }
    }

    private mutating func writeThrough(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        switch place {
        case .draft(let draft): try draft.write(bytes, at: flushed)
        case .stream(let stream): try stream.append(bytes)
        }
        flushed += bytes.count
    }
}

/// Writes a file such that its path names either what was there before or all of the new content, never a part.
///
/// The content goes to a new file in the same folder, which is flushed to the storage device and then renamed. On any
/// error that file is removed, and what was at `url` stays as it was. A symbolic link at `url` is replaced.
///
/// - Parameters:
///   - url: The file to write; its folder must exist.
///   - body: Writes the content.
/// - Throws: ``FileWriteError``, or what `body` throws.
public func writeAtomically(to url: URL, _ body: (inout FileSink) throws -> Void) throws {
    let draft = try FileDraft(for: url)
    var sink = FileSink(draft)
    try body(&sink)
    try sink.flush()
    try draft.moveIntoPlace()
}

extension OutputStream {
    /// Writes what `body` does, piece by piece.
    func write(_ body: (inout FileSink) throws -> Void) throws {
        var sink = FileSink(self)
        try body(&sink)
        try sink.flush()
    }
}
