import ArgumentParser
import Training

struct EvaluationOptions: SettingsGroup {
    @Flag(name: .customLong("do_eval"), help: "Evaluate on the dev sets.")
    var doEval = false

    @Flag(
        name: .customLong("do_predict"),
        help: "Predict the test sets, and write GLUE's submission.zip.")
    var doPredict = false

    @Flag(
        name: .customLong("predict_probabilities"),
        help: "Write the predictions' probabilities and logits, too.")
    var predictProbabilities = false

    @Option(
        name: .customLong("per_device_eval_batch_size"), parsing: .unconditional,
        help: "Examples of a batch in evaluation and prediction; short ones are computed more at a time.")
    var evalBatchSize = 8

    @Option(
        name: .customLong("eval_precision"),
        help: "How exactly evaluation and prediction compute: exact, or int8, more than twice as fast.")
    var precision = Precision.exact

    @Flag(name: .customLong("evaluate_during_training"), help: "Evaluate every --logging_steps updates.")
    var evaluateDuringTraining = false

    @Option(
        name: .customLong("metric_for_best_model"),
        help: "The figure that tells the best evaluation, such as rte_acc, or average: the GLUE average.")
    var metricForBestModel = "average"

    @Flag(
        name: .customLong("load_best_model_at_end"),
        help: "End with the model of the best evaluation during training.")
    var loadBestModelAtEnd = false

    @Option(
        name: .customLong("early_stopping_patience"), parsing: .unconditional,
        help: "End after that many evaluations in a row without a better figure. (default: never)")
    var earlyStoppingPatience: Int?

    var settings: [Setting] {
        [
            Setting("do_eval", doEval), Setting("do_predict", doPredict),
            Setting("predict_probabilities", predictProbabilities),
            Setting("per_device_eval_batch_size", evalBatchSize),
            Setting("eval_precision", precision.rawValue),
            Setting("evaluate_during_training", evaluateDuringTraining),
            Setting("metric_for_best_model", metricForBestModel),
            Setting("load_best_model_at_end", loadBestModelAtEnd),
            Setting("early_stopping_patience", earlyStoppingPatience),
        ]
    }

    func check(_ problems: inout Problems) {
        problems.check("per_device_eval_batch_size", evalBatchSize)
        problems.check("early_stopping_patience", earlyStoppingPatience)
        if predictProbabilities, !doPredict {
            problems.add("--predict_probabilities says what --do_predict writes, which isn't given")
        }
        let needsEvaluations = [
            ("load_best_model_at_end", loadBestModelAtEnd), ("early_stopping_patience", earlyStoppingPatience != nil),
        ]
        for (name, isGiven) in needsEvaluations where isGiven && !evaluateDuringTraining {
            problems.add("--\(name) needs --evaluate_during_training, which says how good the model is on the way")
        }
    }

    func apply(to configuration: inout RunConfiguration, loggingSteps: Int) {
        configuration.evaluates = doEval
        configuration.predicts = doPredict
        configuration.predictsProbabilities = predictProbabilities
        configuration.training.evaluationBatchSize = evalBatchSize
        configuration.training.evaluationPrecision = precision
        configuration.training.evaluationSteps = evaluateDuringTraining ? loggingSteps : nil
        configuration.training.metricForBestModel = metricForBestModel
        configuration.training.loadsBestModelAtEnd = loadBestModelAtEnd
        configuration.training.earlyStoppingPatience = earlyStoppingPatience
    }
}
