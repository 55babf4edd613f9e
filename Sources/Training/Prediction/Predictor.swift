import CAMTL
import Files
import Foundation
import Tasks
import Tokenization
import Torch

/// A row to predict, as JSON has it: texts, or ids that are already there.
public struct PredictionInput: Sendable, Equatable, Decodable {
    public var task: String
    public var sentence: String?
    public var sentence1: String?
    public var sentence2: String?
    public var inputIDs: [Int32]?
    public var tokenTypeIDs: [Int32]?
    /// The texts, and lists of texts, of a task whose rows have names of their own for them, by these.
    public var texts: [String: RowText] = [:]
    /// The further fields that are there and hold no text.
    var notTexts: Set<String> = []

    /// A text, or a pair of texts.
    public init(task: String, _ first: String, _ second: String? = nil) {
        self.task = task
        if let second { (sentence1, sentence2) = (first, second) } else { sentence = first }
    }

    /// The texts of a task whose rows have names of their own for them.
    public init(task: String, texts: [String: String]) {
        self.init(task: task, fields: texts.mapValues { .text($0) })
    }

    /// The fields of a task whose rows have words or choices, which are lists, or names of their own for their texts.
    public init(task: String, fields: [String: RowText]) {
        self.task = task
        texts = fields
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case task, sentence, sentence1, sentence2
        case inputIDs = "input_ids"
        case tokenTypeIDs = "token_type_ids"
    }

    private struct FieldName: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        task = try container.decode(String.self, forKey: .task)
        sentence = try container.decodeIfPresent(String.self, forKey: .sentence)
        sentence1 = try container.decodeIfPresent(String.self, forKey: .sentence1)
        sentence2 = try container.decodeIfPresent(String.self, forKey: .sentence2)
        inputIDs = try container.decodeIfPresent([Int32].self, forKey: .inputIDs)
        tokenTypeIDs = try container.decodeIfPresent([Int32].self, forKey: .tokenTypeIDs)
        let fields = try decoder.container(keyedBy: FieldName.self)
        for key in fields.allKeys where CodingKeys(stringValue: key.stringValue) == nil {
            // Other fields than the task's texts may be anything.
            texts[key.stringValue] =
                (try? fields.decode(String.self, forKey: key)).map { .text($0) }
                ?? (try? fields.decode([String].self, forKey: key)).map { .list($0) }
            if texts[key.stringValue] == nil, (try? fields.decodeNil(forKey: key)) != true {
                notTexts.insert(key.stringValue)
            }
        }
    }
}

/// What the model says of a row.
public struct Prediction: Sendable, Equatable, Encodable {
    public var task: String
    /// The predicted class' name; nil where there isn't exactly one.
    public var label: String?
    /// The predicted labels of a task that may have several; nil elsewhere.
    public var labels: [String]?
    /// The predicted number of a regression; nil elsewhere.
    public var value: Float?
    /// The words of a row that is tagged, as they were given or cut; nil elsewhere.
    public var words: [String]?
    /// The predicted tag of each of the words.
    public var tags: [String]?
    /// The number of the choice, from 0, whose text `label` is; nil where there are no choices.
    public var choice: Int?
    /// The predicted part of a context; nil elsewhere.
    public var answer: Answer.Span?
    /// Of the labels, in the model's order, or of the choices; nil elsewhere.
    public var probabilities: [Double]?
    /// Of the labels, in the model's order, or of the choices; nil where each token has its own.
    public var logits: [Float]?
    /// From 0, sure, to just below 1; nil in a regression.
    public var entropy: Double?
}

public enum PredictionError: Error, CustomStringConvertible, Sendable {
    case badRow(path: String, line: Int, reason: String)
    /// A row of several, counted from 1.
    case badInput(number: Int, reason: String)
    case unreadable(path: String, reason: String)
    /// What is to be written is what is read.
    case outputIsInput(path: String)
    /// Several processes would each read a part of what only comes once.
    case notShared(path: String)
    /// The file is none of rows, but what stands in a file's place now and then.
    case misplaced(path: String, content: MisplacedContent)
    case empty(path: String)
    /// A model whose logits are infinite or not numbers; the row is counted from 0.
    case notFinite(set: String, row: Int)

