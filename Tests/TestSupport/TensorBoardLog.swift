import Foundation

/// A run's log as TensorBoard's own Python reader sees it.
public struct TensorBoardLog: Decodable, Equatable {
    public struct Point: Decodable, Equatable {
        public let step: Int
        public let value: Double

        public init(_ step: Int, _ value: Double) {
            self.step = step
            self.value = value
        }

        public init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            step = try container.decode(Int.self)
            value = try container.decodeIfPresent(Double.self) ?? .nan
        }
    }

    /// The curves by tag, less the points that a later file took back.
    public let scalars: [String: [Point]]
    /// The texts by tag, each with its step.
    public let texts: [String: [String]]
    /// The messages of each file in TensorBoard's order, in short.
    public let events: [[String]]
    /// Bytes of each file in records that are whole, with right checksums, and all of its bytes.
    public let readBytes: [Int]
    public let bytes: [Int]

    private static let script = """
        import glob, json, math, os, sys
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        def name(record):
            event = Event.FromString(record)
            kind = event.WhichOneof("what")
            if kind == "file_version":
                kind = event.file_version
            if kind == "session_log":
                kind = SessionLog.SessionStatus.Name(event.session_log.status)
            return f"{event.step} {kind}"

        logs = []
        for folder in sys.argv[1:]:
            accumulator = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0}).Reload()
            tags = accumulator.Tags()
            files = sorted(glob.glob(glob.escape(folder) + "/events.out.tfevents.*"))
            records = [list(RawEventFileLoader(file).Load()) for file in files]
            logs.append({
                "scalars": {
                    tag: [(p.step, None if math.isnan(p.value) else p.value) for p in accumulator.Scalars(tag)]
                    for tag in tags["scalars"]},
                "texts": {
                    tag: [t.decode() for p in accumulator.Tensors(tag) for t in p.tensor_proto.string_val]
                    for tag in tags["tensors"]
                    if accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "text"},
                "events": [[name(record) for record in file] for file in records],
                "readBytes": [sum(len(record) + 16 for record in file) for file in records],
                "bytes": [os.path.getsize(file) for file in files],
            })
        print(json.dumps(logs))
        """

    /// Reads the logs in some folders.
    ///
    /// - Throws: what ``PeerPython/run(_:_:environment:)`` throws.
    public static func read(_ folders: [URL]) throws -> [TensorBoardLog] {
        let json = try PeerPython.run(script, folders.map(\.path))
        return try JSONDecoder().decode([TensorBoardLog].self, from: Data(json.utf8))
    }
}
