import Files
import Foundation

/// Figures by name.
typealias Figures = [String: Figure]

/// A number in a file of figures.
enum Figure: Equatable, Codable {
    case count(Int)
    /// `null` in the file unless finite: JSON has no NaN.
    case number(Double)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .number(.nan)
        } else if let count = try? container.decode(Int.self) {
            self = .count(count)
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .count(let count): try container.encode(count)
        case .number(let number) where number.isFinite: try container.encode(number)
        case .number: try container.encodeNil()
        }
    }
}

/// The files of figures in a run's output folder, named as those of Hugging Face's Trainer. Each is written whole or
/// not at all.
struct ResultsFiles {
    let folder: URL

    /// Writes `train_results.json` and begins a new `all_results.json`.
    func write(_ results: TrainResults) throws {
        try write(results.figures, to: "train_results.json")
        try write(results.figures, to: "all_results.json")
    }

    /// Writes `eval_results.json` and puts the figures into `all_results.json` in place of an earlier evaluation's.
    func write(_ results: EvaluationResults) throws {
        try write(results.figures, to: "eval_results.json")
        let all = read("all_results.json").filter { !$0.key.hasPrefix("eval_") }
        let evaluation = results.figures.merging(results.timings) { $1 }
        try write(all.merging(evaluation) { $1 }, to: "all_results.json")
    }

    /// None if there is no file of figures.
    private func read(_ name: String) -> Figures {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent(name)) else { return [:] }
        return (try? JSONDecoder().decode(Figures.self, from: data)) ?? [:]
    }

    private func write(_ figures: Figures, to name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(figures)
        try writeAtomically(to: folder.appendingPathComponent(name)) { try $0.write(data + [0x0A]) }
    }
}
