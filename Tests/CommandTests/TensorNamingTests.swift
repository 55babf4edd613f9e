import Foundation
import XCTest

/// What a command says of the tensors of the file that it loads: a line, and their names on request.
final class TensorNamingTests: CommandTestCase {
    /// Two tensors that no model of ours has.
    private func addStrangers(to model: inout TinyEncoder) {
        for name in ["cls.predictions.bias", "cls.predictions.decoder.weight"] {
            model.tensors[name] = TinyEncoder.Weights(shape: [2], values: [1, 2])
        }
    }

    private func lines(_ outcome: Outcome, _ part: String) -> [Substring] {
        outcome.messages.split(separator: "\n").filter { $0.contains(part) }
    }

    func testTrainingCountsThemByTheirKindAndNamesThemOnRequest() throws {
        var model = TinyEncoder()
        addStrangers(to: &model)
        try model.write(to: encoder)
        try TinyGLUE.write(["rte", "sts-b"], to: data)
        let command = arguments(
            tasks: ["rte", "sts-b"], "--encoder_type", "bert", "--do_train", "--max_steps", "1",
            "--freeze_encoder_layers", "0-0", "--overwrite_output_dir")
        let short = try camtl(command)
        XCTAssertEqual(
            lines(short, "tensors"),
            [
                "\(encoder.path)/model.safetensors: 39 tensors loaded (embeddings, layers 0-1, pooler); "
                    + "4 new, at their initial values (decoders); 2 of the file not used (cls)"
            ])
        XCTAssertEqual(lines(short, "frozen: "), ["frozen: embeddings, layer 0"])
        XCTAssertEqual(lines(short, ".query."), [])

        let long = try camtl(command + ["--verbose"])
        XCTAssertEqual(lines(long, "tensors"), lines(short, "tensors"))
        XCTAssertEqual(lines(long, "new: "), ["new: decoders.{0-1}.model.weight, decoders.{0-1}.model.bias"])
        XCTAssertEqual(
            lines(long, "not used: "), ["not used: cls.predictions.bias, cls.predictions.decoder.weight"])
        XCTAssertEqual(lines(long, "loaded: ").count, 1)
        XCTAssert(lines(long, "frozen: ").last?.contains("bert.encoder.layer.0.output.dense.bias") ?? false)
    }

    func testPredictingAndConvertingSayWhatTheyDoNotUse() throws {
        var model = TinyEncoder()
        addStrangers(to: &model)
        model.addDecoders([("rte", TinyGLUE.task("rte").labels)])
        try model.write(to: encoder)
        try TinyGLUE.write(
            #"{"task": "rte", "sentence1": "ba", "sentence2": "de"}"# + "\n", to: folder.appendingPathComponent("in"))
        let said = "\(encoder.path)/model.safetensors: 2 tensors are not used: cls\n"
        let names = "not used: cls.predictions.bias, cls.predictions.decoder.weight\n"
        for command in [
            ["predict", "--model_name_or_path", encoder.path, "--input", "in", "--output", "out"],
            ["convert", "--model_name_or_path", encoder.path, "--output_dir", output.path, "--overwrite_output_dir"],
        ] {
            XCTAssertEqual(try camtl(command).messages, said)
            XCTAssertEqual(try camtl(command + ["--verbose"]).messages, said + names)
        }
    }
}