    public var description: String {
        switch self {
        case .badRow(let path, let line, let reason): "\(path):\(line): \(reason)"
        case .badInput(let number, let reason): "row \(number): \(reason)"
        case .unreadable(let path, let reason): "\(path): there is no such file, or it can't be read: \(reason)"
        case .outputIsInput(let path): "\(path): the input and the output are the same file; name another --output"
        case .notShared(let path): "\(path): this is not a regular file, which several processes need to read it each"
        case .misplaced(let path, let content): "\(path): \(content)"
        case .empty(let path): "\(path): there are no rows in this file"
        case .notFinite(let set, let row):
            "the model's logits for row \(row) of \(set)'s test set are not finite numbers; it is of no use: train it "
                + "again, with a lower --learning_rate"
        }
    }
}

/// Predicts rows of any of a model's tasks.
public struct Predictor {
    private let trained: TrainedModel
    private let batchSize: Int
    private let precision: Precision
    private let team: Team?

    /// - Parameters:
    ///   - trained: the model.
    ///   - batchSize: sequences of a batch.
    ///   - precision: how exactly it computes.
    ///   - team: the processes that each compute a share of the rows; nil for one that computes all.
    public init(
        _ trained: TrainedModel, batchSize: Int = 8, precision: Precision = .exact, team: Team? = nil
    ) {
        self.trained = trained
        self.batchSize = batchSize
        self.precision = precision
        self.team = team
    }

    /// Predicts a file of JSON lines into another, in its order; the output is there whole or not at all. Both may be
    /// pipes, of which a named one is waited for.
    ///
    /// - Returns: the number of rows.
    /// - Throws: `FileWriteError`, before anything is read, if the output can't be written; `PredictionError` for what
    ///   is wrong with the input.
    @discardableResult
    public func predict(_ input: URL, to output: URL) throws -> Int {
        if isSameFile(input, output), isRegularFile(input) || isPipe(input) {
            throw PredictionError.outputIsInput(path: output.path)
        }
        if let team, team.size > 1, !isRegularFile(input) { throw PredictionError.notShared(path: input.path) }
        let file = team.writes ? try OutputFile(output) : nil
        let data: Data
        do {
            data = try readNamedFile(input)
        } catch {
            throw PredictionError.unreadable(path: input.path, reason: error.description)
        }
        var rows: [Row] = []
        try PredictionInput.forEachRow(of: data, path: input.path) { row, line in
            rows.append(try encode(row) { .badRow(path: input.path, line: line, reason: $0) })
        }
        guard !rows.isEmpty else { throw PredictionError.empty(path: input.path) }
        try team?.checkAgreement([
            "the input": String(SHA256(data).hexadecimal.prefix(16)), "the model's weights": trained.model.checksum(),
            "per_device_eval_batch_size": "\(batchSize)", "eval_precision": precision.rawValue,
        ])
        let predictions = try predict(rows)
        guard let file else { return rows.count }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        try file.write { sink in
            for prediction in predictions { try sink.write(encoder.encode(prediction) + [0x0A]) }
        }
        return rows.count
    }

    /// Predicts rows, in their order.
    ///
    /// - Throws: `PredictionError.badInput` for a row that is of none of the model's trained tasks, has not the texts
    ///   of its task, or ids that the model can't take; `TorchError`.
    public func predict(_ rows: [PredictionInput]) throws -> [Prediction] {
        try predict(
            rows.enumerated().map { index, row in
                try encode(row) { .badInput(number: index + 1, reason: $0) }
            })
    }

    private struct Row {
        /// As the input has it, such as `mnli-mm`.
        var name: String
        /// The position of the task that predicts it in the model's list.
        var task: Int
        /// One, or a window each of a text that is too long for one.
        var examples: [EncodedExample]
    }

