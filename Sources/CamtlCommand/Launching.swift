import ArgumentParser
import Foundation
import Torch
import Training

/// What becomes of a command that a launcher has started several of.
struct Launching {
    /// Seconds that a process waits for the others, if nothing else is asked for.
    static let timeout = 1800.0

    /// The processes; nil where there is one alone.
    let team: Team?
    /// What this one computes on.
    let device: Device
    /// What there is to warn of.
    let warnings: [String]

    /// Waits for the other processes, if there are any, and shares the machine's processors among those on it.
    ///
    /// Where they don't come together, the process ends with the reason.
    ///
    /// - Throws: `LaunchError`, `DeviceError`.
    init(
        allowsCUDA: Bool, localRank: Int = -1, timeout: Double = Launching.timeout, threads: Int? = nil
    ) throws {
        let environment = ProcessInfo.processInfo.environment
        let launch = try Launch.find(environment, localRank: localRank)
        let (device, warning) = try Device.choose(allowsCUDA: allowsCUDA, launch: launch)
        (self.device, warnings) = (device, warning.map { [$0] } ?? [])
        if launch != nil { Launching.raiseDescriptorLimit() }
        let members = try launch.map { (launch: $0, secret: try TeamSecret(environment)) }
        do {
            team = try members.map {
                try Team($0.launch, secret: $0.secret, timeout: timeout, device: device) { text in
                    writeToStandardError("camtl: \(text)\n")
                }
            }
        } catch {
            Launching.end(with: error)
        }
        if let threads {
            setThreadCount(threads)
        } else if let team, environment["OMP_NUM_THREADS"] == nil {
            // Slurm may have given each process cores of its own, or all of them the job's.
            let cores = environment["SLURM_CPUS_ON_NODE"].flatMap(Int.init) ?? threadCount
            setThreadCount(min(threadCount, max(1, cores / team.processesHere)))
        }
    }

    /// Takes as many descriptors as the system allows: rank 0 has two or three for each process, and what else connects
    /// to its ports takes some, too.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Runs `body`, and tells the other processes how it ended.
    func run(_ body: (Team?) throws -> Void) throws {
        do {
            try body(team)
            team?.leave()
        } catch {
            guard let team else { throw error }
            team.leave(because: error is ExitCode ? Stopped() : error)
            Launching.end(with: error)
        }
    }

    /// Ends the process at once: threads that a failed exchange still occupies use what an orderly end would tear down.
    private static func end(with error: any Error) -> Never {
        let message = CamtlCommand.fullMessage(for: error)
        if !message.isEmpty { writeToStandardError(message + "\n") }
        fflush(nil)
        _exit(CamtlCommand.exitCode(for: error).rawValue)
    }
}

/// What the other processes are told of one that a signal ended.
private struct Stopped: Error, CustomStringConvertible {
    let description = "it was stopped by a signal"
}
