import Foundation
import Torch

/// What there is to compute on besides the CPU, as this process finds it.
struct DeviceSurvey: Sendable, Equatable {
    /// Whether libtorch can use CUDA devices at all.
    var isSupported: Bool
    /// The CUDA devices that can be used.
    var count = 0
    /// Why those that are there can't be used.
    var failure: String?
    /// Whether the system has a device of NVIDIA's.
    var hasHardware = false
    /// The variable CUDA_VISIBLE_DEVICES.
    var visibleDevices: String?

    static func current(_ environment: [String: String]) -> DeviceSurvey {
        var survey = DeviceSurvey(isSupported: CUDA.isSupported)
        survey.visibleDevices = environment["CUDA_VISIBLE_DEVICES"]
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? []
        survey.hasHardware = devices.contains { $0.hasPrefix("nvidia") && Int($0.dropFirst("nvidia".count)) != nil }
        guard survey.isSupported else { return survey }
        do { survey.count = try CUDA.deviceCount() } catch { survey.failure = "\(error)" }
        return survey
    }
}

/// Why a device can't be computed on, or not so.
public enum DeviceError: Error, Equatable, CustomStringConvertible, Sendable {
    case unusable(String)
    /// There are fewer devices than processes on the machine.
    case tooFew(count: Int, processes: Int)
    /// Nobody says which of a machine's devices is this process's.
    case unknownLocalRank
    /// A flag asks for what the CPU hasn't.
    case needsCUDA(flag: String)
    /// Flags ask for 8-bit integers, which only the CPU computes with.
    case needsCPU(flags: [String])

    public var description: String {
        switch self {
        case .unusable(let reason):
            "there is a CUDA device, but it can't be used: \(reason); update NVIDIA's driver, or compute on the CPU "
                + "with --no_cuda"
        case .tooFew(let count, let processes):
            "\(processes) processes were started on this machine, and it has \(count) CUDA "
                + "device\(count == 1 ? "" : "s") for them: start as many processes as there are devices, or compute "
                + "on the CPU with --no_cuda"
        case .unknownLocalRank:
            "LOCAL_RANK is not set, which says which of the machine's CUDA devices is this process's: start the "
                + "processes with torchrun or srun, set it for each, or compute on the CPU with --no_cuda"
        case .needsCUDA(let flag): "--\(flag) is for CUDA devices, and this run computes on the CPU; leave it out"
        case .needsCPU(let flags):
            "\(flags.joined(separator: " and ")): 8-bit integers are for the CPU, and this run computes on a CUDA "
                + "device; leave \(flags.count == 1 ? "the flag" : "both flags") out, or give --no_cuda, too"
        }
    }
}

extension DeviceError {
    /// - Parameter text: libtorch's, which says what to do at its end, and below the first line where it comes from.
    fileprivate static func unusable(because text: String) -> DeviceError {
        var reason = String(text.split(separator: "\n").first ?? "")
        if let advice = reason.range(of: ". Please ") { reason = String(reason[..<advice.lowerBound]) }
        return .unusable(reason.hasSuffix(".") ? String(reason.dropLast()) : reason)
    }
}

extension DeviceSurvey {
    /// The device that a process is to compute on.
    ///
    /// - Parameters:
    ///   - launch: which of several processes it is; nil for one alone.
    ///   - hasOwnDevices: whether each process sees its own devices alone.
    /// - Throws: `DeviceError`.
    func choice(_ launch: Launch?, hasOwnDevices: Bool = false) throws -> Device {
        guard isSupported else { return .cpu }
        if let failure { throw DeviceError.unusable(because: failure) }
        guard count > 0 else {
            guard hasHardware, visibleDevices == nil else { return .cpu }
            throw DeviceError.unusable("the driver's library finds none, or is not installed")
        }
        guard let launch, launch.size > 1, !hasOwnDevices else { return .cuda(0) }
        guard let rank = launch.localRank else { throw DeviceError.unknownLocalRank }
        let processes = max(rank + 1, launch.localSize ?? 1)
        guard processes <= count else { throw DeviceError.tooFew(count: count, processes: processes) }
        return .cuda(rank)
    }

    /// Says where a device stays unused because this build can't use it; else nil.
    var warning: String? {
        guard hasHardware, !isSupported, visibleDevices != "", visibleDevices != "-1" else { return nil }
        return "there is a CUDA device, and this build computes on the CPU alone; build it with DEVICE=cuda, or give "
            + "--no_cuda"
    }
}

extension Device {
    /// The device that this process is to compute on, ready for it: of several processes each has its own, by its
    /// number on the machine.
    ///
    /// - Parameters:
    ///   - allowsCUDA: whether it may be another than the CPU.
    ///   - launch: which of several processes it is; nil for one alone.
    /// - Returns: the device, and what there is to warn of.
    /// - Throws: `DeviceError` for what is there, but can't be used.
    public static func choose(allowsCUDA: Bool, launch: Launch?) throws -> (device: Device, warning: String?) {
        guard allowsCUDA else { return (.cpu, nil) }
        let environment = ProcessInfo.processInfo.environment
        let survey = DeviceSurvey.current(environment)
        // Slurm then gives each task devices of its own, which it counts from 0.
        let hasOwnDevices = environment["SLURM_GPUS_PER_TASK"] != nil
        let device = try survey.choice(launch, hasOwnDevices: hasOwnDevices)
        do {
            try device.use()
        } catch {
            throw DeviceError.unusable(because: "\(error)")
        }
        return (device, survey.warning)
    }
}
