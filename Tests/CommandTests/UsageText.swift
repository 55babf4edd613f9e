/// The flags that the original names: its usage text's, and those that its README and code have besides.
enum UsageText {
    struct Flag {
        let name: String
        /// As this program's help has it; "off" for a flag without a value.
        let standard: String
        /// What a run that takes every flag gives it, and whether it has a value at all.
        let example: Example
    }

    enum Example {
        case given
        case value(String)
        /// No run has it: it is refused, with this in the message.
        case refused([String], message: String)
        /// The run has a value that the test makes.
        case made
    }

    /// In the usage text's order.
    static let flags = [
        Flag(name: "model_name_or_path", standard: "required", example: .made),
        Flag(name: "data_dir", standard: "required for GLUE's tasks", example: .made),
        Flag(name: "tasks", standard: "GLUE's nine, or the model's", example: .value("rte")),
        Flag(name: "overwrite_cache", standard: "off", example: .given),
        Flag(name: "max_seq_length", standard: "128, or the model's", example: .value("16")),
        Flag(name: "output_dir", standard: "required to train or predict", example: .made),
        Flag(name: "overwrite_output_dir", standard: "off", example: .given),
        Flag(name: "do_train", standard: "off", example: .given),
        Flag(name: "do_eval", standard: "off", example: .given),
        Flag(name: "do_predict", standard: "off", example: .given),
        Flag(name: "evaluate_during_training", standard: "off", example: .given),
        Flag(name: "per_device_train_batch_size", standard: "8", example: .value("3")),
        Flag(name: "per_device_eval_batch_size", standard: "8", example: .value("3")),
        Flag(name: "per_gpu_train_batch_size", standard: "none", example: .value("4")),
        Flag(name: "per_gpu_eval_batch_size", standard: "none", example: .value("5")),
        Flag(name: "gradient_accumulation_steps", standard: "1", example: .value("2")),
        Flag(name: "learning_rate", standard: "5e-05", example: .value("2e-3")),
        Flag(name: "weight_decay", standard: "0.0", example: .value("0.01")),
        Flag(name: "adam_epsilon", standard: "1e-08", example: .value("1e-6")),
        Flag(name: "max_grad_norm", standard: "1.0", example: .value("2")),
        Flag(name: "num_train_epochs", standard: "3.0", example: .value("2")),
        Flag(name: "max_steps", standard: "-1", example: .value("3")),
        Flag(name: "warmup_steps", standard: "by --warmup_proportion", example: .value("1")),
        Flag(name: "logging_dir", standard: "runs/DATE_HOST_NUMBER", example: .value("logs")),
        Flag(name: "logging_first_step", standard: "off", example: .given),
        Flag(name: "logging_steps", standard: "500", example: .value("2")),
        Flag(name: "save_steps", standard: "500", example: .value("1")),
        Flag(name: "save_total_limit", standard: "all", example: .value("2")),
        Flag(name: "no_cuda", standard: "off", example: .given),
        Flag(name: "seed", standard: "42", example: .value("12")),
        Flag(name: "fp16", standard: "off", example: .given),
        Flag(name: "fp16_opt_level", standard: "O1", example: .value("O1")),
        Flag(name: "local_rank", standard: "-1", example: .value("-1")),
        Flag(name: "tpu_num_cores", standard: "none", example: .refused(["8"], message: "no support for TPUs")),
        Flag(name: "tpu_metrics_debug", standard: "off", example: .refused([], message: "no support for TPUs")),
        Flag(name: "use_mt_uncertainty", standard: "off", example: .given),
    ]

    /// Those that the usage text leaves out.
    static let furtherFlags = [
        Flag(
            name: "uniform_mt_sampling", standard: "off",
            example: .refused(["--use_mt_uncertainty"], message: "uniform and uncertainty exclude each other")),
        Flag(name: "percent_of_max_data_size", standard: "1.0", example: .value("0.5")),
        Flag(name: "warmup_proportion", standard: "0.1", example: .value("0.2")),
        Flag(name: "freeze_encoder_layers", standard: "none", example: .value("0-0")),
    ]

    /// This program's own.
    static let newFlags = [
        "encoder_type", "cache_dir", "dropout", "reproduce_original", "predict_probabilities",
        "metric_for_best_model", "load_best_model_at_end", "early_stopping_patience", "resume_from_checkpoint",
        "sampling", "uncertainty_score", "uncertainty_dropout", "uncertainty_scoring", "eval_precision",
        "group_by_length", "new_task_init", "train_only_new_tasks", "drop_tasks", "max_train_samples", "max_eval_samples", "max_predict_samples", "threads", "bf16", "tf32", "ddp_timeout",
        "gradient_checkpointing", "verbose",
    ]
}
