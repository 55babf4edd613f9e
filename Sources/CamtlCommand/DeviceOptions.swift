import ArgumentParser
import Torch
import Training

/// Where anything that computes does so, and how exactly.
struct PlacementOptions: ParsableArguments {
    @Flag(name: .customLong("no_cuda"), help: "Compute on the CPU, even where there is a CUDA device.")
    var noCUDA = false

    @Flag(
        name: .customLong("bf16"),
        help: "Compute the layers' matrix products in bfloat16; for CUDA devices.")
    var bf16 = false
}

struct DeviceOptions: SettingsGroup {
    @Option(
        name: .customLong("threads"), parsing: .unconditional,
        help: "Threads to compute with. (default: one a core, shared among the processes on a machine)")
    var threads: Int?

    @OptionGroup var placement: PlacementOptions

    @Flag(
        name: .customLong("fp16"),
        help: "Compute the layers' matrix products in float16, with loss scaling; for CUDA devices.")
    var fp16 = false

    @Flag(
        name: .customLong("tf32"),
        help: "Let a CUDA device round what goes into float32 products to TF32; refused on the CPU.")
    var tf32 = false

    @Option(
        name: .customLong("fp16_opt_level"),
        help: "What --fp16 computes in float16: O1, what is safe in it, and nothing else.")
    var fp16OptLevel = "O1"

    @Option(
        name: .customLong("local_rank"), parsing: .unconditional,
        help: "This process's number on its machine, as torch.distributed.launch gives it, or -1; RANK is what counts.")
    var localRank = -1

    @Option(
        name: .customLong("ddp_timeout"), parsing: .unconditional,
        help: "Seconds that a process waits for the others before it gives up.")
    var ddpTimeout = Launching.timeout

    @Option(
        name: .customLong("tpu_num_cores"), parsing: .unconditional,
        help: "Cores of a TPU; refused, as there is no support for TPUs. (default: none)")
    var tpuNumCores: Int?

    @Flag(
        name: .customLong("tpu_metrics_debug"),
        help: "Print a TPU's metrics; refused, as there is no support for TPUs.")
    var tpuMetricsDebug = false

    var settings: [Setting] {
        [
            Setting("threads", threads), Setting("no_cuda", placement.noCUDA), Setting("fp16", fp16),
            Setting("bf16", placement.bf16), Setting("tf32", tf32), Setting("fp16_opt_level", fp16OptLevel),
            Setting("local_rank", localRank), Setting("ddp_timeout", ddpTimeout),
            Setting("tpu_num_cores", tpuNumCores), Setting("tpu_metrics_debug", tpuMetricsDebug),
        ]
    }

    /// What --fp16 and --bf16 ask for.
    var mixedPrecision: MixedPrecision? { fp16 ? .fp16 : placement.bf16 ? .bf16 : nil }

    /// Makes float32 products what they are to be on the device, and checks that it can do what flags ask for.
    ///
    /// - Parameters:
    ///   - device: what is computed on.
    ///   - precisions: those that flags ask for, with the flags' names.
    /// - Returns: what there is to warn of.
    /// - Throws: `DeviceError`.
    func apply(on device: Device, _ precisions: [(name: String, precision: Precision)]) throws -> [String] {
        try DeviceOptions.check(device, precisions)
        if device == .cpu {
            if tf32 { throw DeviceError.needsCUDA(flag: "tf32") }
            return mixedPrecision.map { [DeviceOptions.warning($0)] } ?? []
        }
        CUDA.allowTF32(tf32)
        return []
    }

    static func check(_ device: Device, _ precisions: [(name: String, precision: Precision)]) throws {
        let integers = precisions.filter { $0.precision == .int8 }.map { "--\($0.name) int8" }
        if device != .cpu, !integers.isEmpty { throw DeviceError.needsCPU(flags: integers) }
    }

    static func warning(_ precision: MixedPrecision) -> String {
        "--\(precision.rawValue) is for CUDA devices; on the CPU it is slower than float32, and less exact"
    }

    func check(_ problems: inout Problems) {
        problems.check("threads", threads, to: 1024)
        if fp16, placement.bf16 { problems.add("--fp16 and --bf16 exclude each other; give one of them") }
        if fp16OptLevel != "O1" {
            let reason =
                switch fp16OptLevel {
                case "O0": "O0 is float32, which is what runs without --fp16"
                case "O2", "O3": "\(fp16OptLevel) holds the weights themselves in float16, which costs accuracy"
                default: "there is no level \(fp16OptLevel)"
                }
            problems.add("--fp16_opt_level: \(reason); only O1 is supported")
        }
        if localRank < -1 { problems.add("--local_rank is \(localRank); it has to be -1 or more") }
        if !(1...Double(Problems.highestCount)).contains(ddpTimeout) {
            problems.add(
                "--ddp_timeout is \(ddpTimeout); it has to be from 1 to \(Problems.highestCount) seconds")
        }
        for (name, isGiven) in [("tpu_num_cores", tpuNumCores != nil), ("tpu_metrics_debug", tpuMetricsDebug)]
        where isGiven {
            problems.add("--\(name): there is no support for TPUs; leave it out")
        }
    }
}

/// Flags of the original that others have taken the place of.
struct DeprecatedOptions: SettingsGroup {
    @Option(
        name: .customLong("per_gpu_train_batch_size"), parsing: .unconditional,
        help: "The same as --per_device_train_batch_size, and goes before it. (default: none)")
    var trainBatchSize: Int?

    @Option(
        name: .customLong("per_gpu_eval_batch_size"), parsing: .unconditional,
        help: "The same as --per_device_eval_batch_size, and goes before it. (default: none)")
    var evalBatchSize: Int?

    var settings: [Setting] {
        [Setting("per_gpu_train_batch_size", trainBatchSize), Setting("per_gpu_eval_batch_size", evalBatchSize)]
    }

    func check(_ problems: inout Problems) {
        problems.check("per_gpu_train_batch_size", trainBatchSize)
        problems.check("per_gpu_eval_batch_size", evalBatchSize)
    }

    /// What to give in place of the flags that are given.
    var warnings: [String] {
        [("train", trainBatchSize), ("eval", evalBatchSize)].compactMap { name, size in
            size.map {
                "--per_gpu_\(name)_batch_size is deprecated; give --per_device_\(name)_batch_size \($0) instead"
            }
        }
    }
}
