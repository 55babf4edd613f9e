import Foundation
import XCTest

/// What is wrong with a model's folder, or does not go with it, is said before anything is written.
final class WrongModelTests: CommandTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        try TinyGLUE.write(["rte"], to: data)
    }

    private func write(layerCount: Int = 2, _ change: (inout TinyEncoder) -> Void = { _ in }) throws {
        var model = TinyEncoder(layerCount: layerCount)
        change(&model)
        try model.write(to: encoder)
    }

    private var weights: URL { encoder.appendingPathComponent("model.safetensors") }
    private var configuration: URL { encoder.appendingPathComponent("config.json") }

    func testLengthThatDoesNotDivideTheHiddenSizeIsRefusedWithThoseThatDo() throws {
        try write()
        for type in ["ca-mtl-base", "ca-mtl-large"] {
            try assertRefuses(
                arguments("--do_train", "--encoder_type", type, "--max_seq_length", "20"),
                "--max_seq_length 20 does not divide the hidden size 48", "8, 12, 16, 24")
        }
    }

    func testLengthBeyondTheEncodersPositionsIsRefused() throws {
        try write()
        try assertRefuses(
            arguments("--do_train", "--max_seq_length", "33"),
            "--max_seq_length 33 is more than the encoder's 32 positions")
    }

    func testOddLayerCountIsRefusedForTheBaseEncoder() throws {
        try write(layerCount: 3)
        try assertRefuses(
            arguments("--do_train", "--encoder_type", "ca-mtl-base"), "ca-mtl-base needs an even number of layers",
            "has 3", "use ca-mtl-large")
    }

    func testMissingTensorsAreNamed() throws {
        try write {
            $0.tensors["bert.encoder.layer.1.output.dense.weight"] = nil
            $0.tensors["bert.embeddings.LayerNorm.bias"] = nil
        }
        try assertRefuses(
            arguments("--do_train"), "\(weights.path): 2 tensors of the model are missing",
            "bert.encoder.layer.1.output.dense.weight", "bert.embeddings.LayerNorm.bias")
    }

    func testMisshapenTensorsAreNamedWithBothShapes() throws {
        try write {
            $0.tensors["bert.pooler.dense.weight"] = .init(shape: [48, 24], values: Array(repeating: 0, count: 48 * 24))
        }
        try assertRefuses(
            arguments("--do_train"), weights.path, "bert.pooler.dense.weight is [48, 24], and the model's is [48, 48]")
    }

    func testTrainedModelWithoutADecoderIsRefused() throws {
        try write {
            $0.addDecoders([("rte", ["entailment", "not_entailment"])])
            $0.tensors["decoders.0.model.bias"] = nil
        }
        try assertRefuses(
            arguments("--do_eval"), "\(weights.path): 1 tensors of the model are missing: decoders.0.model.bias")
    }

    func testTruncatedSafetensorsFileIsRefusedWhereverItEnds() throws {
        try write()
        let whole = try Data(contentsOf: weights)
        for count in [whole.count / 2, 2000, 0] {
            try whole.prefix(count).write(to: weights)
            try assertRefuses(arguments("--do_train"), weights.path)
        }
        try whole.prefix(whole.count - 1).write(to: weights)
        try assertRefuses(
            arguments("--do_train"),
            "\(weights.path): cut short: at least \(whole.count) bytes are needed, and there are \(whole.count - 1)")
    }

    func testConfigurationThatIsNoJSONObjectIsRefused() throws {
        try write()
        for text in ["", "[1]", String(repeating: "{\"a\":", count: 100_000)] {
            try TinyGLUE.write(text, to: configuration)
            try assertRefuses(arguments("--do_train"), "\(configuration.path): this is not a JSON object")
        }
    }

    func testConfigurationsThatPythonAndEditorsOfWindowsWriteAreTaken() throws {
        try write()
        try TinyGLUE.write(["rte"], to: data)
        let text = try String(contentsOf: configuration, encoding: .utf8)
        let more = "{\r\n\"time_step_limit\": [0.0, Infinity],\r\n\"router_jitter\": NaN,\r\n"
        try TinyGLUE.write("\u{FEFF}" + more + text.dropFirst(), to: configuration)
        try TinyGLUE.write(
            "\u{FEFF}{\"model_max_length\": Infinity}", to: encoder.appendingPathComponent("tokenizer_config.json"))
        try camtl(arguments("--do_train", "--encoder_type", "bert", "--max_steps", "1"))
        // What is not ours is kept.
        let saved = try String(contentsOf: output.appendingPathComponent("config.json"), encoding: .utf8)
        XCTAssert(saved.contains("Infinity") && saved.contains(" NaN"), saved)
        try camtl(arguments("--model_name_or_path", output.path, "--do_eval"))
        let other = folder.appendingPathComponent("other")
        for (field, value) in [("hidden_size", "NaN"), ("layer_norm_eps", "Infinity")] {
            let changed = text.replacing("\"\(field)\":", with: "\"\(field)\":\(value),\"x\":")
            try TinyGLUE.write(changed, to: configuration)
            try assertRefuses(arguments(output: other, "--do_train"), configuration.path, field)
        }
        try TinyGLUE.write("{\n\"hidden_size\": 48,\n\"x\": Inf\n}", to: configuration)
        try assertRefuses(
            arguments(output: other, "--do_train"),
            "\(configuration.path): this is not a JSON object: line 3 is not JSON: \"Inf\" stands where a value should")
    }

    func testFieldOfTheConfigurationThatCannotBeIsNamed() throws {
        let wrong: [(String, Any?, String)] = [
            ("hidden_size", nil, "\"hidden_size\" is missing"),
            ("hidden_size", "48", "\"hidden_size\" is 48, which is not of the right type"),
            ("num_attention_heads", 5, "hidden_size 48 can't be divided into 5 attention heads"),
            ("num_hidden_layers", 100_000, "num_hidden_layers is 100000"),
            ("hidden_dropout_prob", 5, "hidden_dropout_prob is 5.0; it has to be from 0 to below 1"),
            ("layer_norm_eps", -1, "layer_norm_eps is -1.0"),
            ("is_decoder", true, "\"is_decoder\" is true, which means a decoder's attention"),
            ("add_cross_attention", true, "\"add_cross_attention\" is true"),
            ("pruned_heads", ["0": [1]], "\"pruned_heads\" names attention heads that were taken out"),
            ("quantization_config", ["bits": 4], "\"quantization_config\" says that the weights are quantised"),
            ("embedding_size", 24, "\"embedding_size\" is 24, and hidden_size 48"),
            ("hidden_act", "gelu_new", "\"hidden_act\" is \"gelu_new\"; gelu and relu are supported"),
            ("position_embedding_type", "relative_key", "\"position_embedding_type\" is \"relative_key\""),
            ("classifier_dropout", 1, "classifier_dropout is 1.0; it has to be from 0 to below 1"),
            ("model_type", "gpt2", "of type \"gpt2\"; only BERT's architecture is supported"),
            ("camtl", 3, "the entry \"camtl\" is not a JSON object"),
            ("camtl", ["tasks": []], "the entry \"camtl\" needs encoder_type, max_seq_length and tasks"),
        ]
        for (field, value, message) in wrong {
            try write { $0.configuration[field] = value }
            try assertRefuses(arguments("--do_train"), configuration.path, message)
        }
    }

    func testNumbersOfTheConfigurationThatNoModelHasAreNamed() throws {
        let input = folder.appendingPathComponent("in")
        try Data("{\"task\": \"rte\", \"sentence1\": \"ba\", \"sentence2\": \"be\"}\n".utf8).write(to: input)
        let wrong: [(String, Any, String)] = [
            ("num_labels", -1, "\"num_labels\" is -1; it has to be from 1 to 100000"),
            ("num_labels", 1_000_000_000_000, "\"num_labels\" is 1000000000000"),
            ("num_labels", 1e300, "\"num_labels\" is 1e+300"),
            ("vocab_size", Int.max, "vocab_size is 9223372036854775807; it has to be 1 to 1000000000"),
            ("intermediate_size", 1_000_000, "tensors don't fit the model"),
            ("max_position_embeddings", 1_000_000_000, "tensors don't fit the model"),
        ]
        for (field, value, message) in wrong {
            try write {
                $0.configuration["architectures"] = ["BertForSequenceClassification"]
                $0.configuration[field] = value
            }
            try assertRefuses(
                ["predict", "--model_name_or_path", encoder.path, "--tasks", "rte", "--input", input.path]
                    + ["--output", "out"], message)
        }
    }

    func testNumbersInTheNamesOfTensorsAreNotCountedUpTo() throws {
        try write {
            for number in ["0", "9223372036854775807"] {
                $0.tensors["extra.\(number).weight"] = .init(shape: [1], values: [0])
            }
        }
        let run = try camtl(arguments("--do_train", "--max_steps", "1"))
        XCTAssertTrue(run.messages.contains("2 of the file not used"), run.messages)
    }

    func testFieldsThatSayNothingElseThanBERTAreTaken() throws {
        try write {
            $0.configuration.merge([
                "is_decoder": false, "add_cross_attention": NSNull(), "pruned_heads": [String: Any](),
                "quantization_config": NSNull(), "embedding_size": 48, "hidden_act": "gelu_python",
                "position_embedding_type": "absolute", "classifier_dropout": 0.2, "chunk_size_feed_forward": 8,
                "tie_word_embeddings": true, "torch_dtype": "float16", "output_attentions": true,
            ]) { $1 }
            // Rows beyond the vocabulary, as where their number was rounded up.
            $0.configuration["vocab_size"] = 88
            let name = "bert.embeddings.word_embeddings.weight"
            $0.tensors[name] = .init(shape: [88, 48], values: Array(repeating: 0.1, count: 88 * 48))
        }
        try camtl(arguments("--do_train", "--max_steps", "1", "--save_steps", "0"))
    }

    func testPairsOnAnEncoderWithOneTokenTypeAreRefusedAndSingleTextsTaken() throws {
        try TinyGLUE.write(["cola", "mrpc"], to: data)
        func change(_ model: inout TinyEncoder) {
            model.configuration["type_vocab_size"] = 1
            model.tensors["bert.embeddings.token_type_embeddings.weight"] = .init(
                shape: [1, 48], values: Array(repeating: 0.1, count: 48))
        }
        try write(change)
        let message = "\(encoder.path): config.json's type_vocab_size is 1, so that the encoder has no token type for the "
        try assertRefuses(
            arguments(tasks: ["cola", "rte", "mrpc"], "--do_train", "--sampling", "sequential"),
            message + "second text of rte, mrpc: leave these --tasks out")
        try camtl(arguments(tasks: ["cola"], "--do_train", "--max_steps", "1", "--save_steps", "0"))
        try write {
            $0.addDecoders([("rte", ["entailment", "not_entailment"]), ("cola", ["0", "1"])])
            change(&$0)
        }
        try assertRefuses(arguments(tasks: ["rte"], "--do_eval"), message)
        let rows = folder.appendingPathComponent("rows.jsonl")
        let predict = [
            "predict", "--model_name_or_path", encoder.path, "--input", rows.path, "--output",
            folder.appendingPathComponent("out.jsonl").path,
        ]
        let single = #"{"task": "cola", "sentence": "ba"}"#
        try TinyGLUE.write(single + "\n" + #"{"task": "rte", "sentence1": "ba", "sentence2": "be"}"#, to: rows)
        try assertRefuses(
            predict, "\(rows.path):2: the row is a pair of texts, and the model's encoder has one token type")
        try TinyGLUE.write(single, to: rows)
        try camtl(predict)
    }

    func testOwnTasksOfPairsOnAnEncoderWithOneTokenTypeAreRefused() throws {
        let types = [
            "{name: title, type: classification, train: t.jsonl, dev: t.jsonl, text: [one, two], label: label}",
            "{name: answer, type: span, train: t.jsonl, dev: t.jsonl}",
            "{name: ending, type: choice, train: t.jsonl, dev: t.jsonl, text: one, choices: [two, three], label: which}",
            "{name: words, type: tagging, train: t.jsonl, dev: t.jsonl, text: words, label: tags}",
        ]
        let file = folder.appendingPathComponent("own tasks.yaml")
        try TinyGLUE.write("tasks:\n" + types.map { "  - \($0)\n" }.joined(), to: file)
        let row = """
            {"one": "ba", "two": "be", "three": "bo", "label": "x", "which": 0, "words": ["ba"], "tags": ["O"], \
            "question": "ba", "context": "ba be", "answers": {"text": ["be"], "answer_start": [3]}}

            """
        try TinyGLUE.write(
            row + row.replacingOccurrences(of: "\"x\"", with: "\"y\"").replacingOccurrences(of: "O\"", with: "B-a\""),
            to: folder.appendingPathComponent("t.jsonl"))
        func change(_ model: inout TinyEncoder) {
            model.configuration["type_vocab_size"] = 1
            model.tensors["bert.embeddings.token_type_embeddings.weight"] = .init(
                shape: [1, 48], values: Array(repeating: 0.1, count: 48))
        }
        try write(change)
        try assertRefuses(
            arguments(tasks: [file.path], "--do_train", "--encoder_type", "bert"),
            "has no token type for the second text of title, answer, ending: leave these --tasks out")

        // A trained model's rows, by the names that its texts have.
        try write {
            $0.addDecoders([("title", ["x", "y"]), ("ending", [])])
            let heads: [[String: Any]] = [
                ["name": "title", "type": "classification", "labels": ["x", "y"], "text": ["one", "two"]],
                ["name": "ending", "type": "choice", "text": ["one"], "choices": ["two", "three"]],
            ]
            $0.configuration["camtl"] = ["encoder_type": "bert", "max_seq_length": 16, "tasks": heads]
            change(&$0)
        }
        let rows = folder.appendingPathComponent("rows.jsonl")
        for task in ["title", "ending"] {
            try TinyGLUE.write("{\"task\": \"\(task)\", \"one\": \"ba\", \"two\": \"be\", \"three\": \"bo\"}\n", to: rows)
            try assertRefuses(
                [
                    "predict", "--model_name_or_path", encoder.path, "--input", rows.path, "--output",
                    folder.appendingPathComponent("out.jsonl").path,
                ], "\(rows.path):1: the row is a pair of texts, and the model's encoder has one token type")
        }
    }

    func testWeightsThatAreNotFiniteAreRefused() throws {
        for value in [Float.nan, .infinity] {
            try write { $0.tensors["bert.pooler.dense.bias"]?.values[7] = value }
            try assertRefuses(
                arguments("--do_train"),
                "\(weights.path): 1 tensors have values that are infinite or not numbers, such as bert.pooler.dense.bias")
        }
    }

    func testFilesOfAFolderThatWereNotFetchedAreNamedWithWhatToDo() throws {
        try write()
        let pointer = Data("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".utf8)
        for (content, phrase) in [(pointer, "`git lfs pull`"), (Data("<!DOCTYPE html>\n".utf8), "this is an HTML page")] {
            for name in ["model.safetensors", "vocab.txt", "config.json", "tokenizer_config.json"] {
                let url = encoder.appendingPathComponent(name)
                let before = try? Data(contentsOf: url)
                try content.write(to: url)
                try assertRefuses(arguments("--do_train"), url.path, phrase)
                if let before { try before.write(to: url) } else { try FileManager.default.removeItem(at: url) }
            }
        }
        let settings = folder.appendingPathComponent("run.json")
        try pointer.write(to: settings)
        try assertRefuses([settings.path], "\(settings.path): this is a Git LFS pointer")
    }

    func testVocabularyThatIsNotTheModelsIsRefused() throws {
        try write { $0.vocabulary.removeAll { $0 == "[SEP]" } }
        try assertRefuses(arguments("--do_train"), "the vocabulary lacks [SEP]")
        try write { $0.vocabulary += ["one", "more"] }
        try assertRefuses(arguments("--do_train"), "vocab.txt has 82 tokens", "vocab_size is 80")
    }

    func testFolderWithoutAModelIsRefusedByWhatItLacks() throws {
        try assertRefuses(arguments("--do_train"), "\(encoder.path): there is no such folder", "Hugging Face cache")
        try write()
        for name in ["vocab.txt", "config.json"] {
            let url = encoder.appendingPathComponent(name)
            let content = try Data(contentsOf: url)
            try FileManager.default.removeItem(at: url)
            try assertRefuses(arguments("--do_train"), url.path)
            try content.write(to: url)
        }
        try FileManager.default.removeItem(at: weights)
        try assertRefuses(
            arguments("--do_train"), "\(encoder.path): there is neither model.safetensors nor pytorch_model.bin")
    }

    func testLayersThatTheEncoderLacksCannotBeFrozen() throws {
        try write()
        try assertRefuses(
            arguments("--do_train", "--freeze_encoder_layers", "0-2"), "--freeze_encoder_layers 0-2",
            "this encoder's layers are 0 to 1")
        for text in ["2", "1-0", "-1-1"] {
            try assertRefuses(
                arguments("--do_train", "--freeze_encoder_layers=\(text)"),
                "--freeze_encoder_layers takes a range of layers such as 0-5, not '\(text)'")
        }
    }

    func testWhatATrainedModelIsNotCannotBeAskedOfIt() throws {
        try write { $0.addDecoders([("rte", ["entailment", "not_entailment"])]) }
        try assertRefuses(
            arguments(tasks: ["rte", "mrpc"], "--do_eval"), encoder.path, "no decoder for mrpc; its tasks are rte")
        try assertRefuses(
            arguments("--do_eval", "--encoder_type", "ca-mtl-base"), "this model's encoder is bert, not ca-mtl-base")
        try assertRefuses(
            arguments(tasks: ["rte", "rte"], "--do_train"), "tasks named more than once: rte")
    }

    func testTrainedModelWhoseLabelsAreNotTheTasksIsRefused() throws {
        try write { $0.addDecoders([("rte", ["yes", "no"])]) }
        try assertRefuses(
            arguments("--do_eval"), "the model's task \"rte\" is a classification with the labels yes, no",
            "GLUE's is a classification with the labels entailment, not_entailment")
    }
}
