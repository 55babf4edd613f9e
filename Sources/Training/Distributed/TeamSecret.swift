import Files
import Torch

/// What the processes of a team share, and others, who may reach the same port, do not.
public struct TeamSecret: Sendable {
    let seal: StoreSeal

    static let variable = "CAMTL_TEAM_SECRET"
    private static let leastByteCount = 16

    /// The variable's value where it is set. Else it comes from what a launcher calls the run, which keeps runs apart
    /// that meet at one port by mistake, and strangers who don't know this program; an attacker can find it out.
    ///
    /// Nothing goes into it that processes of one run may differ in by mistake: they are to meet, and be told what.
    ///
    /// - Throws: `LaunchError` where the variable's value is too short to be a secret.
    public init(_ environment: [String: String]) throws {
        if let value = environment[TeamSecret.variable] {
            guard value.utf8.count >= TeamSecret.leastByteCount else {
                throw LaunchError.shortSecret(
                    variable: TeamSecret.variable, count: value.utf8.count, least: TeamSecret.leastByteCount)
            }
            seal = StoreSeal(secret: Array("given ".utf8) + Array(value.utf8))
            return
        }
        // Of several that are started by hand with a rank one may be in a job of Slurm's, and another not.
        let names = environment["RANK"] != nil ? ["TORCHELASTIC_RUN_ID"] : ["SLURM_JOB_ID", "SLURM_STEP_ID"]
        let run = names.map { environment[$0] ?? "" }.joined(separator: " ")
        seal = StoreSeal(secret: Array("derived \(run)".utf8))
    }
}