    private func encode(_ row: PredictionInput, _ fail: (String) -> PredictionError) throws -> Row {
        let configuration = trained.model.configuration
        let name = row.task == "mnli-mm" || row.task == "ax" ? "mnli" : row.task
        guard let task = configuration.tasks.firstIndex(where: { $0.name == name }) else {
            let known = configuration.tasks.map(\.name).joined(separator: ", ")
            throw fail("the model has no task \"\(row.task)\"; its tasks are \(known)")
        }
        if trained.untrainedTasks.contains(task) {
            throw fail("\(name) is not trained, its decoder is at its random start")
        }
        if let ids = row.inputIDs {
            if row.sentence != nil || row.sentence1 != nil || row.sentence2 != nil {
                throw fail("the row has both \"input_ids\" and a text; it may have either")
            }
            let types = row.tokenTypeIDs ?? Array(repeating: 0, count: ids.count)
            guard types.count == ids.count else {
                throw fail("there are \(ids.count) input_ids and \(types.count) token_type_ids")
            }
            try check(ids, types, fail)
            guard configuration.tasks[task].kind is any SequenceKind else {
                throw fail("\(name) is \(configuration.tasks[task].kind.summary), which takes texts, and no \"input_ids\"")
            }
            let encoding = Encoding(inputIDs: ids, tokenTypeIDs: types)
            return Row(
                name: row.task, task: task,
                examples: [EncodedExample(sequences: [encoding], marks: ExampleMarks(target: []))])
        }
        let (texts, choices) = try fields(row, of: configuration.tasks[task], fail)
        // The text and a choice are a pair, too.
        if texts.count > 1 || !choices.isEmpty, !configuration.backbone.takesPairs {
            throw fail(
                "the row is a pair of texts, and the model's encoder has one token type (type_vocab_size 1): it takes "
                    + "single texts alone")
        }
        let encoder = ExampleEncoder(
            tokenizer: trained.tokenizer, maxSequenceLength: configuration.maxSequenceLength, keepsTexts: true,
            truncationSide: configuration.tasks[task].truncationSide)
        do {
            return Row(
                name: row.task, task: task,
                examples: try encoder.examples(of: texts, choices: choices, kind: configuration.tasks[task].kind))
        } catch let problem as DataFileError.Problem {
            throw fail(problem.description)
        }
    }

    /// The row's texts, and the texts to choose from, as the task has them.
    private func fields(
        _ row: PredictionInput, of task: TaskHead, _ fail: (String) -> PredictionError
    ) throws -> (texts: [RowText], choices: [RowText]) {
        let kind = type(of: task.kind).fields
        func named(_ own: [String]?, or usual: [String]) throws -> [RowText]? {
            let candidates = [own ?? [], usual, kind.takesWords ? ["text"] : []].filter { !$0.isEmpty }
            if let names = candidates.first(where: { $0.allSatisfy { row.texts[$0] != nil } }) {
                return names.compactMap { row.texts[$0] }
            }
            guard let names = candidates.first, row.sentence == nil, row.sentence1 == nil || kind.hasChoices else {
                return nil
            }
            for name in names where row.texts[name] == nil {
                if row.notTexts.contains(name) { throw fail("\"\(name)\" is no string") }
                throw fail("the row has no text \"\(name)\"; \(task.name)'s are \(names.joined(separator: " and "))")
            }
            return nil
        }
        let choices = kind.hasChoices ? try named(task.choiceFields, or: ["choices"]) ?? [] : []
        if let texts = try named(task.textFields, or: kind.usualTexts) {
            let lists = texts.filter { if case .list = $0 { true } else { false } }
            if !lists.isEmpty, !kind.takesWords { throw fail("a text of \(task.name) is a list, and not a string") }
            return (texts, choices)
        }
        let (first, second) = try texts(row, of: task, fail)
        return ([.text(first)] + (second.map { [.text($0)] } ?? []), choices)
    }

