import Foundation
import Torch

/// The processes that compute a run together, as one of them sees it.
///
/// All of them do the same things in the same order; rank 0 alone writes files and says what happens.
public final class Team {
    public let rank: Int
    public let size: Int
    /// How many of them run on this machine, this one included.
    public let processesHere: Int
    private var connected: ProcessGroup?
    private let launch: Launch
    /// Seconds that a process waits for the others.
    let timeout: Double
    /// Seconds without a sign of life after which a process counts as dead.
    private let silence: Double
    /// Seconds to find out who is to blame; the last of those that a process waits for the others.
    private let inquiry: Double
    private let meeting: Meeting
    private let heartbeat: Heartbeat
    /// Seconds beyond its time after which a call counts as one that never returns.
    private static let slack = 2.0

    /// Whether this is the process that writes.
    public var isFirst: Bool { rank == 0 }

    var share: Share { Share(rank: rank, size: size) }

    var group: ProcessGroup {
        guard let connected else { preconditionFailure("nothing is exchanged after leaving") }
        return connected
    }

    /// Waits for all the processes.
    ///
    /// - Parameters:
    ///   - launch: who they are.
    ///   - timeout: the seconds that a process waits for the others, here and later, until it ends because of them.
    ///   - device: what this process computes on.
    /// - Throws: `TeamError`.
    public init(_ launch: Launch, timeout: Double, device: Device = .cpu) throws {
        self.launch = launch
        self.timeout = timeout
        rank = launch.rank
        size = launch.size
        silence = min(5 * Heartbeat.interval, timeout / 4)
        inquiry = min(4 * silence, timeout / 2)
        let serves = rank == 0 && !launch.launcherServesStore
        meeting = try Team.meet(launch, serves: serves, timeout: timeout)
        heartbeat = Heartbeat(try Team.meet(launch, serves: false, timeout: timeout), rank: rank)
        processesHere = try Team.gather(meeting, launch, timeout: timeout)
        // Who waited in vain then has the rest of the time to find out for whom.
        let patience = timeout - inquiry
        let (store, name, rank, size) = (meeting.store, meeting.prefix, rank, size)
        do {
            connected = try Team.answer(within: timeout, or: Team.storeLost(launch)) {
                try ProcessGroup(store, name: name, rank: rank, size: size, timeout: patience, device: device)
            }
        } catch let error as TorchError {
            throw TeamError.exchangeFailed(error.description)
        }
    }

    /// What `body` gives that asks the store. c10d waits without limit for an answer to most of what it asks, and a
    /// process that is stopped answers nothing, though its connections stay, and new ones are taken.
    ///
    /// - Throws: what `body` throws; `silence` where it has not ended after `seconds` and some slack.
    private static func answer<Value: Sendable>(
        within seconds: Double, or silence: TeamError, _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        guard let value = try result(within: seconds + slack, body) else { throw silence }
        return value
    }

    private static func storeLost(_ launch: Launch) -> TeamError { .storeLost(host: launch.host, port: launch.port) }

    private static func meet(_ launch: Launch, serves: Bool, timeout: Double) throws -> Meeting {
        let unreachable = TeamError.unreachable(host: launch.host, port: launch.port, seconds: timeout)
        do {
            let store = try answer(within: timeout, or: unreachable) {
                try KeyValueStore(host: launch.host, port: launch.port, serves: serves, timeout: timeout)
            }
            return Meeting(store: store, prefix: "camtl/\(launch.restarts)")
        } catch let error as TorchError {
            throw error.description.contains("EADDRINUSE") ? TeamError.portInUse(launch.port) : unreachable
        }
    }

    /// Waits for all to have come; how many of them are on this machine.
    private static func gather(_ meeting: Meeting, _ launch: Launch, timeout: Double) throws -> Int {
        // The last look at who has come asks for each, and may begin when the time is nearly over.
        let lastLook = Double(launch.size) / 5000
        do {
            return try answer(within: timeout + lastLook, or: storeLost(launch)) {
                try countOfThoseHere(meeting, launch, timeout: timeout)
            }
        } catch is TorchError {
            throw storeLost(launch)
        }
    }

    private static func countOfThoseHere(_ meeting: Meeting, _ launch: Launch, timeout: Double) throws -> Int {
        guard try meeting.store.increment(meeting.key("count", launch.rank)) == 1 else {
            throw TeamError.sameRank(launch.rank)
        }
        let name = ProcessInfo.processInfo.hostName
        try meeting.set("here", launch.rank, name)
        let deadline = ContinuousClock.now + .seconds(timeout)
        let pause = 0.05
        while true {
            let names = try meeting.values("here", size: launch.size)
            if names.count == launch.size { return names.values.count { $0 == name } }
            // The first that gives up says it to all, and they end together, before the store does.
            let isOver = try ContinuousClock.now >= deadline || meeting.store.has(meeting.key("over", 0))
            if isOver {
                try meeting.set("over", 0, "")
                Thread.sleep(forTimeInterval: launch.rank == 0 ? 10 * pause : 0)
                throw TeamError.absent(
                    ranks: (0..<launch.size).filter { names[$0] == nil }, size: launch.size, seconds: timeout)
            }
            Thread.sleep(forTimeInterval: pause)
        }
    }

    // MARK: - Exchanges

    /// The sums over the processes of numbers of which each has as many.
    func sums<Element: TensorElement>(_ values: [Element]) throws -> [Element] {
        try exchange { try group.sums(values) }
    }

    /// Returns when all have come here.
    func meet() throws { _ = try sums([0.0]) }

