import Foundation
import Synchronization
import Torch
import XCTest

/// Damages the files of a folder, one input after another, and has them read: each has to be refused with a message, or
/// read. Nothing may crash, hang, take memory without end, or come to other numbers in silence.
///
/// `make fuzz SECONDS=600 SEED=2` takes longer, over other damage. An input that breaks one of these rules is kept, in
/// ``kept``; of one that ends the process the file lies in the folder that is named before.
public final class DamagedFiles {
    /// What came of the inputs of a kind.
    private struct Counts { var inputs = 0, refused = 0, read = 0 }

    /// Where inputs are kept that broke a rule. It is made for the first of them.
    public let kept = FileManager.default.temporaryDirectory
        .appendingPathComponent("camtl-damaged-\(ProcessInfo.processInfo.processIdentifier)")

    private let seconds: Double
    private let seed: UInt64
    private let memory = Memory.now()
    private var reportsMemory = true

    /// Bytes of memory beyond those at the start that reading files as small as these never takes.
    private static let memoryLimit = 1 << 30
    /// Of each kind, however short the time is.
    private static let fewestInputs = 20

    /// - Parameters:
    ///   - share: of the seconds that `make fuzz` is given for all test classes, and which are about 20 in `make test`.
    public init(share: Double) {
        func number(_ name: String) -> UInt32? { ProcessInfo.processInfo.environment[name].flatMap(UInt32.init) }
        seconds = share * (number("CAMTL_FUZZ_SECONDS").map(Double.init) ?? 20)
        seed = number("CAMTL_FUZZ_SEED").map(UInt64.init) ?? 1
    }

    /// Damages the files of a folder, one at a time, for a share of the time.
    ///
    /// - Parameters:
    ///   - kind: named in the report.
    ///   - folder: what is damaged; it is whole again at each input.
    ///   - names: the files that are damaged.
    ///   - share: of the time of this object.
    ///   - readsWhole: whether what `read` reads is accepted before it is damaged.
    ///   - damage: what becomes of a file's content.
    ///   - read: reads the folder as a user's run would; what came out otherwise than of the whole file, where that is
    ///     known, or nil if it was refused.
    public func damage(
        _ kind: String, _ folder: URL, _ names: [String], share: Double, readsWhole: Bool = true,
        by damage: (Data, inout RandomStream) -> Data = Damage.make, _ read: () throws -> [String]?
    ) throws {
        let whole = try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: folder.appendingPathComponent($0))) })
        // Else all would be refused, whatever the damage.
        if readsWhole { XCTAssertEqual(try read(), [], "\(kind): what is whole has to be read") }
        say("\(kind): the damaged file is in \(folder.path)")
        let watch = Watchdog()
        defer { watch.stop() }
        var counts = Counts()
        let start = ContinuousClock.now
        while (ContinuousClock.now - start) / .seconds(1) < seconds * share || counts.inputs < Self.fewestInputs {
            var random = RandomStream(seed: seed, purpose: "\(kind) \(counts.inputs)")
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            guard let content = whole[name] else { continue }
            let url = folder.appendingPathComponent(name)
            let damaged = damage(content, &random)
            try damaged.write(to: url)
            let input = "\(kind) \(counts.inputs)"
            watch.begin(input) { [kept] in DamagedFiles.keep(damaged, of: input, name, in: kept) }
            for problem in problems(&counts, read) {
                fail("\(input) of seed \(seed): \(problem)", damaged, input, name)
            }
            watch.end()
            counts.inputs += 1
            try content.write(to: url)
        }
        let now = Memory.now()
        say(
            "\(kind): \(counts.inputs) inputs of seed \(seed), \(counts.refused) refused, \(counts.read) read; "
                + "\(now.peak >> 20) MB of memory at the most, \(memory.peak >> 20) at the start")
    }

    /// Reads an input and counts what came of it; what is wrong with that.
    private func problems(_ counts: inout Counts, _ read: () throws -> [String]?) -> [String] {
        var problems: [String] = []
        do {
            if let differences = try read() {
                counts.read += 1
                if !differences.isEmpty { problems.append("no message, and \(differences.joined(separator: "; "))") }
            } else {
                counts.refused += 1
            }
        } catch {
            counts.refused += 1
            if let problem = Self.problem(withMessage: error) { problems.append(problem) }
        }
        let rise = Memory.now().rise(over: memory)
        if rise > Self.memoryLimit, reportsMemory {
            // A maximum never falls again: the others are not to blame.
            reportsMemory = false
            problems.append("it took \(rise >> 20) MB of memory")
        }
        return problems
    }

    /// What makes an error no message to a user.
    private static func problem(withMessage error: any Error) -> String? {
        let text = "\(error)"
        if text.isEmpty { return "a message without a text" }
        guard error is any CustomStringConvertible, !text.contains("Error Domain") else { return "no message but \(text)" }
        return nil
    }

    private func fail(_ text: String, _ content: Data, _ input: String, _ name: String) {
        Self.keep(content, of: input, name, in: kept)
        XCTFail("\(text); the file is in \(kept.path)")
    }

    private static func keep(_ content: Data, of input: String, _ name: String, in folder: URL) {
        let place = folder.appendingPathComponent(input.replacingOccurrences(of: "/", with: " "))
        try? FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        try? content.write(to: place.appendingPathComponent(name))
    }

    /// Says something at once, also if the process is about to end by a signal.
    private func say(_ text: String) {
        print("camtl: \(text)")
        fflush(nil)
    }
}

/// The most memory that this process had so far, and the largest of those that it started and that have ended.
private struct Memory {
    let own: Int
    let ofChildren: Int

    var peak: Int { max(own, ofChildren) }

    static func now() -> Memory {
        func peak(_ who: __rusage_who) -> Int {
            var usage = rusage()
            // In kilobytes on Linux.
            return getrusage(__rusage_who_t(who.rawValue), &usage) == 0 ? usage.ru_maxrss << 10 : 0
        }
        return Memory(own: peak(RUSAGE_SELF), ofChildren: peak(RUSAGE_CHILDREN))
    }

    func rise(over start: Memory) -> Int {
        // A process that is started begins with no more than this one has.
        max(own - start.own, ofChildren - max(start.own, start.ofChildren))
    }
}

/// Ends the process when an input takes too long, and says which.
private final class Watchdog: Sendable {
    private struct Input {
        var name: String
        var start: ContinuousClock.Instant
        var keep: @Sendable () -> Void
    }

    private struct State {
        var input: Input?
        var isStopped = false
    }

    private static let patience = Duration.seconds(30)
    private let state = Mutex(State())

    init() {
        Thread.detachNewThread {
            while !self.state.withLock(\.isStopped) {
                Thread.sleep(forTimeInterval: 0.5)
                let late = self.state.withLock { state in
                    state.input.flatMap { ContinuousClock.now - $0.start > Watchdog.patience ? $0 : nil }
                }
                if let late {
                    late.keep()
                    fatalError("\(late.name) takes more than 30 seconds")
                }
            }
        }
    }

    func begin(_ name: String, keep: @escaping @Sendable () -> Void) {
        state.withLock { $0.input = Input(name: name, start: .now, keep: keep) }
    }

    func end() { state.withLock { $0.input = nil } }
    func stop() { state.withLock { $0 = State(isStopped: true) } }
}
