import Foundation

/// What a launcher says of the processes it started: who this one is, and where they meet.
public struct Launch: Sendable, Equatable {
    /// This process's number, from 0, among `size`.
    public var rank: Int
    public var size: Int
    /// Where rank 0 serves the store that they meet at.
    public var host: String
    public var port: UInt16
    /// Whether the launcher serves that store itself.
    public var launcherServesStore = false
    /// How often the launcher has started all processes anew.
    public var restarts = 0
    /// This process's number, from 0, among those on its machine; nil where nobody says.
    public var localRank: Int?
    /// How many there are on its machine; nil where nobody says.
    public var localSize: Int?
    /// Whether they are the tasks of a step of Slurm's, which a program started by hand in one may wait for in vain.
    public var isSlurmStep = false
    /// Where rank 0 listens, if not at `host`: an address of its machine, or `0.0.0.0` or `::` for all of them.
    public var listenHost: String?

    /// Reads what `torchrun` and others that set `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` say, or else
    /// Slurm's `srun`.
    ///
    /// - Parameters:
    ///   - environment: the process's.
    ///   - localRank: what `torch.distributed.launch` gives as `--local_rank`; -1 if it isn't given.
    /// - Returns: nil where no launcher has started the process, or it has started this one alone.
    /// - Throws: `LaunchError` where the launcher's variables don't fit together.
    public static func find(_ environment: [String: String], localRank: Int = -1) throws -> Launch? {
        let variables = LaunchVariables(environment)
        // A process alone meets nobody, and those that Slurm has started beside it are runs of their own.
        if try variables.isAlone() { return nil }
        if var launch = try variables.byRank() ?? variables.bySlurm() {
            if launch.localRank == nil, localRank >= 0 { launch.localRank = localRank }
            launch.listenHost = environment["CAMTL_LISTEN_ADDR"].flatMap { $0.isEmpty ? nil : $0 }
            return launch
        }
        if localRank >= 0 { throw LaunchError.onlyLocalRank(localRank) }
        return nil
    }

    /// How often a launcher has started this process anew: torchrun within a job, or Slurm the whole job, whether it
    /// has several processes or one.
    ///
    /// - Parameter environment: the process's.
    /// - Throws: `LaunchError` where a launcher's variable is no number.
    public static func restarts(_ environment: [String: String]) throws -> Int {
        try LaunchVariables(environment).restarts()
    }
}

/// What is wrong with how processes were launched.
public enum LaunchError: Error, Equatable, CustomStringConvertible, Sendable {
    case missing(variable: String, beside: String)
    case badValue(variable: String, value: String, wanted: String)
    case onlyLocalRank(Int)
    case shortSecret(variable: String, count: Int, least: Int)

    public var description: String {
        switch self {
        case .missing(let variable, let other):
            "\(other) is set, so this is one of several processes, but \(variable) is not set: start them with "
                + "torchrun or srun, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT for each"
        case .badValue(let variable, let value, let wanted):
            "the variable \(variable) is \"\(value)\"; it has to be \(wanted)"
        case .onlyLocalRank(let rank):
            "--local_rank \(rank) says that this is one of several processes, but RANK, WORLD_SIZE, MASTER_ADDR and "
                + "MASTER_PORT are not set: start them with torchrun, or leave it at -1"
        case .shortSecret(let variable, let count, let least):
            "the variable \(variable) has \(count) bytes; a secret has \(least) or more, as "
                + "`openssl rand -hex 16` makes them; set the same for all processes, or unset it"
        }
    }
}

/// An environment, as launchers set it.
private struct LaunchVariables {
    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    /// Whether a launcher that numbers its processes has started this one and no other.
    func isAlone() throws -> Bool { try size("WORLD_SIZE") == 1 && number("RANK", from: 0, below: 1) != nil }

    func byRank() throws -> Launch? {
        let size = try size("WORLD_SIZE")
        guard environment["RANK"] != nil || size ?? 1 > 1 else { return nil }
        guard let size else { throw LaunchError.missing(variable: "WORLD_SIZE", beside: "RANK") }
        guard let rank = try number("RANK", from: 0, below: size) else {
            throw LaunchError.missing(variable: "RANK", beside: "WORLD_SIZE")
        }
        guard let host else {
            throw LaunchError.missing(variable: "MASTER_ADDR", beside: "RANK")
        }
        guard let port = try port() else { throw LaunchError.missing(variable: "MASTER_PORT", beside: "RANK") }
        return Launch(
            rank: rank, size: size, host: host, port: port,
            launcherServesStore: environment["TORCHELASTIC_USE_AGENT_STORE"] == "True",
            restarts: try restarts(), localRank: try number("LOCAL_RANK", from: 0),
            localSize: try number("LOCAL_WORLD_SIZE", from: 1))
    }

    /// A step of Slurm's with several tasks. A batch script itself has a task's number, too, but is no task of a step.
    func bySlurm() throws -> Launch? {
        let isStep = environment["SLURM_STEP_NUM_TASKS"] != nil
        let sizeName = isStep ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS"
        guard isStep || environment["ENVIRONMENT"] != "BATCH", environment["SLURM_PROCID"] != nil,
            let size = try size(sizeName), size > 1,
            let rank = try number("SLURM_PROCID", from: 0, below: size)
        else { return nil }
        let nodes = ["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"].compactMap { environment[$0] }.first
        guard let host = host ?? nodes.map(firstNode) else {
            throw LaunchError.missing(variable: "SLURM_STEP_NODELIST", beside: "SLURM_PROCID")
        }
        // Jobs that share a node need ports of their own; every task knows the job's number.
        let job = try number("SLURM_JOB_ID", from: 0) ?? 0
        return Launch(
            rank: rank, size: size, host: host, port: try port() ?? UInt16(20_000 + job % 20_000),
            restarts: try restarts(), localRank: try number("SLURM_LOCALID", from: 0), isSlurmStep: true)
    }

    func restarts() throws -> Int {
        try ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"].map { try number($0, from: 0) ?? 0 }.reduce(0, +)
    }

    /// How many processes there are. Each is asked after in turn, which for a number beyond any use would take hours.
    private func size(_ name: String) throws -> Int? { try number(name, from: 1, below: 65_537) }

    private var host: String? { environment["MASTER_ADDR"].flatMap { $0.isEmpty ? nil : $0 } }

    private func port() throws -> UInt16? {
        try number("MASTER_PORT", from: 1, below: 65_536).map(UInt16.init)
    }

    /// Beyond any number of a job, a process or a restart, and far enough from where counting ends.
    private static let highest = 1 << 53

    private func number(_ name: String, from least: Int, below limit: Int = highest) throws -> Int? {
        guard let text = environment[name] else { return nil }
        guard let value = Int(text), value >= least, value < limit else {
            throw LaunchError.badValue(
                variable: name, value: text,
                wanted: "a whole number from \(least) \(limit == Self.highest ? "on" : "to \(limit - 1)")")
        }
        return value
    }
}

/// The first of a list of nodes as Slurm writes it: `gpu[07-09,12],login1` is of gpu07, gpu08, gpu09, gpu12 and login1.
func firstNode(_ list: String) -> String {
    var name = ""
    var isInBrackets = false
    var isAfterFirst = false
    for character in list {
        switch character {
        case "[": (isInBrackets, isAfterFirst) = (true, false)
        case "]": isInBrackets = false
        case ",", "-":
            if isInBrackets {
                isAfterFirst = true
            } else if character == "," {
                return name
            } else {
                name.append(character)
            }
        default: if !isInBrackets || !isAfterFirst { name.append(character) }
        }
    }
    return name
}
