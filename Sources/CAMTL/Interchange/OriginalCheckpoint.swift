import Foundation
import Tasks
import Torch

/// A checkpoint of the original code: the state dict of its whole model, under the names that this program's model has,
/// and its encoder's `config.json`. What the tasks were, no file says; the tensors' shapes tell the rest.
struct OriginalCheckpoint {
    /// What the tensors' names say the encoder is.
    let encoderType: EncoderType
    /// The outputs of each decoder, in their order.
    let decoderWidths: [Int]
    /// The length that the conditional attention bias was made for; nil in plain BERT.
    let maxSequenceLength: Int?

    /// The checkpoint in a folder, or nil if what is there has no decoders.
    ///
    /// - Throws: `ModelError.badModel` if the folder has no checkpoint; `CheckpointError`.
    init?(folder: URL) throws {
        let file = try CAMTLModel.checkpoint(in: folder)
        let checkpointNames = CheckpointNames(file, onlyDecoder: nil)
        func shape(_ name: String) -> [Int]? { checkpointNames.nameInFile[name].flatMap(file.info)?.shape }
        var widths: [Int] = []
        while let shape = shape("decoders.\(widths.count).model.weight"), shape.count == 2 {
            widths.append(shape[0])
        }
        guard !widths.isEmpty else { return nil }
        decoderWidths = widths
        let names = checkpointNames.names
        if names.contains(where: { $0.hasPrefix("bert.encoder.adapter_layer.") }) {
            encoderType = .caMTLLarge
        } else if names.contains(where: { $0.hasPrefix("bert.encoder.layer.") && $0.contains(".new_attention.") }) {
            encoderType = .caMTLBase
        } else {
            encoderType = .bert
        }
        let bias = names.first { $0.hasSuffix(".attention.self.random_weight_matrix") }
        maxSequenceLength = bias.flatMap { shape($0)?.first }
    }

    /// The model that was trained, with the tasks that are wanted or, if it has as many, all of GLUE's in the order
    /// that the original has by default.
    ///
    /// - Throws: `fail`'s error if something else is wanted than what was trained.
    func configuration(
        _ request: TrainedModel.Request, backbone: BERTConfiguration, _ fail: (String) -> ModelError
    ) throws -> ModelConfiguration {
        if let type = request.encoderType, type != encoderType {
            throw fail("this checkpoint's encoder is \(encoderType.rawValue), not \(type.rawValue)")
        }
        if let length = request.maxSequenceLength, let trained = maxSequenceLength, length != trained {
            throw fail("this checkpoint was made for --max_seq_length \(trained), not \(length)")
        }
        let tasks = request.tasks ?? GLUE.tasks.map(\.head)
        let outputs = decoderWidths.map(String.init).joined(separator: ", ")
        guard tasks.count == decoderWidths.count else {
            throw fail(
                "this checkpoint has \(decoderWidths.count) decoders, of \(outputs) outputs, and the tasks are "
                    + "\(tasks.count): give --tasks as it was trained with, in that order")
        }
        for (task, width) in zip(tasks, decoderWidths) where task.numberOfLabels != width {
            throw fail(
                "this checkpoint's decoders have \(outputs) outputs; --tasks has \(task.name), of "
                    + "\(task.numberOfLabels), where the decoder has \(width): give --tasks as it was trained with, in "
                    + "that order")
        }
        return ModelConfiguration(
            encoderType: encoderType, backbone: backbone,
            maxSequenceLength: maxSequenceLength ?? request.maxSequenceLength ?? min(128, backbone.maxPositions),
            tasks: tasks)
    }
}
