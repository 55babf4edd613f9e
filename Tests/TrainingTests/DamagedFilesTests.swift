import CAMTL
import Files
import Foundation
import Synchronization
import Tasks
import TestSupport
import Tokenization
import Torch
import XCTest

@testable import Training

/// Files that are damaged in any way are refused with a message, or read; nothing crashes, hangs, or goes on to other
/// numbers.
///
/// `make fuzz SECONDS=600 SEED=2` runs it for longer, over other damage. The input at hand lies in a folder that is named
/// at the start, so that one which ends the process can be looked at.
final class DamagedFilesTests: ToyTestCase {
    private var seconds: Double { number("CAMTL_FUZZ_SECONDS").map(Double.init) ?? 12 }
    private var seed: UInt64 { number("CAMTL_FUZZ_SEED").map(UInt64.init) ?? 1 }

    private func number(_ name: String) -> UInt32? { ProcessInfo.processInfo.environment[name].flatMap(UInt32.init) }

    /// What a kind of file came to.
    private struct Counts { var inputs = 0, refused = 0, read = 0 }

    /// Damages the files of a folder, one at a time, for a share of the time.
    ///
    /// - Parameters:
    ///   - kind: named in the report.
    ///   - folder: what is damaged; it is whole again at each input.
    ///   - names: the files that are damaged.
    ///   - share: of all the time.
    ///   - read: reads the folder as a user's run would; what came out otherwise than of the whole file, where that is
    ///     known, or nil if it was refused.
    private func damage(
        _ kind: String, _ folder: URL, _ names: [String], share: Double, _ read: () throws -> [String]?
    ) throws {
        let whole = try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: folder.appendingPathComponent($0))) })
        let watch = Watchdog(folder)
        defer { watch.stop() }
        var counts = Counts()
        let start = ContinuousClock.now
        while (ContinuousClock.now - start) / .seconds(1) < seconds * share || counts.inputs < 20 {
            var random = RandomStream(seed: seed, purpose: "\(kind) \(counts.inputs)")
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            guard let content = whole[name] else { continue }
            let url = folder.appendingPathComponent(name)
            try Damage.make(content, &random).write(to: url)
            let input = "\(kind) \(counts.inputs)"
            watch.begin(input)
            do {
                let differences = try read()
                if let differences {
                    counts.read += 1
                    if !differences.isEmpty {
                        let kept = FileManager.default.temporaryDirectory.appendingPathComponent("damaged \(input) \(name)")
                        try? FileManager.default.copyItem(at: url, to: kept)
                        XCTFail("\(input): other numbers, and no message: \(differences); see \(kept.path)")
                    }
                } else {
                    counts.refused += 1
                }
            } catch {
                XCTAssertFalse("\(error)".isEmpty, "\(kind) \(counts.inputs)")
                counts.refused += 1
            }
            counts.inputs += 1
            try content.write(to: url)
        }
        print(
            "camtl: \(kind): \(counts.inputs) inputs of seed \(seed), \(counts.refused) refused, \(counts.read) read")
    }

    func testDamagedFilesAreRefusedOrRead() throws {
        print("camtl: damaged files are in \(directory.path)")
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "sts-b"])
        for (name, count) in [("cola", 20), ("sts-b", 12)] { try writeData(name, train: count, dev: 4) }
        try damage("model.safetensors, config.json", modelFolder, ["model.safetensors", "config.json"], share: 0.2) {
            _ = try TrainedModel(folder: self.modelFolder)
            return []
        }
        try damage("vocab.txt, tokenizer_config.json", modelFolder, ["vocab.txt", "tokenizer_config.json"], share: 0.1) {
            _ = try WordPieceTokenizer(folder: self.modelFolder).encode("bak delm, Q\u{301} \u{0}", pair: "x")
            return []
        }
        try damageRows()
        try damageTaskFiles()
        try damageArchives()
        try damageCache()
        try damageCheckpoints()
    }

    private func damageRows() throws {
        let rows = directory.appendingPathComponent("rows")
        try FileManager.default.createDirectory(at: rows, withIntermediateDirectories: true)
        let input = rows.appendingPathComponent("rows.jsonl")
        let lines = (0..<4).map { "{\"task\": \"cola\", \"sentence\": \"bak \($0) \\ud83d\\ude00\", \"n\": [1, {\"a\": null}]}\n" }
        try Data(lines.joined().utf8).write(to: input)
        let predictor = Predictor(try loadModel())
        try damage("rows to predict", rows, ["rows.jsonl"], share: 0.1) {
            try predictor.predict(input, to: self.directory.appendingPathComponent("predicted.jsonl"))
            return []
        }
        let files = ["tasks.csv", "tasks.tsv", "tasks.jsonl", "words.conll", "questions.json", "questions.jsonl"]
        try Data("text,label\n\"ba \"\"k\"\"\nx\",a\nbak,b\nfi,a\n".utf8).write(to: rows.appendingPathComponent(files[0]))
        try Data("text\tlabel\nba\ta\nbak\tb\nfi\ta\n".utf8).write(to: rows.appendingPathComponent(files[1]))
        try Data((0..<3).map { "{\"text\": \"ba \($0)\", \"label\": \"\("ab".dropFirst($0 % 2).prefix(1))\"}\n" }.joined().utf8)
            .write(to: rows.appendingPathComponent(files[2]))
        try Data("-DOCSTART- O\n\nba O\nbak B-x\n\nfi I-x\n".utf8).write(to: rows.appendingPathComponent(files[3]))
        let answer = #"{"text": "ba\u00e9", "answer_start": 0}"#
        let question = #"{"id": "a", "question": "ba \"k\"", "answers": [\#(answer)], "is_impossible": false}"#
        let other = #"{"id": "b", "question": "fi", "answers": [], "is_impossible": true}"#
        let paragraph = #"{"qas": [\#(question), \#(other)], "context": "bak \ud83d\ude00 {[", "n": [1, {"a": null}]}"#
        try Data(#"{"version": 2, "data": [{"paragraphs": [\#(paragraph)], "title": "x"}, {"paragraphs": []}]}"#.utf8)
            .write(to: rows.appendingPathComponent(files[4]))
        let detected = #"{"text": "bak", "char_spans": [[0, 2], [4, 6]]}"#
        let detecting = #"{"qid": "a", "question": "ba", "answers": ["bak"], "detected_answers": [\#(detected)]}"#
        let undetected = #"{"id": "b", "question": "fi", "answers": ["fi"]}"#
        try Data("{\"header\": {}}\n{\"context\": \"bak\", \"qas\": [\(detecting), \(undetected)]}\n".utf8)
            .write(to: rows.appendingPathComponent(files[5]))
        let columns = [
            "text: text, label: label", "text: text, label: label", "text: text, label: label", "text: 0, label: -1",
            "text: [question, title], label: is_impossible", "text: [question, context], label: answers.text",
        ]
        let tasks = zip(files, columns).enumerated().map { index, file in
            let type = file.1.contains("label: -1") || file.1.contains("answers") ? "multilabel" : "classification"
            let format = file.0 == files[5] ? ", format: mrqa" : ""
            return "  - {name: t\(index), type: \(type), train: \(file.0), \(file.1)\(format)}\n"
        }
        try Data(("tasks:\n" + tasks.joined()).utf8).write(to: rows.appendingPathComponent("tasks.yaml"))
        let cache = FeatureCache(directory: cacheDirectory, tokenizer: try loadModel().tokenizer, maxSequenceLength: 8)
        func refusals() throws -> [String] {
            let (catalogue, names) = try TaskCatalogue.reading([rows.appendingPathComponent("tasks.yaml").path])
            return names.compactMap { name in
                do {
                    let task = try catalogue.task(named: name)
                    _ = try cache.features(of: task, in: task.train, dataDirectory: nil)
                    return nil
                } catch {
                    return "\(error)"
                }
            }
        }
        XCTAssertEqual(try refusals(), [], "whole files are read")
        try damage("files to train on", rows, files, share: 0.1) { try refusals().isEmpty ? [] : nil }
    }

    private func damageTaskFiles() throws {
        let rows = directory.appendingPathComponent("rows")
        try damage("task files", rows, ["tasks.yaml"], share: 0.1) {
            let (catalogue, names) = try TaskCatalogue.reading([rows.appendingPathComponent("tasks.yaml").path])
            for name in names { _ = try catalogue.task(named: name) }
            return []
        }
    }

    private func damageArchives() throws {
        let folder = directory.appendingPathComponent("zip")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var archive = ZipWriter()
        try archive.add("RTE/train.tsv", Array("index\tsentence1\n0\tba\n".utf8))
        try archive.add("RTE/dev.tsv", Array(String(repeating: "bak ", count: 400).utf8))
        try archive.write(to: folder.appendingPathComponent("a.zip"))
        try damage("zip archives", folder, ["a.zip"], share: 0.1) {
            let file = try MappedFile(path: folder.appendingPathComponent("a.zip").path)
            try file.withBytes { bytes in
                for member in try ZipArchive(bytes).files() { try member.read(from: bytes) { _ in } }
            }
            return []
        }
    }

    /// A damaged file of the cache gives the features that there were.
    private func damageCache() throws {
        let task = try GLUE.task(named: "cola")
        let folder = directory.appendingPathComponent("features")
        let cache = FeatureCache(directory: folder, tokenizer: try loadModel().tokenizer, maxSequenceLength: 8)
        func features() throws -> [[Int32]] {
            let set = try cache.features(of: task, in: task.train, dataDirectory: dataDirectory)
            return (0..<set.count).map { index in
                set.withExample(at: index) { Array($0.inputIDs) + [Int32($0.marks.target.first ?? -1)] }
            }
        }
        let expected = try features()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        try damage("feature cache", folder, names, share: 0.1) {
            return try features() == expected ? [] : ["features"]
        }
    }

    /// A damaged checkpoint is refused, or the run ends with the same bytes.
    private func damageCheckpoints() throws {
        var settings = TrainingSettings.toy(.uniform(share: 0.5), steps: 6)
        settings.saveSteps = 3
        let expected = try train(settings).trained.weights()
        let checkpoint = outputDirectory.appendingPathComponent("checkpoint-3")
        let names = try FileManager.default.contentsOfDirectory(atPath: checkpoint.path).sorted()
        let output = directory.appendingPathComponent("again")
        try damage("checkpoints", checkpoint, names, share: 0.3) {
            let state = try ResumeState.readWhole(from: checkpoint)
            let trained = try TrainedModel(folder: checkpoint)
            let trainer = try Trainer(trained, tasks: self.loadData(trained), settings: settings) { _ in }
            try trainer.resume(from: checkpoint, state)
            _ = try trainer.run(outputDirectory: output)
            let weights = try trained.weights()
            return Set(weights.keys).union(expected.keys).filter { weights[$0] != expected[$0] }.sorted()
        }
    }
}

