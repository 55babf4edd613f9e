import Files
import Foundation

/// What a benchmark measured. Rates are a second's.
public struct BenchmarkReport: Sendable, Equatable, Codable {
    public var machine: MachineDescription
    /// What the model computed on: `cpu`, or such as `cuda:0`.
    public var device: String
    /// What its layers computed matrix products in: `fp32`, `bf16` or `fp16`.
    public var products: String
    /// libtorch's version.
    public var libtorch: String
    /// The instruction set of camtl's own loops.
    public var instructions: String
    public var threads: Int
    public var encoderType: String
    public var parameters: Int
    public var tasks: [String]
    public var maxSequenceLength: Int
    /// The most floating-point operations a second of large matrix products of that type, on that device, in this
    /// process at these threads.
    public var gemmPeak: Double
    /// From the start of the process until the first step began; nil where it isn't known when the process started.
    public var secondsToFirstStep: Double?
    /// One entry for each sampling that was measured.
    public var training: [Training] = []
    /// Where inexact scoring of candidates was compared with exact scoring.
    public var picks: Picks?
    public var evaluation: Evaluation?
    public var tokenizer: Tokenizer?
    /// The largest resident memory of the process, in bytes, until the end of training and until its end; nil where the
    /// system doesn't say.
    public var peakMemoryOfTraining: Int?
    public var peakMemory: Int?
    /// The most bytes that tensors on the device have taken; nil on the CPU.
    public var peakDeviceMemory: Int?

    /// Training steps, after the first ones.
    public struct Training: Sendable, Equatable, Codable {
        public var sampling: String
        public var batchSize: Int
        /// Of each step: how long it took, from the end of the one before.
        public var seconds: [Double]
        public var examples: [Int]
        public var tokens: [Int]
        /// Operations that its tokens need, those of scoring candidates too.
        public var operations: [Double]

        public var median: Double { Benchmark.median(seconds) }
        public var examplesPerSecond: Double { rate(examples.map(Double.init)) }
        public var tokensPerSecond: Double { rate(tokens.map(Double.init)) }
        public var operationsPerSecond: Double { rate(operations) }

        private func rate(_ amounts: [Double]) -> Double { Benchmark.median(zip(amounts, seconds).map { $0 / $1 }) }
    }

    /// Examples that inexact scoring picked for training.
    public struct Picks: Sendable, Equatable, Codable {
        /// Training steps.
        public var steps: Int
        public var picked: Int
        /// Those that exact scoring would have picked, too.
        public var equal: Int

        public var share: Double { Double(equal) / Double(picked) }
    }

    /// Rows of the dev sets through the model, without metrics.
    public struct Evaluation: Sendable, Equatable, Codable {
        public var batchSize: Int
        public var examples: Int
        public var tokens: Int
        public var operations: Double
        public var seconds: Double

        public var examplesPerSecond: Double { Double(examples) / seconds }
        public var tokensPerSecond: Double { Double(tokens) / seconds }
        public var operationsPerSecond: Double { operations / seconds }
    }

    /// Rows of the training sets through the tokenizer, on one thread.
    public struct Tokenizer: Sendable, Equatable, Codable {
        public var rows: Int
        /// Of the rows' texts, in UTF-8.
        public var bytes: Int
        public var tokens: Int
        /// Of each pass over the rows.
        public var seconds: [Double]

        public var bytesPerSecond: Double { Double(bytes) / Benchmark.median(seconds) }
        public var tokensPerSecond: Double { Double(tokens) / Benchmark.median(seconds) }
    }

    /// Writes the report as JSON, whole or not at all.
    ///
    /// - Throws: `FileWriteError`.
    public func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let data = try encoder.encode(self)
        try OutputFile(url).write { try $0.write(data + [0x0A]) }
    }
}

/// The machine that a benchmark ran on.
public struct MachineDescription: Sendable, Equatable, Codable {
    /// The processor's name, or its architecture where the system doesn't say.
    public var processor: String
    /// Processors that this process may use.
    public var processors: Int
    /// In bytes.
    public var memory: UInt64

    /// This machine.
    public static var current: MachineDescription {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        #if arch(x86_64)
            let architecture = "x86_64"
        #else
            let architecture = "arm64"
        #endif
        return MachineDescription(
            processor: name.map { $0.trimmingCharacters(in: .whitespaces) } ?? architecture,
            processors: ProcessInfo.processInfo.activeProcessorCount, memory: ProcessInfo.processInfo.physicalMemory)
    }
}

/// What the system tells of this process.
enum ProcessFigures {
    /// The largest resident memory so far, in bytes.
    static var peakMemory: Int? {
        // Not `getrusage`: that counts the memory of the process which started this one, too.
        let lines = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n")
        let words = lines?.first { $0.hasPrefix("VmHWM:") }?.split(whereSeparator: \.isWhitespace)
        return words?.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    /// Seconds since the process was started.
    static var age: Double? {
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8)
        else { return nil }
        // The name of the program, in parentheses, may have anything in it.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 19, let ticks = Double(fields[19]),
            let now = uptime.split(separator: " ").first.flatMap({ Double($0) })
        else { return nil }
        return now - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
