import Files
import Foundation
import Tasks
import Tokenization
import Torch

extension TrainedModel {
    /// Writes a folder that transformers loads as the class of a task's kind, such as `BertForSequenceClassification`,
    /// with the task's decoder for its own: `config.json`, `model.safetensors` and the tokenizer's files. It is there
    /// whole or not at all.
    ///
    /// - Parameters:
    ///   - name: the task.
    ///   - folder: the folder to write; the one it is in must exist.
    ///   - overwrites: replaces an earlier export of the task. Any other folder that is there stays as it is.
    /// - Throws: what ``checkExport(of:)`` throws; errors of writing, and for what is not replaced.
    public func export(task name: String, to folder: URL, overwrites: Bool = false) throws {
        let number = try checkExport(of: name)
        let configuration = model.configuration
        let json = try JSONSerialization.data(
            withJSONObject: configuration.transformersFields(configuration.tasks[number]),
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        let isReplaceable = { overwrites && TransformersModel.isExport(of: name, $0) }
        try writeFolderAtomically(to: folder, replacing: isReplaceable) { draft in
            try tokenizer.writeConfiguration(to: draft, maxLength: configuration.maxSequenceLength)
            try model.saveTransformers(task: number, to: draft)
            try writeAtomically(to: draft.appendingPathComponent("config.json")) { try $0.write(json + [0x0A]) }
        }
    }

    /// Checks that a task can be exported.
    ///
    /// - Returns: its position in the model's list.
    /// - Throws: `ModelError.badModel` for a conditioned encoder, as transformers has no class for it,
    ///   or a task that training never came to; `ModelError.badConfiguration` if the model has no such task.
    @discardableResult
    public func checkExport(of task: String) throws -> Int {
        let configuration = model.configuration
        guard configuration.encoderType == .bert else {
            throw ModelError.badModel(
                path: folder.path,
                reason: "the encoder is \(configuration.encoderType.rawValue), for which transformers has no class: "
                    + "use the model as it is with camtl, or train one with --encoder_type bert")
        }
        guard let number = configuration.tasks.firstIndex(where: { $0.name == task }) else {
            let known = configuration.tasks.map(\.name).joined(separator: ", ")
            throw ModelError.badConfiguration(["this model has no decoder for \(task); its tasks are \(known)"])
        }
        guard !untrainedTasks.contains(number) else {
            throw ModelError.badModel(
                path: folder.path, reason: "\(task) is not trained, its decoder is at its random start")
        }
        return number
    }
}

extension CAMTLModel {
    /// Writes `model.safetensors` with the encoder and one decoder, as transformers names them; without the pooler where
    /// the decoder doesn't read it. A decoder of standardized labels, (W p + b) σ + μ, is written as the
    /// (W σ) p + (b σ + μ) that it is.
    fileprivate func saveTransformers(task: Int, to folder: URL) throws {
        let decoder = "decoders.\(task).model."
        let head = configuration.tasks[task]
        let (unit, prefix) = (head.objective.outputUnit, head.transformersClass.decoder)
        func change(_ name: String, _ tensor: Tensor) throws -> Tensor {
            guard let unit, name.hasPrefix(decoder) else { return tensor }
            let scaled = try withoutGradients { try tensor * unit.factor }
            return name.hasSuffix("bias") ? try withoutGradients { try scaled + unit.offset } : scaled
        }
        try saveWeights(to: folder, change: change) { name in
            if name.hasPrefix(decoder) { return "\(prefix).\(name.dropFirst(decoder.count))" }
            let isLeftOut = name.hasPrefix("decoders.") || name.hasPrefix("bert.pooler.") && !head.readsPooler
            return isLeftOut ? nil : name
        }
    }
}

extension ModelConfiguration {
    /// The fields of transformers' `config.json` for this plain BERT with a task's decoder.
    fileprivate func transformersFields(_ task: TaskHead) -> [String: Any] {
        var fields: [String: Any] = [
            "architectures": [task.transformersClass.name],
            "model_type": "bert",
            "finetuning_task": task.name,
            "hidden_size": backbone.hiddenSize,
            "num_hidden_layers": backbone.layerCount,
            "num_attention_heads": backbone.attentionHeadCount,
            "intermediate_size": backbone.intermediateSize,
            "vocab_size": backbone.vocabularySize,
            "max_position_embeddings": backbone.maxPositions,
            "type_vocab_size": backbone.tokenTypeCount,
            "hidden_act": backbone.activation.rawValue,
            "layer_norm_eps": backbone.layerNormEpsilon,
            "hidden_dropout_prob": backbone.hiddenDropout,
            "attention_probs_dropout_prob": backbone.attentionDropout,
            "classifier_dropout": dropout.decoder,
            "pad_token_id": backbone.paddingTokenID,
            "initializer_range": backbone.initializerRange,
            "position_embedding_type": "absolute",
            // The name that older and newer versions read.
            "torch_dtype": "float32",
        ]
        fields["problem_type"] = task.transformersClass.problemType
        guard task.transformersClass.namesOutputs else { return fields }
        let labels = task.kind.labels.isEmpty ? ["LABEL_0"] : task.kind.labels
        fields["num_labels"] = labels.count
        fields["id2label"] = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ("\($0)", $1) })
        fields["label2id"] = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) })
        return fields
    }
}
