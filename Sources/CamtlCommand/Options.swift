import ArgumentParser
import CAMTL
import Foundation
import Training

extension EncoderType: ExpressibleByArgument {}
extension UncertaintyScore: ExpressibleByArgument {}

struct ModelOptions: ParsableArguments {
    @Option(
        name: .customLong("model_name_or_path"),
        help: "A trained model's or a BERT encoder's folder, or a name: CA-MTL-base, CA-MTL-large, bert-base-cased, …")
    var modelNameOrPath: String?

    @Option(
        name: .customLong("encoder_type"),
        help: "The kind of encoder to build on a BERT folder. (default: bert; by the name for CA-MTL-base and -large)")
    var encoderType: EncoderType?

    @Option(
        name: .customLong("max_seq_length"), parsing: .unconditional,
        help: "The longest input in tokens; under CA-MTL it divides the hidden size. (default: 128, or the model's)")
    var maxSeqLength: Int?

    @Option(
        name: .customLong("freeze_encoder_layers"),
        help: "Layers whose pretrained weights stay as they are, such as 0-5; the embeddings then stay, too.")
    var freezeEncoderLayers: String?

    /// The names that stand for an encoder type on a pretrained encoder.
    private static let variants: [String: (EncoderType, encoder: String)] = [
        "CA-MTL-base": (.caMTLBase, "bert-base-cased"), "CA-MTL-large": (.caMTLLarge, "bert-large-cased"),
    ]

    var resolvedEncoderType: EncoderType? {
        encoderType ?? modelNameOrPath.flatMap { ModelOptions.variants[$0]?.0 }
    }

    func folder() throws -> URL {
        guard let name = modelNameOrPath else {
            throw CommandError("--model_name_or_path is missing: a model's folder or name")
        }
        return try ModelLocation.folder(named: ModelOptions.variants[name]?.encoder ?? name)
    }
}

struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data_dir"), help: "The folder with GLUE's data in its official layout.")
    var dataDir: String?

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "The tasks, in the order that numbers them. (default: all nine, or the model's)")
    var tasks: [String] = []

    @Flag(name: .customLong("overwrite_cache"), help: "Encode the data anew, whatever the cache has.")
    var overwriteCache = false

    @Option(
        name: .customLong("cache_dir"),
        help: "Where encoded data is kept. (default: features in $CAMTL_CACHE_DIR, or camtl in the user's cache folder)")
    var cacheDir: String?

    @Option(name: .customLong("output_dir"), help: "Where the model, its checkpoints and the figures go.")
    var outputDir: String?

    @Flag(name: .customLong("overwrite_output_dir"), help: "Write into an output folder that is not empty.")
    var overwriteOutputDir = false

    func cacheDirectory() throws -> URL {
        if let cacheDir { return URL(fileURLWithPath: cacheDir) }
        let environment = ProcessInfo.processInfo.environment
        if let own = environment["CAMTL_CACHE_DIR"] { return URL(fileURLWithPath: own + "/features") }
        guard let base = environment["XDG_CACHE_HOME"] ?? environment["HOME"].map({ $0 + "/.cache" }) else {
            throw CommandError("there is no HOME to keep encoded data in; give --cache_dir")
        }
        return URL(fileURLWithPath: base + "/camtl/features")
    }
}

struct SamplingOptions: ParsableArguments {
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case proportional, sequential, uniform, uncertainty
    }

    @Option(
        name: .customLong("sampling"), help: "How the examples of an update are chosen. (default: proportional)")
    var sampling: Name?

    @Flag(name: .customLong("uniform_mt_sampling"), help: "The same as --sampling uniform: each task equally often.")
    var uniform = false

    @Flag(
        name: .customLong("use_mt_uncertainty"),
        help: "The same as --sampling uncertainty: train on the examples that the model is least sure of.")
    var uncertainty = false

    @Option(
        name: .customLong("percent_of_max_data_size"), parsing: .unconditional,
        help: "The share (0 to 1) of the largest task that sets an epoch's length under uniform and uncertainty sampling.")
    var share = 1.0

    @Option(
        name: .customLong("uncertainty_score"),
        help: "The score under uncertainty sampling: as the original code has it, or Algorithm 1 of the paper.")
    var score = UncertaintyScore.original

    func resolved() throws -> Sampling {
        let given = [sampling, uniform ? .uniform : nil, uncertainty ? .uncertainty : nil].compactMap { $0 }
        if Set(given).count > 1 {
            throw CommandError("the samplings \(given.map(\.rawValue).joined(separator: " and ")) exclude each other")
        }
        guard share.isFinite else { throw CommandError("--percent_of_max_data_size has to be a number from 0 to 1") }
        switch given.first ?? .proportional {
        case .proportional: return .proportional
        case .sequential: return .sequential
        case .uniform: return .uniform(share: share)
        case .uncertainty: return .uncertainty(share: share, score: score)
        }
    }
}
