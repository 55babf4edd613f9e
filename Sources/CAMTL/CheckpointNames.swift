import Torch

/// A checkpoint's tensors by the names that this program's models have, whatever wrote them.
///
/// Names may lack the prefix `bert.`, and have `LayerNorm.gamma` and `.beta` for `.weight` and `.bias` as old files do.
/// What the wrappers of a model put into its names is taken out: `module.` of DataParallel and
/// DistributedDataParallel, `_orig_mod.` of `torch.compile`, those of FSDP, `model.` and the like of a training script's
/// class, and a second `bert.` of a class that holds a whole classifier.
struct CheckpointNames {
    /// The names here, in the checkpoint's order.
    let names: [String]
    /// What the checkpoint calls a tensor, by its name here.
    let nameInFile: [String: String]
    /// Names here that several tensors have, with two of those.
    let repeated: [String: (String, String)]

    /// - Parameter onlyDecoder: what transformers calls the decoder of the only task, such as `classifier`; nil where
    ///   there are more, or none.
    init(_ checkpoint: Checkpoint, onlyDecoder: String?) {
        var bare = checkpoint.names.map(CheckpointNames.withoutWrappers)
        while bare.contains(where: { $0.hasPrefix("bert.bert.") }) {
            bare = bare.map { $0.hasPrefix("bert.") ? String($0.dropFirst("bert.".count)) : $0 }
        }
        names = bare.map { CheckpointNames.current($0, onlyDecoder: onlyDecoder) }
        var nameInFile: [String: String] = [:]
        var repeated: [String: (String, String)] = [:]
        for (name, source) in zip(names, checkpoint.names) {
            if let other = nameInFile.updateValue(source, forKey: name) { repeated[name] = (other, source) }
        }
        (self.nameInFile, self.repeated) = (nameInFile, repeated)
    }

    /// What stands before the names of a BERT encoder's tensors that are not found by the names here, or nil.
    var unknownPrefix: String? {
        let embeddings = "embeddings.word_embeddings.weight"
        return nameInFile.lazy.filter { $0.key.hasSuffix("." + embeddings) && $0.key != "bert." + embeddings }
            .map { String($0.value.dropLast(embeddings.count)) }.min()
    }

    /// Wrappers that may stand anywhere in a name; no parameter has them.
    private static let wrappers: Set<Substring> = [
        "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
    ]
    /// What classes that hold a model call it; only at a name's beginning.
    private static let holders: Set<Substring> = ["model", "base_model", "auto_model"]

    private static func withoutWrappers(_ name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let kept = parts.filter { !wrappers.contains($0) }.drop { holders.contains($0) }
        return kept.count == parts.count ? name : kept.joined(separator: ".")
    }

    private static func current(_ name: String, onlyDecoder: String?) -> String {
        var name = name
        if let onlyDecoder, name.hasPrefix(onlyDecoder + ".") {
            name = "decoders.0.model" + name.dropFirst(onlyDecoder.count)
        }
        if name.hasSuffix(".gamma") { name = name.dropLast(5) + "weight" }
        if name.hasSuffix(".beta") { name = name.dropLast(4) + "bias" }
        let parts: Set = ["embeddings", "encoder", "pooler", "task_type_embeddings", "conditional_alignment"]
        if let first = name.split(separator: ".").first, parts.contains(String(first)) { name = "bert." + name }
        return name
    }
}