/// Ends the process when an input takes too long, and says which.
private final class Watchdog: Sendable {
    private struct State {
        var input: (name: String, start: ContinuousClock.Instant)?
        var isStopped = false
    }

    private let state = Mutex(State())

    init(_ folder: URL) {
        Thread.detachNewThread {
            while !self.state.withLock(\.isStopped) {
                Thread.sleep(forTimeInterval: 0.5)
                let late = self.state.withLock { state in
                    state.input.flatMap { ContinuousClock.now - $0.start > .seconds(30) ? $0.name : nil }
                }
                if let late { fatalError("\(late) in \(folder.path) takes more than 30 seconds") }
            }
        }
    }

    func begin(_ name: String) { state.withLock { $0.input = (name, .now) } }
    func stop() { state.withLock { $0 = State(isStopped: true) } }
}

/// Ways to damage a file.
private enum Damage {
    private static let words = [
        "-1", "0", "9223372036854775807", "4294967296", "1e300", "NaN", "null", "true", "\"\"", "[]", "{}", "../x",
        String(repeating: "[", count: 300), "\u{0}", "\u{FEFF}", "\r", "\t", "\"", ",", "\u{301}", "&a [*a, *a]",
    ].map { Array($0.utf8) }

    static func make(_ content: Data, _ random: inout RandomStream) -> Data {
        var bytes = Array(content)
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let length = Int.random(in: 0...min(64, bytes.count - place), using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80, 0x30, 0x39].randomElement(using: &random) ?? 0
            case 2: bytes.removeLast(bytes.count - place)
            case 3: bytes.removeSubrange(place..<place + length)
            case 4: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
            case 5: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
            case 6: replaceNumber(in: &bytes, from: place, &random)
            default:
                for index in place..<place + length { bytes[index] = UInt8.random(in: 0...255, using: &random) }
            }
        }
        return Data(bytes)
    }

    /// The first number from a place on becomes a word.
    private static func replaceNumber(in bytes: inout [UInt8], from place: Int, _ random: inout RandomStream) {
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: words.randomElement(using: &random) ?? [])
    }
}
