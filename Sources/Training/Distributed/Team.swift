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
    ///   - secret: what they share and nobody else has.
    ///   - timeout: the seconds that a process waits for the others, here and later, until it ends because of them.
    ///   - device: what this process computes on.
    ///   - report: is told what this process waits for when it has waited for 5 s, or a quarter of a shorter `timeout`;
    ///     on another thread.
    /// - Throws: `TeamError`.
    public init(
        _ launch: Launch, secret: TeamSecret, timeout: Double, device: Device = .cpu,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        self.launch = launch
        self.timeout = timeout
        rank = launch.rank
        size = launch.size
        silence = min(5 * Heartbeat.interval, timeout / 4)
        inquiry = min(4 * silence, timeout / 2)
        let (name, first) = ("rank \(launch.rank) of \(launch.size)", min(5, timeout / 4))
        let notice = WaitingNotice(after: first) { report("\(name) \($0)") }
        defer { notice.end() }
        try Team.checkInterfaces()
        let place = try Team.findPlace(launch, timeout: timeout, notice: notice)
        notice.begin("the processes' meeting place, \(Team.name(of: launch)), takes connections and doesn't answer")
        meeting = try Team.meet(launch, place, serves: true, secret, timeout: timeout)
        heartbeat = Heartbeat(try Team.meet(launch, place, serves: false, secret, timeout: timeout), rank: rank)
        processesHere = try Team.gather(meeting, launch, timeout: timeout, notice: notice)
        notice.begin(
            "all have come, but not every one is connected to all others, this one at "
                + "\(place.ownAddress ?? "the address of GLOO_SOCKET_IFNAME or of the machine's name"); is a firewall "
                + "between, or has GLOO_SOCKET_IFNAME to name a network that they share?")
        connected = try Team.connect(meeting, launch, place, device, timeout: timeout, patience: timeout - inquiry)
        // All have come, each with all its connections.
        meeting.store.closeDoor()
    }

    // MARK: - Meeting

    /// Where a process connects to the store.
    private struct Place: Sendable {
        let host: String
        /// For the one that serves it, a socket that is bound there.
        var listener: Int32?
        /// This machine's address by which others reach it as this process reaches the store; nil where the machine's
        /// loopback is all that is known.
        let ownAddress: String?
    }

    private static func findPlace(_ launch: Launch, timeout: Double, notice: WaitingNotice) throws -> Place {
        let endpoint = Endpoint(host: launch.host, port: launch.port)
        notice.begin("the address of the host \(launch.host) is asked for, and no answer comes")
        if launch.rank == 0, !launch.launcherServesStore {
            let listening = Endpoint(host: launch.listenHost ?? launch.host, port: launch.port)
            let (socket, host) = try listening.bind(everyProcessIsHere: launch.localSize == launch.size)
            let isReached = listening.isLoopbackByName || !Endpoint.isLoopback(host)
            return Place(host: host, listener: socket, ownAddress: isReached ? gloo(host) : nil)
        }
        let addresses = try endpoint.addresses()
        notice.begin("the processes' meeting place, \(name(of: launch)), takes no connection yet")
        let deadline = ContinuousClock.now + .seconds(timeout)
        var pause = 0.02
        while true {
            switch endpoint.connect(to: addresses, within: min(2, timeout)) {
            case .success(let own):
                let isReached = endpoint.isLoopbackByName || !own.isLoopback
                return Place(host: launch.host, ownAddress: isReached ? gloo(own.text) : nil)
            case .failure(let reason):
                notice.update(
                    "no connection to the processes' meeting place, \(name(of: launch)), comes about: \(reason); check "
                        + "whether " + (launch.launcherServesStore ? "the launcher runs there" : "rank 0 is started there")
                        + ", and whether MASTER_ADDR and MASTER_PORT are right" + slurmHint(launch))
            }
            guard ContinuousClock.now + .seconds(pause) < deadline else {
                throw TeamError.unreachable(host: launch.host, port: launch.port, seconds: timeout)
            }
            Thread.sleep(forTimeInterval: pause)
            pause = min(1, 1.5 * pause)
        }
    }

    /// The network interfaces that the user has chosen for Gloo; none where it is left to this program.
    private static var interfaces: [String] {
        ProcessInfo.processInfo.environment["GLOO_SOCKET_IFNAME"].map {
            $0.split(separator: ",").map(String.init)
        } ?? []
    }

    private static func checkInterfaces() throws {
        for name in interfaces where if_nametoindex(name) == 0 { throw TeamError.unknownInterface(name) }
    }

    /// The address at which Gloo listens: nil leaves the choice to the variable.
    private static func gloo(_ address: String) -> String? { interfaces.isEmpty ? address : nil }

    private static func name(of launch: Launch) -> String { "port \(launch.port) of \(launch.host)" }

    private static func slurmHint(_ launch: Launch) -> String {
        launch.isSlurmStep
            ? ". Slurm's variables say that this is task \(launch.rank) of a step of \(launch.size) tasks: start all "
                + "with `srun camtl …`; for one process alone, unset SLURM_PROCID" : ""
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

    private static func meet(
        _ launch: Launch, _ place: Place, serves: Bool, _ secret: TeamSecret, timeout: Double
    ) throws -> Meeting {
        let unreachable = TeamError.unreachable(host: launch.host, port: launch.port, seconds: timeout)
        do {
            let store = try answer(within: timeout, or: unreachable) {
                try KeyValueStore(
                    host: place.host, port: launch.port, listener: serves ? place.listener : nil, timeout: timeout)
            }
            return try Meeting(store, restarts: launch.restarts, secret: secret)
        } catch is TorchError {
            throw unreachable
        }
    }

    /// Waits for all to have come; how many of them are on this machine.
    private static func gather(
        _ meeting: Meeting, _ launch: Launch, timeout: Double, notice: WaitingNotice
    ) throws -> Int {
        // The last look at who has come asks for each, and may begin when the time is nearly over.
        let lastLook = Double(launch.size) / 5000
        do {
            return try answer(within: timeout + lastLook, or: storeLost(launch)) {
                try countOfThoseHere(meeting, launch, timeout: timeout, notice: notice)
            }
        } catch is TorchError {
            throw storeLost(launch)
        } catch is ForgedValue {
            throw forgedValue(launch)
        }
    }

    /// What a process says of itself where they meet.
    private struct Presence {
        let size: Int
        let machine: String

        init(size: Int, machine: String) { (self.size, self.machine) = (size, machine) }

        init(_ text: String) {
            let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            size = parts.count == 3 ? Int(parts[1]) ?? 0 : 0
            machine = parts.last.map(String.init) ?? ""
        }

        /// Another one for each process, so that the second of a rank is noticed.
        var text: String { "\(UUID().uuidString) \(size) \(machine)" }
    }

    private static func countOfThoseHere(
        _ meeting: Meeting, _ launch: Launch, timeout: Double, notice: WaitingNotice
    ) throws -> Int {
        let own = Presence(size: launch.size, machine: ProcessInfo.processInfo.hostName)
        notice.begin("the processes' meeting place, \(name(of: launch)), doesn't answer")
        try meeting.knock(rank: launch.rank)
        guard try meeting.claim("here", launch.rank, own.text) else { throw TeamError.sameRank(launch.rank) }
        let deadline = ContinuousClock.now + .seconds(timeout)
        let pause = 0.05
        var (strangers, look): ([Int], Int) = ([], 0)
        while true {
            let here = try meeting.values("here", size: launch.size).mapValues { Presence($0) }
            for (rank, other) in here.sorted(by: { $0.key < $1.key }) where other.size != launch.size {
                // The other is to find it out, too, before the store ends.
                Thread.sleep(forTimeInterval: launch.rank == 0 ? 10 * pause : 0)
                throw TeamError.disagreement(
                    rank: rank,
                    differences: ["WORLD_SIZE is \(other.size), and \(launch.size) for rank \(launch.rank)"])
            }
            if here.count == launch.size { return here.values.count { $0.machine == own.machine } }
            let missing = (0..<launch.size).filter { here[$0] == nil }
            // The first that gives up says it to all, and they end together, before the store does.
            let isOver = try ContinuousClock.now >= deadline || meeting.store.has(meeting.key("over", 0))
            // Each is asked after, so not every time.
            if isOver || look % 20 == 0 { strangers = try meeting.strangers(among: missing) }
            look += 1
            notice.update(waiting(for: missing, strangers, launch))
            if isOver {
                try meeting.set("over", 0, "")
                Thread.sleep(forTimeInterval: launch.rank == 0 ? 10 * pause : 0)
                if !strangers.isEmpty { throw TeamError.otherSecret(ranks: strangers, size: launch.size) }
                throw TeamError.absent(ranks: missing, size: launch.size, seconds: timeout)
            }
            Thread.sleep(forTimeInterval: pause)
        }
    }

    private static func waiting(for missing: [Int], _ strangers: [Int], _ launch: Launch) -> String {
        let names = TeamError.names(missing)
        let verb = missing.count == 1 ? "has" : "have"
        let secrets = strangers.isEmpty ? "" : "; \(TeamError.names(strangers)) came with another CAMTL_TEAM_SECRET"
        return "\(names) of \(launch.size) \(verb) not come to \(name(of: launch)) yet\(secrets)" + slurmHint(launch)
    }

    /// The connections between the processes, all of which are there when this returns.
    private static func connect(
        _ meeting: Meeting, _ launch: Launch, _ place: Place, _ device: Device, timeout: Double, patience: Double
    ) throws -> ProcessGroup {
        // Who waited in vain then has the rest of the time to find out for whom.
        do {
            return try answer(within: timeout, or: storeLost(launch)) {
                let group = try ProcessGroup(
                    meeting.store, name: meeting.prefix, address: place.ownAddress, rank: launch.rank,
                    size: launch.size, timeout: patience, device: device)
                _ = try group.sums([0.0])
                return group
            }
        } catch let error as TorchError {
            if error.isOfForgedValue { throw forgedValue(launch) }
            throw TeamError.exchangeFailed(error.description)
        }
    }

    private static func forgedValue(_ launch: Launch) -> TeamError {
        .forgedValue(host: launch.host, port: launch.port)
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
        } catch is ForgedValue {
            throw Team.forgedValue(launch)
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
        let forged = Team.forgedValue(launch)
        let reason = try? result(within: inquiry) { () throws -> TeamError in
            let before, after: [Int: (beats: Int, exchanges: Int)]
            let notes: [Int: String]
            do {
                before = try Heartbeat.read(meeting, size: size)
                Thread.sleep(forTimeInterval: silence)
                after = try Heartbeat.read(meeting, size: size)
                notes = try meeting.values("left", size: size)
            } catch is ForgedValue {
                return forged
            }
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
