import ArgumentParser

struct DeviceOptions: SettingsGroup {
    @Option(
        name: .customLong("threads"), parsing: .unconditional,
        help: "Threads to compute with. (default: one a core, shared among the processes on a machine)")
    var threads: Int?

    @Flag(name: .customLong("no_cuda"), help: "Compute on the CPU, as this build always does.")
    var noCUDA = false

    @Flag(
        name: .customLong("fp16"),
        help: "Compute in float16 with loss scaling; refused without a CUDA device.")
    var fp16 = false

    @Flag(name: .customLong("bf16"), help: "Compute in bfloat16; refused without a CUDA device.")
    var bf16 = false

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
            Setting("threads", threads), Setting("no_cuda", noCUDA), Setting("fp16", fp16), Setting("bf16", bf16),
            Setting("fp16_opt_level", fp16OptLevel), Setting("local_rank", localRank),
            Setting("ddp_timeout", ddpTimeout),
            Setting("tpu_num_cores", tpuNumCores), Setting("tpu_metrics_debug", tpuMetricsDebug),
        ]
    }

    func check(_ problems: inout Problems) {
        problems.check("threads", threads, to: 1024)
        if fp16, bf16 { problems.add("--fp16 and --bf16 exclude each other; give one of them") }
        for (name, isGiven) in [("fp16", fp16), ("bf16", bf16)] where isGiven {
            problems.add(
                "--\(name) needs a CUDA device; this build computes on the CPU, where half precision is slower than "
                    + "float32; leave it out")
        }
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
            problems.add("--ddp_timeout is \(ddpTimeout); it has to be at least 1 second")
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