    /// The row's one text or two, by the names that GLUE's have.
    private func texts(
        _ row: PredictionInput, of task: TaskHead, _ fail: (String) -> PredictionError
    ) throws -> (first: String, second: String?) {
        guard let first = row.sentence ?? row.sentence1 else {
            throw fail("the row has neither \"sentence\" or \"sentence1\" nor \"input_ids\"")
        }
        if row.tokenTypeIDs != nil { throw fail("there are \"token_type_ids\" without \"input_ids\"") }
        if row.sentence != nil, row.sentence1 != nil {
            throw fail("the row has both \"sentence\", for a single text, and \"sentence1\", for the first of a pair")
        }
        // A task that is not GLUE's may have either.
        let isPair = try? task.textFields.map { $0.count == 2 } ?? GLUE.task(named: task.name).isPair
        if isPair == true, row.sentence != nil || row.sentence2 == nil {
            throw fail("\(row.task) is a task of pairs; it needs \"sentence1\" and \"sentence2\"")
        }
        if isPair == false || row.sentence != nil, row.sentence2 != nil {
            throw fail("\(row.task) is a task of single texts; it takes \"sentence\", and no \"sentence2\"")
        }
        return (first, row.sentence2)
    }

    private func check(_ ids: [Int32], _ types: [Int32], _ fail: (String) -> PredictionError) throws {
        let configuration = trained.model.configuration
        if !(1...configuration.maxSequenceLength).contains(ids.count) {
            throw fail("there are \(ids.count) input_ids; the model takes 1 to \(configuration.maxSequenceLength)")
        }
        let (rows, kinds) = (configuration.backbone.vocabularySize, configuration.backbone.tokenTypeCount)
        if let id = ids.first(where: { !(0..<rows).contains(Int($0)) }) {
            throw fail("the input id \(id) is outside of the vocabulary, 0 to \(rows - 1)")
        }
        if let type = types.first(where: { !(0..<kinds).contains(Int($0)) }) {
            throw fail("the token type id \(type) is outside of 0 to \(kinds - 1)")
        }
    }

    private func predict(_ rows: [Row]) throws -> [Prediction] {
        var result: [Prediction?] = Array(repeating: nil, count: rows.count)
        let evaluator = Evaluator(
            model: trained.model, batchSize: batchSize, precision: precision, team: team)
        for task in Set(rows.map(\.task)).sorted() {
            let positions = rows.indices.filter { rows[$0].task == task }
            let kind = trained.model.configuration.tasks[task].kind
            let examples = positions.flatMap { rows[$0].examples }
            let sizes = examples.map { example in
                let lengths = example.sequences.map(\.inputIDs.count)
                return Evaluator.Size(tokens: lengths.reduce(0, +), rows: kind.logitRows(lengths: lengths))
            }
            let logits = try evaluator.logits(task: task, sizes: sizes) { position, batch in
                for (number, sequence) in examples[position].sequences.enumerated() {
                    batch.append(
                        inputIDs: sequence.inputIDs, tokenTypeIDs: sequence.tokenTypeIDs, taskID: task,
                        continuesExample: number > 0)
                }
            }
            var decoded = zip(logits, examples).map { DecodedExample(logits: $0, marks: $1.marks) }[...]
            for position in positions {
                let windows = Array(decoded.prefix(rows[position].examples.count))
                decoded = decoded.dropFirst(windows.count)
                result[position] = prediction(rows[position].name, kind, windows)
            }
        }
        return result.compactMap { $0 }
    }

    private func prediction(_ name: String, _ kind: any TaskKind, _ windows: [DecodedExample]) -> Prediction {
        let answer = kind.answer(to: windows)
        let words = answer.tags == nil ? nil : windows[0].marks.texts.map { String(decoding: $0, as: UTF8.self) }
        return Prediction(
            task: name, label: answer.label, labels: answer.labels, value: answer.value, words: words, tags: answer.tags,
            choice: answer.choice, answer: answer.span, probabilities: answer.probabilities,
            logits: type(of: kind).decoderInput == .tokens ? nil : Array(windows[0].logits), entropy: answer.entropy)
    }
}
