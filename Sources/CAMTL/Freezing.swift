import Torch

/// Layers whose pretrained weights stay as they are: `--freeze_encoder_layers a-b`, both ends included.
public struct FreezeRange: Sendable, Equatable {
    public var layers: ClosedRange<Int>

    public init(_ layers: ClosedRange<Int>) { self.layers = layers }

    /// - Throws: `ModelError.badFreezing` if `text` is not of the form `a-b` with 0 ≤ a ≤ b.
    public init(parsing text: String) throws {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], 0 <= first, first <= last else {
            throw ModelError.badFreezing(
                "--freeze_encoder_layers takes a range of layers such as 0-5, not '\(text)'")
        }
        layers = first...last
    }
}

/// What is trained after freezing, and what is not.
public struct FreezeReport: Sendable, Equatable {
    public var frozen: [String]
    public var trainableCount: Int
    public var totalCount: Int
}

extension CAMTLModel {
    /// Freezes the embeddings and, in the layers of `range`, whatever comes from the pretrained encoder. All else
    /// trains: what conditions a layer (the attention bias with its γ and β, the norms' modulation, adapters), and
    /// the base variant's last layer, which starts at random.
    ///
    /// - Parameters:
    ///   - range: the layers; nil freezes nothing.
    ///   - asOriginal: the original's rule, which also freezes the attention bias' γ and β at their random start, and
    ///     the base variant's random last layer if it is in the range. (Its pattern `film.gb_weights` matches no
    ///     parameter.)
    /// - Throws: `ModelError.badFreezing` if the encoder has no such layers.
    public func freeze(_ range: FreezeRange?, asOriginal: Bool = false) throws -> FreezeReport {
        let last = configuration.backbone.layerCount - 1
        if let range, range.layers.upperBound > last {
            throw ModelError.badFreezing(
                "--freeze_encoder_layers \(range.layers.lowerBound)-\(range.layers.upperBound): "
                    + "this encoder's layers are 0 to \(last)")
        }
        var report = FreezeReport(frozen: [], trainableCount: 0, totalCount: 0)
        for (name, parameter) in namedParameters() {
            let isFrozen = range.map { freezes(name, $0, asOriginal: asOriginal) } ?? false
            try parameter.setTrainable(!isFrozen)
            report.totalCount += parameter.elementCount
            if isFrozen { report.frozen.append(name) } else { report.trainableCount += parameter.elementCount }
        }
        return report
    }

    private func freezes(_ name: String, _ range: FreezeRange, asOriginal: Bool) -> Bool {
        if name.hasPrefix("bert.embeddings.") { return true }
        let parts = name.split(separator: ".")
        guard name.hasPrefix("bert.encoder.layer."), parts.count > 3, let layer = Int(parts[3]),
            range.layers.contains(layer)
        else { return false }
        if asOriginal {
            let trained = ["random_weight_matrix", "ln_weight_modulation.gb_weights", "adapter"]
            return !trained.contains { name.contains($0) }
        }
        return CAMTLModel.comesFromPretraining(name)
    }

    /// Whether a checkpoint of plain BERT has the parameter.
    static func comesFromPretraining(_ name: String) -> Bool {
        name.hasPrefix("bert.") && !name.contains(".new_") && !conditioningNames.contains { name.contains($0) }
    }

    /// What the names of parameters have that condition the encoder on the task.
    static let conditioningNames = [
        "task_type_embeddings", "conditional_alignment", "task_transformation", "adapter", "random_weight_matrix",
        "cond_block_diag_attn", "ln_weight_modulation",
    ]
}