    /// Rank 0 does something, and when it is done all others do, too: what it leaves in a folder that they see, they
    /// find.
    func firstThenOthers<Value>(_ body: () throws -> Value) throws -> Value {
        if !isFirst { try meet() }
        let value = try body()
        if isFirst { try meet() }
        return value
    }

    /// What rank 0 says, for all.
    func told(_ name: String, _ value: () throws -> String) throws -> String {
        if isFirst { try meeting.set(name, 0, value()) }
        try meet()
        return try exchange { try meeting.value(name, 0, timeout: timeout) }
    }

    /// Runs what exchanges something with the other processes.
    ///
    /// - Throws: `TeamError` where it fails because of another process, which the error names.
    func exchange<Value>(_ body: () throws -> Value) throws -> Value {
        heartbeat.beginExchange()
        return try blaming(body)
    }

    private func blaming<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as TorchError {
            throw reason(of: error)
        }
    }

    /// Waits for numbers of a device that may have an exchange to finish before.
    ///
    /// - Throws: `TeamError` where that fails because of another process, which the error names.
    func read(_ readback: Readback) throws -> Tensor { try blaming { try readback.tensor(timeout: timeout) } }

    /// Checks that all processes are about to compute the same.
    ///
    /// - Throws: `TeamError.disagreement`, in all of them.
    func checkAgreement(_ identity: [String: String]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let own = String(decoding: try encoder.encode(identity), as: UTF8.self)
        let all = try exchange {
            try meeting.set("identity", rank, own)
            // A process that can't come here is noticed here, and not by a key that is never set.
            _ = try group.sums([0.0])
            return try (0..<size).map { try meeting.value("identity", $0, timeout: timeout) }
        }
        let identities = try all.map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
        for (rank, other) in identities.enumerated() where other != identities[0] {
            let names = Set(identities[0].keys).union(other.keys).sorted()
            throw TeamError.disagreement(
                rank: rank,
                differences: names.filter { identities[0][$0] != other[$0] }.map {
                    "\($0) is \(other[$0] ?? "-"), and \(identities[0][$0] ?? "-") for rank 0"
                })
        }
    }

    // MARK: - The end

    /// Tells the others that this process ends, and why if it ends before its work does. The process that serves the
    /// store then waits for those that may still read there.
    public func leave(because error: (any Error)? = nil) {
        let note =
            switch error {
            case nil: "done"
            case let error as TeamError: "because of others: \(error)"
            case let error?: "error: \(error)"
            }
        let (meeting, rank, size) = (meeting, rank, size)
        var isAlone = false
        if case .storeLost? = error as? TeamError { isAlone = true }
        if !isAlone {
            _ = try? result(within: silence) {
                if let error { try meeting.end(because: error, rank: rank) }
                try meeting.set("left", rank, note)
            }
        }
        if error is TeamError {
            // The exchange that failed may still be under way on other threads: it is left to the end of the process.
            _ = connected.map(Unmanaged.passRetained)
        }
        // Others that wait for this process see the connection end, and look for the note.
        connected = nil
        if isFirst, !launch.launcherServesStore {
            let dead = if case .silent(let ranks)? = error as? TeamError { ranks.count } else { 0 }
            let patience = error == nil ? min(timeout, 60) : 3 * silence
            _ = try? result(within: patience) {
                while try meeting.values("left", size: size).count < size - dead {
                    Thread.sleep(forTimeInterval: 0.05)
                }
            }
        }
        heartbeat.stop()
    }

    /// Which process is to blame for a failed exchange.
    private func reason(of error: TorchError) -> TeamError {
        let (meeting, rank, size, timeout, silence) = (meeting, rank, size, timeout, silence)
        let reason = try? result(within: inquiry) { () throws -> TeamError in
            let before = try Heartbeat.read(meeting, size: size)
            Thread.sleep(forTimeInterval: silence)
            let after = try Heartbeat.read(meeting, size: size)
            let notes = try meeting.values("left", size: size)
            for (other, note) in notes.sorted(by: { $0.key < $1.key }) where note.hasPrefix("error: ") {
                return .ended(rank: other, message: String(note.dropFirst("error: ".count)))
            }
            let others = (0..<size).filter { $0 != rank && notes[$0] == nil }
            let silent = others.filter { before[$0]?.beats == after[$0]?.beats }
            if !silent.isEmpty { return .silent(ranks: silent) }
            let furthest = after.values.map(\.exchanges).max() ?? 0
            let behind = others.filter { after[$0].map(\.exchanges) ?? 0 < furthest }
            if !behind.isEmpty { return .behind(ranks: behind, seconds: timeout) }
            // One that has gone because of a third says which.
            return .exchangeFailed(try meeting.ending() ?? error.description)
        }
        if let reason { return reason }
        // The process that served the store may have ended because of a third, before this one noticed anything.
        return heartbeat.ending.map(TeamError.exchangeFailed) ?? Team.storeLost(launch)
    }
}

extension Optional where Wrapped == Team {
    /// Whether files and messages are this process's to write: one alone writes, too.
    public var writes: Bool { self?.isFirst ?? true }
}

extension Team {
    /// Where this process's dropout begins in a batch, counted from 0 over the whole run. It depends on nothing that
    /// came before, so that a run goes on alike from a checkpoint, which keeps the place of one process alone.
    func dropoutPlace(batch: Int, seed: UInt64) -> RandomStreamPlace {
        // The CPU's stream needs an odd key. A batch takes far fewer counter values than these.
        RandomStreamPlace(
            key: RandomStream(seed: seed, purpose: "dropout of rank \(rank)").state | 1, counter: UInt64(batch) << 36)
    }
}
