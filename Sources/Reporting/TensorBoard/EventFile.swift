import Files
import Foundation
import SwiftProtobuf

/// An event file of TensorBoard: the points of a run's curves, and texts.
///
/// A file of TFRecords, each the number of its data's bytes (8 bytes, lowest first), that number's masked CRC32C, the
/// data and the data's masked CRC32C (4 bytes each). The data is an `Event` in protobuf's encoding.
final class EventFile {
    /// A point of a curve, at a step that all of an event's points share. TensorBoard keeps it in single precision.
    struct Scalar: Equatable {
        var tag: String
        var value: Double
    }

    let url: URL
    private let file: GrowingFile

    /// Creates a file in a folder, which is created, too, if it is not there.
    ///
    /// - Parameter firstStep: the first step that will be logged. What the folder's earlier files have of this step
    ///   and of later ones is no longer shown.
    /// - Throws: `LoggingError`, `FileWriteError`.
    init(in folder: URL, firstStep: Int) throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw LoggingError(path: folder.path, reason: error.localizedDescription)
        }
        (url, file) = try EventFile.create(in: folder)
        do {
            try append(step: 0, .fileVersion("brain.Event:2"))
            try append(step: firstStep, .sessionLog(.with { $0.status = .start }))
        } catch {
            unlink(url.path)
            throw error
        }
    }

    /// Adds points of curves.
    func add(_ scalars: [Scalar], step: Int) throws {
        guard !scalars.isEmpty else { return }
        try append(
            step: step,
            .summary(
                .with { summary in
                    summary.value = scalars.map { scalar in
                        .with {
                            $0.tag = scalar.tag
                            $0.simpleValue = Float(scalar.value)
                        }
                    }
                }))
    }

    /// Adds a text, which is shown as Markdown.
    func add(_ text: String, tag: String, step: Int) throws {
        let value = Tensorboard_Summary.Value.with {
            $0.tag = tag
            $0.metadata.pluginData.pluginName = "text"
            $0.tensor.dtype = .dtString
            $0.tensor.tensorShape.dim = [.with { $0.size = 1 }]
            $0.tensor.stringVal = [Data(text.utf8)]
        }
        try append(step: step, .summary(.with { $0.value = [value] }))
    }

    private func append(step: Int, _ what: Tensorboard_Event.OneOf_What) throws {
        let event = Tensorboard_Event.with {
            $0.wallTime = Date().timeIntervalSince1970
            $0.step = Int64(step)
            $0.what = what
        }
        try file.append(EventFile.record(try event.serializedBytes()))
    }

    static func record(_ data: [UInt8]) -> [UInt8] {
        let length = bytes(UInt64(data.count))
        return length + bytes(CRC32C.masked(length)) + data + bytes(CRC32C.masked(data))
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    /// `events.out.tfevents.<seconds>.<host>.<process>.0`. TensorBoard reads a folder's files in the order of their
    /// names, so the seconds are later than those of every file that is there.
    private static func create(in folder: URL) throws -> (URL, GrowingFile) {
        let prefix = "events.out.tfevents."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let taken = names.filter { $0.hasPrefix(prefix) }
            .compactMap { Int($0.dropFirst(prefix.count).prefix { $0 != "." }) }
            // A number that no clock shows is no time, and would leave none later.
            .filter { $0 < Int(Int32.max) }
        var seconds = max(Int(Date().timeIntervalSince1970), (taken.max() ?? 0) + 1)
        while true {
            let url = folder.appendingPathComponent("\(prefix)\(seconds).\(hostName()).\(getpid()).0")
            if let file = try create(url) { return (url, file) }
            // A run of another machine's or container's, whose name and number are the same.
            seconds += 1
        }
    }

    /// nil if the file is there already.
    private static func create(_ url: URL) throws -> GrowingFile? {
        let result = Result { try GrowingFile(creating: url) }
        if case .failure(let error) = result, (error as? FileWriteError)?.reason == .system(EEXIST) { return nil }
        return try result.get()
    }
}

/// A folder that event files can't be written to.
public struct LoggingError: Error, Equatable, CustomStringConvertible {
    public var path: String
    public var reason: String

    public var description: String {
        "the log folder \(path) can't be used: \(reason); name another --logging_dir"
    }
}

/// The machine's name as a part of a file's name.
private func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    // One less, so that a name that is cut ends with a 0 all the same.
    guard gethostname(&name, name.count - 1) == 0, name[0] != 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        .replacingOccurrences(of: "/", with: "_")
}
