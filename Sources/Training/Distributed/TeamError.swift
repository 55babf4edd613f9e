/// Why several processes can't compute together, or no longer can.
public enum TeamError: Error, Equatable, CustomStringConvertible, Sendable {
    case unreachable(host: String, port: UInt16, seconds: Double)
    case portInUse(UInt16)
    /// A host's name has no address.
    case unknownHost(String, reason: String)
    /// Rank 0 is to serve at addresses of which none is its machine's.
    case addressElsewhere(String, addresses: [String])
    case unknownInterface(String)
    case cannotListen(host: String, port: UInt16, reason: String)
    /// Not all have come.
    case absent(ranks: [Int], size: Int, seconds: Double)
    /// Some have not come, but processes of their ranks have, with another secret.
    case otherSecret(ranks: [Int], size: Int)
    case sameRank(Int)
    /// The store has a value that none of the processes has set.
    case forgedValue(host: String, port: UInt16)
    /// A process would compute something else than rank 0.
    case disagreement(rank: Int, differences: [String])
    /// A process has ended with an error of its own.
    case ended(rank: Int, message: String)
    /// Processes have given no sign of life for some time.
    case silent(ranks: [Int])
    /// Processes live, but haven't come to an exchange that the others wait at.
    case behind(ranks: [Int], seconds: Double)
    /// The process that serves the store, or the launcher that does, is not there any more.
    case storeLost(host: String, port: UInt16)
    case exchangeFailed(String)

    public var description: String {
        switch self {
        case .unreachable(let host, let port, let seconds):
            "the processes' meeting place, port \(port) of \(host), could not be reached within \(text(seconds)): "
                + "check that rank 0 is started there, that MASTER_ADDR and MASTER_PORT are right, and that no "
                + "firewall is between"
        case .portInUse(let port):
            "port \(port) is in use on this machine, and rank 0 is to serve it: set another MASTER_PORT for all "
                + "processes"
        case .unknownHost(let host, let reason):
            "the host \(host), where the processes are to meet, has no known address: \(reason): check MASTER_ADDR, "
                + "and CAMTL_LISTEN_ADDR if it is set"
        case .addressElsewhere(let host, let addresses):
            "rank 0 is to listen at \(host), but \(addresses.joined(separator: " and ")) is no address of "
                + "this machine: set MASTER_ADDR to rank 0's for all processes; where the others reach this machine under an "
                + "address that it doesn't have itself, set CAMTL_LISTEN_ADDR for rank 0, to one of its own or to 0.0.0.0"
        case .unknownInterface(let name):
            "GLOO_SOCKET_IFNAME names the network interface \(name), which this machine doesn't have: give one that "
                + "`ip link` lists, or unset it"
        case .cannotListen(let host, let port, let reason):
            "rank 0 cannot listen at port \(port) of \(host): \(reason): set another MASTER_PORT for all processes"
        case .otherSecret(let ranks, let size):
            "\(names(ranks)) of \(size) came with another CAMTL_TEAM_SECRET, or as a part of another run: give all "
                + "processes the same, or none"
        case .forgedValue(let host, let port):
            "at port \(port) of \(host), where the processes meet, something has been changed by none of them: other "
                + "programs reach that port; \(hint), on a network that is yours alone"
        case .absent(let ranks, let size, let seconds):
            "\(names(ranks)) of \(size) did not come within \(text(seconds)): check that all processes are started, or "
                + "give them more time with --ddp_timeout"
        case .sameRank(let rank):
            "another process is rank \(rank), too: give each process a RANK of its own, from 0 on"
        case .disagreement(let rank, let differences):
            "rank \(rank) has other settings or data than rank 0: "
                + differences.joined(separator: "; ") + "; start all processes with the same"
        case .ended(let rank, let message): "rank \(rank) has ended: \(message)"
        case .silent(let ranks):
            "\(names(ranks)) \(ranks.count == 1 ? "has" : "have") died, or can't be reached: the others can't go on; "
                + hint
        case .behind(let ranks, let seconds):
            "\(names(ranks)) \(ranks.count == 1 ? "lives, but hasn't" : "live, but haven't") come to where the others "
                + "have waited for \(text(seconds)): the others can't go on; \(hint), or give a longer --ddp_timeout"
        case .storeLost(let host, let port):
            "the processes' meeting place, port \(port) of \(host), doesn't answer any more: rank 0 or the launcher "
                + "has died, or can't be reached; \(hint)"
        case .exchangeFailed(let reason): "an exchange between the processes failed: \(reason)"
        }
    }

    private var hint: String { "start all of them again with --resume_from_checkpoint" }

    private func names(_ ranks: [Int]) -> String { TeamError.names(ranks) }

    static func names(_ ranks: [Int]) -> String {
        if ranks.count == 1 { return "rank \(ranks[0])" }
        // Of thousands the first tell enough.
        let named = ranks.count > 10 ? 8 : ranks.count
        let list = ranks.prefix(named).map(String.init).joined(separator: ", ")
        return "ranks \(list)" + (named < ranks.count ? " and \(ranks.count - named) more" : "")
    }

    private func text(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
