import CAMTL
import Foundation
import Training

/// Predicts lines of standard input with a trained model: `predict MODEL_FOLDER TASK`. A tab parts the texts of a pair.
@main
struct Predict {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 2, let folder = arguments.first, let task = arguments.last else {
            fail("usage: predict MODEL_FOLDER TASK < LINES")
        }
        do {
            let model = try TrainedModel(folder: URL(fileURLWithPath: folder))
            var rows: [PredictionInput] = []
            while let line = readLine() {
                let texts = line.split(separator: "\t", maxSplits: 1).map(String.init)
                rows.append(PredictionInput(task: task, texts.first ?? "", texts.count > 1 ? texts[1] : nil))
            }
            for prediction in try Predictor(model).predict(rows) {
                if let label = prediction.label, let highest = prediction.probabilities?.max() {
                    print("\(label)\t\(String(format: "%.4f", highest))")
                } else if let value = prediction.value {
                    print(String(format: "%.4f", value))
                }
            }
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ message: String) -> Never {
        FileHandle.standardError.write(Data("predict: \(message)\n".utf8))
        exit(1)
    }
}
